"""Stop requests by SIGINT, SIGTERM and SIGUSR1, and the exit codes of runs that were stopped."""

import errno
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from hypermagnetics.errors import (
    HypermagneticsError,
    InterruptedRunError,
    OtherProcessError,
    RunWriteError,
)

TRY_AGAIN = 75
"""EX_TEMPFAIL: a signal stopped the run; the command can be queued again with --resume."""

CANNOT_WRITE = 74
"""EX_IOERR: the directory of the run cannot be written, as on a full disk."""

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Errors of a full or failing disk; missing permissions or directories are another matter."""

_REFUSED, _BUG, _INTERRUPTED = 2, 1, 130

_NAMES = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


class _Signalled(BaseException):
    """Stop by a signal; a BaseException, so that no `except Exception` swallows it."""


class StopRequest:
    """Stop request, with its signal, if any."""

    def __init__(self) -> None:
        """Start without a signal."""
        self.signal: signal.Signals | None = None


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Turn the first of these signals into a request; a second one ends the process at once.

    SLURM can send SIGUSR1 some time before the end of a job.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request  # signals reach the main thread alone, which may only be waiting here
        return
    before = {name: signal.getsignal(name) for name in _NAMES}

    def on_signal(number: int, frame: FrameType | None) -> None:
        request.signal = signal.Signals(number)
        for name in _NAMES:
            is_ctrl_c = name == signal.SIGINT
            signal.signal(name, signal.default_int_handler if is_ctrl_c else signal.SIG_DFL)

    for name in _NAMES:
        signal.signal(name, on_signal)
    try:
        yield request
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


@contextmanager
def end_on_signals(run: Path) -> Iterator[None]:
    """Let a signal end a run as resumable before or after its steps, with nothing to save.

    Ctrl-C acts as usual.

    Args:
        run: Its directory, for the message.

    Raises:
        InterruptedRunError: At the first SIGTERM or SIGUSR1.
    """
    names = (signal.SIGTERM, signal.SIGUSR1)
    before = {name: signal.getsignal(name) for name in names}

    def on_signal(number: int, frame: FrameType | None) -> None:
        raise _Signalled(
            f"A run must reach its end; got {signal.Signals(number).name} before or after its "
            f"steps ({run}). Nothing is lost: give the same command again, with --resume if RUN "
            "exists."
        )

    for name in names:
        signal.signal(name, on_signal)
    try:
        yield
    except _Signalled as error:
        raise InterruptedRunError(str(error)) from error
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def exit_code(error: BaseException) -> int:
    """Exit code of hm-train after an error; those beyond 2 are of sysexits.h, for schedulers."""
    match error:
        case OtherProcessError():
            return error.code
        case InterruptedRunError():
            return TRY_AGAIN
        case RunWriteError():
            return CANNOT_WRITE
        case OSError():
            return CANNOT_WRITE if error.errno in NO_ROOM else _REFUSED
        case HypermagneticsError():
            return _REFUSED
        case KeyboardInterrupt():
            return _INTERRUPTED
        case _:
            return _BUG

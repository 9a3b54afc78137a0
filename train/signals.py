"""SIGINT, SIGTERM and SIGUSR1 as a wish to stop after the current step."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """Whether a signal has asked to stop, and which."""

    def __init__(self) -> None:
        """No signal yet."""
        self.signal: signal.Signals | None = None


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Turn the first of these signals into a request; a second one acts as usual, at once.

    SIGUSR1 is what SLURM can send some time before the end of a job.
    """
    request = StopRequest()
    names = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
    before = {name: signal.getsignal(name) for name in names}

    def restore() -> None:
        for name, handler in before.items():
            signal.signal(name, handler)

    def on_signal(number: int, frame: FrameType | None) -> None:
        request.signal = signal.Signals(number)
        restore()

    for name in names:
        signal.signal(name, on_signal)
    try:
        yield request
    finally:
        restore()

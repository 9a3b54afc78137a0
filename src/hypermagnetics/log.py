"""Messages on stderr: progress, and errors in one line."""

import os
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

from tqdm import tqdm

from hypermagnetics.errors import (
    HypermagneticsError,
    HypermagneticsWarning,
    printable,
    remedy_of,
)

_SECONDS_BETWEEN_LINES = 5.0
_REFUSED = 2
_INTERRUPTED = 130


def say(text: str) -> None:
    """Write one line to stderr; control characters are escaped.

    Messages are a courtesy: where they cannot be written, since the reader has gone or the disk of
    a log is full, they are lost, and nothing else is.
    """
    if sys.stderr is not None:  # tqdm would take stdout
        with _courtesy():
            tqdm.write(printable(text), file=sys.stderr)


class _CourtesyStream:
    """All of stderr, but that a write or a flush that fails is passed over."""

    def write(self, text: str) -> int:
        with _courtesy():
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        with _courtesy():
            sys.stderr.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)


def courtesy_stream() -> Any:
    """Stream to stderr for prints of users' code, which are a courtesy as `say` is."""
    return _CourtesyStream()


@contextmanager
def _courtesy() -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # a ValueError if the stream is closed
        if isinstance(error, BrokenPipeError):
            _silence_stderr()


def _silence_stderr() -> None:
    """Send all that still comes to /dev/null, also from the end of the interpreter."""
    # A replacement of sys.stderr, as in notebooks, may have no file descriptor.
    with suppress(OSError, ValueError, AttributeError):
        number = sys.stderr.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)


def _open_closed_streams() -> None:
    """Open /dev/null where standard streams are closed, so that no other file takes their place."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            os.dup2(opened, number)  # nothing, if it has that number already
            if opened != number:
                os.close(opened)
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(nowhere, "w" if number else "r", encoding="utf-8"))


@contextmanager
def _warnings_in_one_line(program: str) -> Iterator[None]:
    """Show warnings of this package as lines of a program, those of others as they are."""
    show = warnings.showwarning

    def show_line(
        message: Warning | str, category: type[Warning], *place: Any, **more: Any
    ) -> None:
        if issubclass(category, HypermagneticsWarning):
            say(f"{program}: {printable(str(message), kept='')}")
        else:
            show(message, category, *place, **more)

    with warnings.catch_warnings():
        warnings.showwarning = show_line
        yield


@contextmanager
def errors_in_one_line(program: str) -> Iterator[None]:
    """Turn an error the user can mend into one line on stderr and exit code 2; a warning, too.

    Args:
        program: Name shown before the message.

    Raises:
        SystemExit: With code 2 in place of a HypermagneticsError or an OSError (no space, no
            permission), with 130 after Ctrl-C. Any other exception is a bug and passes with its
            traceback.
    """
    _open_closed_streams()
    try:
        with _warnings_in_one_line(program):
            yield
    except HypermagneticsError as error:
        say(f"{program}: {error}")
        raise SystemExit(_REFUSED) from error
    except KeyboardInterrupt as error:
        say(f"{program}: interrupted; finished work is kept. Give the same command again to go on.")
        raise SystemExit(_INTERRUPTED) from error
    except OSError as error:
        place = f" ({printable(str(error.filename), kept='')})" if error.filename else ""
        say(
            f"{program}: The file system must allow every read and write; got "
            f"{error.strerror or error}{place}. {remedy_of(error)} and give the same command "
            "again; finished work is kept."
        )
        raise SystemExit(_REFUSED) from error
    finally:
        try:
            sys.stderr.flush()
        except (OSError, ValueError):  # else the interpreter would end with an error of its own
            _silence_stderr()


@runtime_checkable
class Listener(Protocol):
    """Receives the progress of an activity that is counted in units."""

    def skip(self, count: int) -> None:
        """Count units that an earlier process finished; they say nothing about the speed."""

    def advance(self, count: int, note: str = "") -> None:
        """Count units just finished; `note` is a status line in place of the one before."""

    def tell(self, text: str) -> None:
        """Receive a message of one line."""


class Silent:
    """Listener that shows nothing."""

    def skip(self, count: int) -> None:
        """Show nothing."""

    def advance(self, count: int, note: str = "") -> None:
        """Show nothing."""

    def tell(self, text: str) -> None:
        """Show nothing."""


SILENT = Silent()


@contextmanager
def progress(title: str, total: int, unit: str, *, quiet: bool) -> Iterator[Listener]:
    """Open a listener that shows progress as `Progress` does, or nothing."""
    if quiet:
        yield SILENT
    else:
        with Progress(title, total, unit) as shown:
            yield shown


class Progress:
    """Listener that shows rate and time left: a bar on a terminal, a line now and then elsewhere.

    It ends with the last unit, so that messages about later work stand below it.
    """

    def __init__(self, title: str, total: int, unit: str) -> None:
        """Start showing progress.

        Args:
            title: Name of the activity.
            total: Number of units of the whole.
            unit: Name of the unit.
        """
        self._terminal = False
        with _courtesy():
            self._terminal = sys.stderr is not None and sys.stderr.isatty()
        self._bar = tqdm(
            total=total,
            unit=unit,
            desc=title,
            unit_scale=total > 10_000,
            file=sys.stderr,
            disable=not self._terminal,
        )
        self._title, self._unit, self._total = title, unit, total
        self._done, self._skipped = 0, 0
        self._note, self._ended = "", False
        self._start = self._last_line = time.monotonic()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._end()
        with _courtesy():
            self._bar.close()

    def skip(self, count: int) -> None:
        """Count units that an earlier process finished."""
        self._done += count
        self._skipped += count
        # Not by update(), which takes them into the rate.
        self._bar.n = self._bar.last_print_n = self._done
        self._bar.initial = self._skipped
        with _courtesy():
            self._bar.refresh()

    def advance(self, count: int, note: str = "") -> None:
        """Count finished units, and show `note` behind the rate."""
        self._done += count
        self._note = note
        with _courtesy():
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(count)
        if self._done >= self._total:
            self._end()
        elif not self._terminal and time.monotonic() - self._last_line > _SECONDS_BETWEEN_LINES:
            self._line()

    def tell(self, text: str) -> None:
        """Write a message, above the bar while there is one."""
        say(f"{self._title}: {printable(text, kept='')}")

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            with _courtesy():
                self._bar.close()
            if not self._terminal:
                self._line()

    def _line(self) -> None:
        self._last_line = time.monotonic()
        elapsed = max(self._last_line - self._start, 1e-9)
        rate = (self._done - self._skipped) / elapsed
        left = f"{(self._total - self._done) / rate:.0f} s left" if rate > 0 else "-"
        note = f", {self._note}" if self._note else ""
        say(
            f"{self._title}: {self._done}/{self._total} {self._unit}, "
            f"{rate:.4g} {self._unit}/s, {left}{note}"
        )


def in_bytes(count: float | int) -> str:
    """A number of bytes for people, as in 1.5 GB (powers of 1000)."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 999.5 or unit == "TB":
            break
        count /= 1000
    return f"{count:.3g} {unit}"


def four_digits(value: float | None) -> str:
    """A number for people, as in "45.69"; None is "not finite"."""
    return "not finite" if value is None else f"{value:.4g}"


def per_cent(fraction: float | None) -> str:
    """A fraction for people, as in "3.4 %"; None is "undefined"."""
    return "undefined" if fraction is None else f"{100 * fraction:.3g} %"

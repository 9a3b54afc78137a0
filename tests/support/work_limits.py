"""Limits for any block of a test, apart from `program_runs`: lines that are run, and a hang."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest
from program_runs import TIMEOUT


@contextmanager
def few_lines(most: int) -> Iterator[None]:
    """Fail a block that runs more lines of the package: it loops over too much.

    Lines of libraries do not count, nor those of other threads.
    """
    count = 0

    def look(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        count += event == "line"
        if count > most:
            pytest.fail(f"more than {most} lines of the package are run")
        return look

    def enter(frame: FrameType, event: str, argument: object) -> Any:
        module = str(frame.f_globals.get("__name__"))
        return look if module.partition(".")[0] == "hypermagnetics" else None

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        yield
    finally:
        sys.settrace(before)


@contextmanager
def hang_limit() -> Iterator[None]:
    """Fail a block of the main thread that does not end."""

    def give_up(number: int, frame: FrameType | None) -> None:
        pytest.fail(f"a program goes on after {TIMEOUT:g} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, TIMEOUT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

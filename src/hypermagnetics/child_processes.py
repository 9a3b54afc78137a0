"""Child processes: they leave Ctrl-C to the program, and end with it.

On a terminal Ctrl-C reaches all processes of a program, and each prints a traceback unless it does
something about that, which a process that still imports cannot. So children are started with SIGINT
blocked, and the main process alone handles it.

Python starts a child by a line of code, and for such a line looks into the working directory before
the standard library; a `random.py` beside the data would run. So children are told not to.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple, Protocol, TypeVar

# A fork of a process with the threads of JAX may hang.
CONTEXT = multiprocessing.get_context("spawn")
_LOST = 70
"""Exit code of a child whose parent has died."""

_SAFE_PATH = "PYTHONSAFEPATH"
"""Variable that keeps the working directory out of the path of modules."""

_Result = TypeVar("_Result")


class Submit(Protocol):
    """Hands work to a child process; the work and its result must be picklable."""

    def __call__(self, work: Callable[[], _Result], /) -> Future[_Result]:
        """Submit work; the future holds its result."""


class Ended(NamedTuple):
    """End of a script."""

    code: int | None
    """Its exit code; None if it was killed because its time was over."""
    output: str
    complaints: str
    """Text of its standard error."""


def run_script(
    script: Path, words: Sequence[str], descriptors: Sequence[int], seconds: float
) -> Ended:
    """Run a Python file that imports little as a child, and wait for it; in any thread.

    Args:
        script: The file. It sees to it itself that it ends with its parent.
        words: Its command line.
        descriptors: Open files that it inherits, under the same numbers.
        seconds: Longest time; then it is killed.

    Returns:
        Its end.
    """
    command = [sys.executable, "-P", str(script), *words]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            pass_fds=descriptors,
            start_new_session=True,  # out of the reach of Ctrl-C; it never touches the terminal
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Ended(None, "", "")
    return Ended(done.returncode, done.stdout, done.stderr)


@contextmanager
def children(
    target: Callable[..., None], arguments: Sequence[tuple[object, ...]]
) -> Iterator[list[BaseProcess]]:
    """Start children, and kill those still alive at the end of the block; for the main thread.

    Args:
        target: Function of a module, called in each child.
        arguments: Of the function, one entry per child.

    Yields:
        The processes, in the same order.
    """
    started: list[BaseProcess] = []
    try:
        with starting():
            for own in arguments:
                child = CONTEXT.Process(target=_serve, args=(target, *own))
                child.start()
                started.append(child)
        yield started
    finally:
        for process in started:
            process.kill()
        for process in started:
            process.join()


@contextmanager
def child_pool(count: int) -> Iterator[Submit]:
    """Start children on demand, and end them with the block; for the main thread.

    Work that has not begun when the block ends is dropped.

    Args:
        count: Largest number of children.

    Yields:
        Submission of work to them. It and its results raise a `BrokenProcessPool` when a child has
        died.
    """
    with starting():  # its locks start the resource tracker
        pool = ProcessPoolExecutor(count, CONTEXT, _end_with_parent)
    try:
        yield partial(_submit, pool)
    finally:
        pool.shutdown(cancel_futures=True)


def _submit(pool: ProcessPoolExecutor, work: Callable[[], _Result]) -> Future[_Result]:
    with starting():  # this is where the children are started
        return pool.submit(work)


@contextmanager
def starting() -> Iterator[None]:
    """Start processes in the block that never receive a Ctrl-C, nor look around."""
    with _safe_path(), _ctrl_c_held_back():
        yield


@contextmanager
def _safe_path() -> Iterator[None]:
    """Keep the working directory out of the path of processes that are started in the block.

    The path of this process is given to them afterwards, whatever is in it.
    """
    if _SAFE_PATH in os.environ:
        yield
        return
    os.environ[_SAFE_PATH] = "1"
    try:
        yield
    finally:
        del os.environ[_SAFE_PATH]


@contextmanager
def _ctrl_c_held_back() -> Iterator[None]:
    """Delay a Ctrl-C to the end of the block; processes started in it never receive one.

    They inherit the mask. Here another thread may still get the signal, and Python would
    raise its KeyboardInterrupt in this one.
    """
    resource_tracker.ensure_running()  # else a first child's start does that, and lifts the mask
    came: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)

    handler = signal.signal(signal.SIGINT, note)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, handler)
        if came:
            signal.raise_signal(signal.SIGINT)


def _serve(target: Callable[..., None], *arguments: Any) -> None:
    _end_with_parent()
    target(*arguments)


def _end_with_parent() -> None:
    """End this process at once when its parent has ended."""

    def watch() -> None:
        parent = multiprocessing.parent_process()
        assert parent is not None, "only runs in a child"
        parent.join()
        os._exit(_LOST)

    threading.Thread(target=watch, daemon=True).start()

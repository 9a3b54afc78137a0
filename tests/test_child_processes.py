"""Processes that a program starts: Ctrl-C is left to it, and they end with it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from faults import assert_end
from program_runs import TIMEOUT
from work_limits import hang_limit

from hypermagnetics.child_processes import CONTEXT, child_pool, children


def test_ctrl_c_does_not_reach_the_children_of_a_pool() -> None:
    """They inherit that, so it holds from their first instruction on; this process gets it."""
    with child_pool(1) as submit:
        mask = submit(partial(signal.pthread_sigmask, signal.SIG_BLOCK, ())).result()
    assert signal.SIGINT in mask
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


SIGNALLED = """
import signal
from hypermagnetics.child_processes import children

with children(signal.raise_signal, [(signal.SIGINT,)] * 2) as processes:
    for process in processes:
        process.join()
    print(*(process.exitcode for process in processes))
"""


def test_ctrl_c_does_not_end_children() -> None:
    """Not the first ones of a program either, where multiprocessing starts a process of its own."""
    program = subprocess.run(
        [sys.executable, "-c", SIGNALLED], capture_output=True, text=True, check=True
    )
    assert (program.stdout, program.stderr) == ("0 0\n", "")


def test_children_that_live_are_killed() -> None:
    """When the block ends, whatever they do."""
    with children(time.sleep, [(1e6,)]) as (process,):
        assert process.is_alive()
    assert process.exitcode == -signal.SIGKILL


@pytest.mark.parametrize("in_thread", [False, True])
def test_ctrl_c_while_children_start(monkeypatch: pytest.MonkeyPatch, in_thread: bool) -> None:
    """It comes in the middle, to whichever thread; all start whole, and all end."""
    start, started = BaseProcess.start, []

    with ThreadPoolExecutor(1) as threads:
        threads.submit(int).result()
        ctrl_c: Callable[[], object] = partial(signal.raise_signal, signal.SIGINT)

        def interrupted(process: BaseProcess) -> None:
            threads.submit(ctrl_c).result() if in_thread else ctrl_c()
            start(process)
            started.append(process)

        monkeypatch.setattr(CONTEXT.Process, "start", interrupted)
        with pytest.raises(KeyboardInterrupt), children(time.sleep, [(1e6,)] * 2):
            pytest.fail("a Ctrl-C was lost")
    assert [process.exitcode for process in started] == [-signal.SIGKILL] * 2


def test_work_that_has_not_begun_is_dropped(tmp_path: Path) -> None:
    """The only child is held until the rest is dropped, so that it cannot begin with it."""
    held, dropped = tmp_path / "held", threading.Event()
    os.mkfifo(held)

    def let_go() -> None:
        dropped.wait(timeout=TIMEOUT)  # where nothing is dropped, the test fails rather than hangs
        held.write_text("")

    def interrupted(results: list[Future[str]]) -> None:
        with child_pool(1) as submit:
            results.append(submit(partial(Path.read_text, held)))
            results.extend(submit(partial(os.getenv, "HOME", "")) for _ in range(50))
            results[-1].add_done_callback(lambda last: dropped.set())
            raise KeyboardInterrupt

    results: list[Future[str]] = []
    with ThreadPoolExecutor(1) as threads:
        releasing = threads.submit(let_go)
        with pytest.raises(KeyboardInterrupt):
            interrupted(results)
        releasing.result()
    assert not results[0].cancelled()
    assert results[-1].cancelled()


POOL = """
import os, time
from functools import partial
from hypermagnetics.child_processes import child_pool

with child_pool(2) as submit:
    print(submit(os.getpid).result(), flush=True)
    submit(partial(time.sleep, 1e6)).result()
"""
CHILDREN = """
import sys
from pathlib import Path
from hypermagnetics.child_processes import children

with children(Path.read_text, [(Path(name),) for name in sys.argv[1:]]) as processes:
    print(*(process.pid for process in processes), flush=True)
    sys.stdin.read()
"""


SCRIPTS = [(POOL, 0), (CHILDREN, 2)]
"""Programs, and the number of pipes that they are given: one for each child."""


@contextmanager
def killed_at_work(directory: Path, script: str, num_pipes: int) -> Iterator[list[int]]:
    """Kill a program once each of its children does its work.

    Args:
        directory: Its working directory; it lies below.
        script: Its text.
        num_pipes: Number of pipes, which are at no end before that of the block.

    Yields:
        The identifiers of its children.
    """
    (place := directory / "elsewhere").mkdir()
    (file := place / "program.py").write_text(
        "\n".join(["if __name__ == '__main__':", *(f"    {line}" for line in script.splitlines())])
    )
    pipes = [place / f"pipe-{number}" for number in range(num_pipes)]
    for pipe in pipes:
        os.mkfifo(pipe)
    with ExitStack() as opened:
        with subprocess.Popen(
            [sys.executable, file, *pipes],
            cwd=directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as program:
            assert program.stdout is not None
            pids = list(map(int, program.stdout.readline().split()))
            assert pids
            with hang_limit():
                for pipe in pipes:
                    opened.enter_context(pipe.open("w"))  # which waits until the child reads
            program.kill()
        yield pids


@pytest.mark.parametrize(("script", "num_pipes"), SCRIPTS)
def test_children_end_with_their_program(tmp_path: Path, script: str, num_pipes: int) -> None:
    """Killed, it cannot tell them."""
    with killed_at_work(tmp_path, script, num_pipes) as pids:
        assert_end(pids)


@pytest.mark.parametrize(("script", "num_pipes"), SCRIPTS)
def test_children_import_nothing_of_the_working_directory(
    tmp_path: Path, script: str, num_pipes: int
) -> None:
    """Python starts them by a line of code, for which it looks there first."""
    for name in ("multiprocessing", "random", "socket"):
        (tmp_path / f"{name}.py").write_text("open('ran', 'w').close()\nraise ImportError\n")
    with killed_at_work(tmp_path, script, num_pipes):
        assert not (tmp_path / "ran").exists()

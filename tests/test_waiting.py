"""Waits for threads: in any order, and ended by Ctrl-C at their worst moment."""

import ast
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest
from packaging_facts import ROOT

from hypermagnetics.waiting import as_finished

SOURCES = [
    path
    for folder in ("src/hypermagnetics", "data", "generate", "train", "evaluate")
    for path in sorted((ROOT / folder).rglob("*.py"))
]


def test_futures_come_as_they_finish() -> None:
    """Also those that had finished, failed or were cancelled before."""
    done, failed, late, cancelled = Future[int](), Future[int](), Future[int](), Future[int]()
    done.set_result(1)
    failed.set_exception(ValueError("no"))
    assert cancelled.cancel()
    found = as_finished([late, failed, cancelled, done])
    assert [next(found) for _ in range(3)] == [failed, cancelled, done]
    late.set_result(2)
    assert list(found) == [late]


@contextmanager
def interrupted_with_its_lock() -> Iterator[None]:
    """Ctrl-C comes when another thread has woken the main one, and holds the lock of that."""
    notify, main, came = threading.Condition.notify_all, threading.main_thread().ident, []

    def interrupt(*_: object) -> None:
        came.append(True)
        raise KeyboardInterrupt

    def notify_all(lock: threading.Condition) -> None:
        notify(lock)
        if came or main is None or threading.get_ident() == main:
            return
        for _ in range(100):
            if sys._current_frames()[main].f_code.co_name == "_acquire_restore":
                break
            time.sleep(0.001)
        signal.pthread_kill(main, signal.SIGINT)
        while not came:
            time.sleep(0.001)

    before = signal.signal(signal.SIGINT, interrupt)
    with patch.object(threading.Condition, "notify_all", notify_all):
        yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_leaves_the_locks_of_threads_alone() -> None:
    """`as_completed` of the standard library would release one, and the thread would fail."""
    future, begin, errors = Future[int](), threading.Lock(), list[BaseException]()

    def work() -> None:
        try:
            with begin:
                future.set_result(4)
        except RuntimeError as error:
            errors.append(error)

    def wait() -> None:
        begin.release()
        next(as_finished([future]))

    begin.acquire()
    thread = threading.Thread(target=work)
    thread.start()
    with interrupted_with_its_lock(), pytest.raises(KeyboardInterrupt):
        wait()
    thread.join()
    assert errors == []
    assert future.result() == 4


def waits(path: Path) -> list[str]:
    """Names of the standard library by which a file waits for events of threads."""
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.ImportFrom(module="concurrent.futures", names=names):
                found += [each.name for each in names if each.name in ("wait", "as_completed")]
            case ast.Attribute(value=ast.Name(id="queue"), attr=attr) if attr != "SimpleQueue":
                found += [attr] if attr.endswith("Queue") else []
            case ast.Call(ast.Attribute(attr="wait")):
                found.append(ast.unparse(node.func))
    return found


def test_nothing_waits_for_events() -> None:
    """Anything else that is called `wait` is named here."""
    found = {str(path.relative_to(ROOT)): waits(path) for path in SOURCES}
    assert {path: each for path, each in found.items() if each} == {
        "train/sweep/trial.py": ["process.wait"]
    }

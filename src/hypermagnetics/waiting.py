"""Waits for the work of threads and child processes that Ctrl-C may end at any moment.

Events, a `queue.Queue`, and so `wait` and `as_completed` of `concurrent.futures`, wait by a
`threading.Condition`, which takes its lock back when it is woken. Where Ctrl-C comes in that moment
the lock is not taken, and is released all the same: under the hands of the thread that holds it.
That thread then fails with "release unlocked lock", and says so in a traceback beside the one line
of the program. A `queue.SimpleQueue` waits in one step, and `Future.result` by another lock.
"""

import queue
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from typing import TypeVar

_Result = TypeVar("_Result")


def as_finished(futures: Iterable[Future[_Result]]) -> Iterator[Future[_Result]]:
    """Futures in the order in which they finish.

    Args:
        futures: Work that was submitted.

    Yields:
        Each of them once it has a result, an error, or was cancelled.
    """
    done: queue.SimpleQueue[Future[_Result]] = queue.SimpleQueue()
    count = 0
    for future in futures:
        future.add_done_callback(done.put)
        count += 1
    for _ in range(count):
        yield done.get()

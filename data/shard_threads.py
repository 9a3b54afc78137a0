"""Threads that work on shards, and stop together."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def shard_threads(
    count: int, give_up: Callable[[], None] = lambda: None
) -> Iterator[ThreadPoolExecutor]:
    """Thread pool for the work submitted in a block.

    A block that ends with an error or Ctrl-C, at any place, drops the work that has not begun. Else
    its end waits for all work.

    Args:
        count: Number of threads.
        give_up: Called when the block ends with an error, before the work that has begun is waited
            for.

    Yields:
        The threads.
    """
    pool = ThreadPoolExecutor(count, "shard")
    try:
        yield pool
    except BaseException:
        give_up()
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()

"""Threads that work on shards, and stop together."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from hypermagnetics.machine import memory_bytes, num_cores

_BYTES_PER_CORE = 3e8
"""Largest bytes of all blocks at a time, for each core."""

_SHARE_OF_MEMORY = 1 / 8
"""Largest share of the memory that they take, however many cores there are."""


def num_threads() -> int:
    """Number of threads, each with a shard of its own.

    Computing, writing and hashing release the interpreter, so one more than the cores keep all of
    them busy; more only take memory.
    """
    return num_cores() + 1


def blocks_at_once(block_bytes: int) -> int:
    """Number of blocks of that size, at least one, that may be in memory at a time."""
    most = min(num_cores() * _BYTES_PER_CORE, memory_bytes() * _SHARE_OF_MEMORY)
    return max(int(most / block_bytes), 1)


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

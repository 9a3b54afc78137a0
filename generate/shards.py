"""Making one shard: its blocks are computed a few ahead of their writing."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from hypermagnetics.data import AnyBlock, Shard, ShardRecord, blocks_at_once, write_shard
from hypermagnetics.data.destination import Destination
from hypermagnetics.generate.any_plan import Plan

_BLOCKS_AHEAD = 2
"""Blocks dispatched before the oldest is written: dispatch returns at once, so the device computes
while the host writes, and no more than these wait in memory."""


class Pace(NamedTuple):
    """Numbers of shards and blocks made at the same time."""

    shards_at_once: int
    blocks_ahead: int


def pace(plan: Plan, wanted: int) -> Pace:
    """Choose the numbers of shards, and of blocks of each, made at once in bounded memory.

    Args:
        plan: Plan of the dataset.
        wanted: Number of threads or workers, each for a shard.

    Returns:
        At most that many shards, at least one.
    """
    largest = max(layout.block_bytes for layout in plan.layouts.values())
    blocks = blocks_at_once(largest)
    shards = max(min(wanted, blocks), 1)
    return Pace(shards, min(_BLOCKS_AHEAD, blocks // shards - 1))


def make_shard(
    plan: Plan,
    destination: Destination,
    split: str,
    shard: Shard,
    blocks_ahead: int,
    written: Callable[[int], None],
) -> ShardRecord:
    """Compute and write one shard.

    Args:
        plan: Plan of the dataset.
        destination: Where the dataset is made.
        split: Name of the split.
        shard: Number of the shard.
        blocks_ahead: Blocks computed before the oldest is written.
        written: Called with the number of samples of each block written. If it raises, no trace of
            the shard is left.

    Returns:
        Entry of the shard in the journal.
    """
    with write_shard(destination, plan.identity, split, shard) as sink:
        for block in _blocks(plan, split, shard, blocks_ahead):
            sink.append(block)
            written(block.num_samples)
    return sink.record


def _blocks(plan: Plan, split: str, shard: Shard, ahead: int) -> Iterator[AnyBlock]:
    """The blocks of a shard in order, computed a few ahead of the reader."""
    started: deque[Callable[[], AnyBlock]] = deque()
    for index in range(shard.first_block, shard.first_block + shard.num_blocks):
        started.append(plan.start_block(split, index))
        if len(started) > ahead:
            yield started.popleft()()
    while started:
        yield started.popleft()()

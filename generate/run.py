"""Making a dataset: the device computes the next blocks while the one before is written."""

import shutil
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from hypermagnetics.data import Block, DatasetWriter, Manifest, Shard, SplitLayout
from hypermagnetics.errors import HypermagneticsError
from hypermagnetics.generate.labels import start_block
from hypermagnetics.generate.plan import Plan
from hypermagnetics.log import in_bytes

_BLOCKS_AHEAD = 3
"""Blocks dispatched before the oldest is written: dispatch returns at once, so the device computes
while the host writes, and no more than these wait in memory."""

_OVERHEAD = 1.02
"""Files take this much more than their values: indices, padding of the last block, metadata."""


def generate(plan: Plan, directory: Path, advance: Callable[[int], None]) -> Manifest:
    """Make a dataset, or complete an unfinished one.

    Args:
        plan: What to make.
        directory: Where.
        advance: Called with the number of samples of each block written, or found written.

    Returns:
        The manifest of the finished dataset.

    Raises:
        DatasetError: If something else is at `directory`.
        LabelError: If a label is not finite.
        HypermagneticsError: If the disk has no room for it.
    """
    with DatasetWriter.open(directory, plan.identity) as writer:
        missing = [(split, shard) for split, shard in plan.shards() if not writer.has(split, shard)]
        _refuse_too_little_space(plan, directory, missing)
        advance(plan.num_samples - sum(shard.num_samples for _, shard in missing))
        for split, layout in plan.identity.splits.items():
            shards = [shard for name, shard in missing if name == split]
            blocks = _blocks_of(plan, split, layout, shards)
            for shard in shards:
                with writer.shard(split, shard) as sink:
                    for block in islice(blocks, shard.num_blocks):
                        sink.append(block)
                        advance(len(block.potential))
        return writer.finish()


def _blocks_of(plan: Plan, split: str, layout: SplitLayout, shards: list[Shard]) -> Iterator[Block]:
    """The blocks of some shards in order, computed a few ahead of the reader."""
    started: deque[Callable[[], Block]] = deque()
    for shard in shards:
        for index in range(shard.first_block, shard.first_block + shard.num_blocks):
            started.append(start_block(plan.recipe, split, layout, index))
            if len(started) > _BLOCKS_AHEAD:
                yield started.popleft()()
    while started:
        yield started.popleft()()


def _refuse_too_little_space(plan: Plan, directory: Path, missing: list[tuple[str, Shard]]) -> None:
    layouts = plan.identity.splits
    needed = _OVERHEAD * sum(
        layouts[split].num_bytes * shard.num_samples / layouts[split].num_samples
        for split, shard in missing
    )
    free = shutil.disk_usage(directory).free
    if needed > free:
        raise HypermagneticsError(
            f"The disk must have {in_bytes(needed)} free; got {in_bytes(free)} ({directory}). "
            "Free some space, choose another OUT, or make fewer samples."
        )

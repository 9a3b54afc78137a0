"""Making a dataset: a few shards at a time, each computed some blocks ahead of its writing."""

import shutil
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from hypermagnetics.data import Block, DatasetWriter, Manifest, Shard
from hypermagnetics.errors import HypermagneticsError, InterruptedRunError
from hypermagnetics.generate.labels import start_block
from hypermagnetics.generate.plan import Plan
from hypermagnetics.log import in_bytes

_SHARDS_AT_ONCE = 3
"""Threads, each with a shard of its own. Computing, writing and hashing release the interpreter, so
three keep two cores busy; more only take memory."""

_BLOCKS_AHEAD = 2
"""Blocks dispatched before the oldest is written: dispatch returns at once, so the device computes
while the host writes, and no more than these wait in memory."""

_MEMORY = 6e8
"""Bytes of all blocks that are being made or written; large blocks are made fewer at a time."""

_OVERHEAD = 1.02
"""Files take this much more than their values: indices, metadata."""


def generate(plan: Plan, directory: Path, advance: Callable[[int], None]) -> tuple[Manifest, int]:
    """Make a dataset, or complete an unfinished one.

    Args:
        plan: What to make.
        directory: Where.
        advance: Called with the number of samples of each block written, or found written.

    Returns:
        The manifest of the finished dataset, and how many samples this call made.

    Raises:
        DatasetError: If something else is at `directory`.
        LabelError: If a label is not finite.
        HypermagneticsError: If the disk has no room for it.
    """
    with DatasetWriter.open(directory, plan.identity) as writer:
        missing = [(split, shard) for split, shard in plan.shards() if not writer.has(split, shard)]
        _refuse_too_little_space(plan, directory, missing)
        num_made = sum(shard.num_samples for _, shard in missing)
        advance(plan.num_samples - num_made)
        work = _Work(plan, writer, advance)
        with ThreadPoolExecutor(work.shards_at_once, "shard") as pool:
            tasks = [pool.submit(writer.write_metadata)]
            tasks += [pool.submit(work.make_shard, split, shard) for split, shard in missing]
            try:
                for task in as_completed(tasks):
                    task.result()
            except BaseException:
                work.stop.set()
                pool.shutdown(cancel_futures=True)
                raise
        return writer.finish(), num_made


class _Work:
    """Makes shards, several at a time."""

    def __init__(self, plan: Plan, writer: DatasetWriter, advance: Callable[[int], None]) -> None:
        self._plan, self._writer = plan, writer
        self._advance, self._lock = advance, threading.Lock()
        self.stop = threading.Event()
        largest = max(
            layout.num_bytes / layout.num_samples * layout.samples_per_grid
            for layout in plan.identity.splits.values()
        )
        blocks = max(int(_MEMORY / largest), 1)
        self.shards_at_once = min(_SHARDS_AT_ONCE, blocks)
        self._blocks_ahead = min(_BLOCKS_AHEAD, blocks // self.shards_at_once - 1)

    def make_shard(self, split: str, shard: Shard) -> None:
        """Compute and write one shard, or leave no trace of it when `stop` is set meanwhile."""
        with self._writer.shard(split, shard) as sink:
            for block in self._blocks(split, shard):
                sink.append(block)
                if self.stop.is_set():
                    raise InterruptedRunError(f"Shard {shard.number} of {split} was given up.")
                with self._lock:
                    self._advance(len(block.potential))

    def _blocks(self, split: str, shard: Shard) -> Iterator[Block]:
        """The blocks of a shard in order, computed a few ahead of the reader."""
        started: deque[Callable[[], Block]] = deque()
        for index in range(shard.first_block, shard.first_block + shard.num_blocks):
            started.append(start_block(self._plan, split, index))
            if len(started) > self._blocks_ahead:
                yield started.popleft()()
        while started:
            yield started.popleft()()


def _refuse_too_little_space(plan: Plan, directory: Path, missing: list[tuple[str, Shard]]) -> None:
    layouts = plan.identity.splits
    # The last block of a split is stored whole.
    needed = _OVERHEAD * sum(
        layouts[split].num_bytes
        / layouts[split].num_samples
        * layouts[split].samples_per_grid
        * shard.num_blocks
        for split, shard in missing
    )
    free = shutil.disk_usage(directory).free
    if needed > free:
        raise HypermagneticsError(
            f"The disk must have {in_bytes(needed)} free; got {in_bytes(free)} ({directory}). "
            "Free some space, choose another OUT, or make fewer samples."
        )

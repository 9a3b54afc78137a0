"""Making a dataset: several shards at a time, by threads of this process or by worker processes."""

import shutil
import threading
from collections.abc import Callable
from concurrent.futures import as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hypermagnetics.data import (
    DatasetWriter,
    Manifest,
    Shard,
    ShardRecord,
    num_threads,
    shard_threads,
)
from hypermagnetics.device_failures import device_failures_named
from hypermagnetics.errors import HypermagneticsError, InterruptedRunError
from hypermagnetics.generate.any_plan import Plan
from hypermagnetics.generate.shards import make_shard, pace
from hypermagnetics.generate.workers import start_workers
from hypermagnetics.log import SILENT, Listener, in_bytes

_AGAIN = "Once it is there again, give the same command: finished shards are kept"

_OVERHEAD = 1.02
"""Ratio of the size of files to that of their values, with indices and metadata."""


@dataclass(frozen=True)
class Processes:
    """Worker processes instead of threads."""

    count: int
    prepare: Callable[[], None]
    """Called first in each process; must be picklable."""


def generate(
    plan: Plan, directory: Path, listener: Listener = SILENT, processes: Processes | None = None
) -> tuple[Manifest, int]:
    """Make a dataset, or complete an unfinished one.

    Args:
        plan: Plan of the dataset.
        directory: Where.
        listener: Receives the number of samples of each block written, or found written.
        processes: Worker processes that make the shards; None for threads of this process.

    Returns:
        The manifest of the finished dataset, and how many samples this call made.

    Raises:
        DatasetError: If something else is at `directory`.
        LabelError: If a label is not finite.
        HypermagneticsError: If the disk has no room for it, or a worker process died.
        DeviceError: If the memory of the device is full, or it does not answer any more.
    """
    with (
        device_failures_named("A block of labels", plan.less_memory, _AGAIN),
        DatasetWriter.open(directory, plan.identity, listener) as writer,
    ):
        missing = [(split, shard) for split, shard in plan.shards() if not writer.has(split, shard)]
        _refuse_too_little_space(plan, directory, missing)
        num_made = sum(shard.num_samples for _, shard in missing)
        listener.skip(plan.num_samples - num_made)
        _make(plan, directory, writer, missing, listener, processes)
        return writer.finish(plan.discretisation()), num_made


_Make = Callable[[str, Shard], ShardRecord]


def _make(
    plan: Plan,
    directory: Path,
    writer: DatasetWriter,
    missing: list[tuple[str, Shard]],
    listener: Listener,
    processes: Processes | None,
) -> None:
    """Make and record all missing shards."""
    hands = max(min(processes.count if processes else num_threads(), len(missing)), 1)
    at_once, ahead = pace(plan, hands)
    stop, lock = threading.Event(), threading.Lock()

    def written(count: int) -> None:
        if stop.is_set():
            raise InterruptedRunError("The shard was given up, as another one failed.")
        with lock:
            listener.advance(count)

    def make_here(split: str, shard: Shard) -> ShardRecord:
        return make_shard(plan, directory, split, shard, ahead, written)

    with ExitStack() as stack:
        make: _Make = make_here
        give_up = ExitStack()
        give_up.callback(stop.set)
        if processes:
            workers = stack.enter_context(
                start_workers(plan, directory, at_once, ahead, writer.lock, processes.prepare)
            )
            make = partial(workers.make_shard, written=written)
            give_up.callback(workers.give_up)

        def record(split: str, shard: Shard) -> None:
            writer.add(make(split, shard))

        pool = stack.enter_context(shard_threads(at_once, give_up.close))
        tasks = [pool.submit(writer.write_metadata)]
        tasks += [pool.submit(record, split, shard) for split, shard in missing]
        for task in as_completed(tasks):
            task.result()


def _refuse_too_little_space(plan: Plan, directory: Path, missing: list[tuple[str, Shard]]) -> None:
    layouts = plan.layouts
    # The last block of a split is stored whole.
    needed = _OVERHEAD * sum(
        layouts[split].block_bytes * shard.num_blocks for split, shard in missing
    )
    free = shutil.disk_usage(directory).free
    if needed > free:
        raise HypermagneticsError(
            f"The disk must have {in_bytes(needed)} free; got {in_bytes(free)} ({directory}). "
            "Free some space, choose another directory (OUT), or make fewer samples."
        )

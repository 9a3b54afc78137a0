"""Making a dataset: several shards at a time, and the manifest last."""

import shutil
from contextlib import closing
from pathlib import Path

from hypermagnetics.data import DatasetWriter, Manifest, Shard
from hypermagnetics.data.destination import Destination
from hypermagnetics.data.in_directory import InDirectory
from hypermagnetics.device_failures import device_failures_named
from hypermagnetics.errors import HypermagneticsError
from hypermagnetics.generate.any_plan import Plan
from hypermagnetics.generate.makers import Makers, Task, Threads
from hypermagnetics.log import SILENT, Listener, in_bytes

_AGAIN = "Once it is there again, give the same command: finished shards are kept"

_THREADS = Threads()

_OVERHEAD = 1.02
"""Ratio of the size of files to that of their values, with indices and metadata."""


def generate(
    plan: Plan, where: Path | str, listener: Listener = SILENT, makers: Makers = _THREADS
) -> tuple[Manifest, int]:
    """Make a dataset, or complete an unfinished one.

    Args:
        plan: Plan of the dataset.
        where: Directory of the dataset, or its URL in an object store.
        listener: Receives the number of samples of each block written, or found written.
        makers: Makers of the shards; threads of this process unless given.

    Returns:
        The manifest of the finished dataset, and how many samples this call made.

    Raises:
        DatasetError: If something else is there.
        LabelError: If a label is not finite.
        HypermagneticsError: If the disk has no room for it, a worker process died, or the
            cluster does not answer.
        DeviceError: If the memory of the device is full, or it does not answer any more.
    """
    with (
        device_failures_named("A block of labels", lambda _: plan.less_memory, _AGAIN),
        DatasetWriter.open(where, plan.identity, listener) as writer,
    ):
        missing = [(split, shard) for split, shard in plan.shards() if not writer.has(split, shard)]
        _refuse_too_little_space(plan, writer.destination, missing)
        num_made = sum(shard.num_samples for _, shard in missing)
        listener.skip(plan.num_samples - num_made)
        writer.write_metadata()
        task = Task(plan, writer.destination, missing, writer.lock, listener)
        with closing(makers.records(task)) as records:
            for record in records:
                writer.add(record)
        return writer.finish(plan.discretisation()), num_made


def _refuse_too_little_space(
    plan: Plan, destination: Destination, missing: list[tuple[str, Shard]]
) -> None:
    if not isinstance(destination, InDirectory):  # a store has room, and each maker looks for its
        return
    directory, layouts = destination.directory, plan.layouts
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

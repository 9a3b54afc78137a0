"""Makers of the shards of a dataset: threads of this process, worker processes, or a cluster."""

import gc
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import Protocol, runtime_checkable

from hypermagnetics.cluster import Workers, open_cluster, parse_cluster
from hypermagnetics.data import Shard, ShardRecord, num_threads, shard_threads
from hypermagnetics.data.destination import Destination
from hypermagnetics.errors import DatasetError, HypermagneticsError, InterruptedRunError
from hypermagnetics.generate.any_plan import Plan, software
from hypermagnetics.generate.shards import make_shard, pace
from hypermagnetics.generate.workers import start_workers
from hypermagnetics.jax_setup import keep_to_cpu
from hypermagnetics.log import Listener
from hypermagnetics.machine import Platform
from hypermagnetics.waiting import as_finished

_SECONDS_TO_BE_SEEN = 60
"""Longest time that a network file system, as NFS by default, shows an old state of a directory."""

_Written = Callable[[int], None]
"""Called with the number of samples of each block written."""


@dataclass(frozen=True)
class Task:
    """Shards that a dataset lacks."""

    plan: Plan
    destination: Destination
    missing: list[tuple[str, Shard]]
    lock: int | None
    """Descriptor of the file that carries the lock of the dataset; None without locks."""
    listener: Listener


@runtime_checkable
class Makers(Protocol):
    """Make the shards of a dataset, in any order."""

    def records(self, task: Task) -> Generator[ShardRecord, None, None]:
        """Make the missing shards.

        Args:
            task: The shards; its listener receives numbers of samples as they are written.

        Yields:
            The record of each shard, once it is entered in the journal.
        """


@dataclass(frozen=True)
class Threads:
    """Threads of this process, as many as suit its cores."""

    def records(self, task: Task) -> Generator[ShardRecord, None, None]:
        """See `Makers`."""
        plan, destination = task.plan, task.destination
        at_once, ahead = pace(plan, min(num_threads(), len(task.missing)))

        def make(split: str, shard: Shard, written: _Written) -> ShardRecord:
            return make_shard(plan, destination, split, shard, ahead, written)

        yield from _by_threads(task, at_once, make)


@dataclass(frozen=True)
class Processes:
    """Worker processes on this machine."""

    count: int
    prepare: Callable[[], None]
    """Called first in each process; must be picklable."""

    def records(self, task: Task) -> Generator[ShardRecord, None, None]:
        """See `Makers`."""
        at_once, ahead = pace(task.plan, min(self.count, len(task.missing)))
        with start_workers(
            task.plan, task.destination, at_once, ahead, task.lock, self.prepare
        ) as workers:
            yield from _by_threads(task, at_once, workers.make_shard, workers.give_up)


@dataclass(frozen=True)
class OnCluster:
    """Workers of a cluster, on this machine or on others that see the same files or store.

    They hold no lock, as locks reach one machine: a shard may be made twice, with the same bytes.
    """

    workers: Workers

    def records(self, task: Task) -> Generator[ShardRecord, None, None]:
        """See `Makers`."""
        # A worker may run elsewhere, and must find the same place.
        made = partial(_make, task.plan, task.destination.absolute())
        sizes = {(split, shard.number): shard.num_samples for split, shard in task.missing}
        for record in self.workers.results(made, sizes):
            _refuse_unseen(task.destination, record)
            task.listener.advance(sizes[record.split, record.index])
            yield record


@contextmanager
def open_makers(
    workers: int, cluster: str | None, device: Platform, prepare: Callable[[], None]
) -> Iterator[Makers]:
    """Choose the makers by the options of hm-generate, and join the cluster, if there is one.

    Args:
        workers: Number of worker processes; 1 for threads.
        cluster: Text of `--cluster`, if it is given.
        device: Where labels are computed.
        prepare: Called first in each worker process; must be picklable.

    Yields:
        The makers; a cluster that was started for them ends with the block.

    Raises:
        HypermagneticsError: If the options contradict each other, or there is no such cluster.
    """
    if cluster is None:
        yield Processes(workers, prepare) if workers > 1 else Threads()
        return
    if workers > 1:
        raise HypermagneticsError(
            "Shards must be made by workers of this machine or of a cluster; got both (--workers, "
            f"--cluster). Leave one out, or write --cluster local:{workers}."
        )
    if device != "cpu":
        raise HypermagneticsError(
            "Labels must be computed on CPUs by the workers of a cluster, whose bytes are the same "
            f"everywhere; got {device} (--device, --cluster). Leave one out."
        )
    with open_cluster(parse_cluster(cluster)) as joined:
        yield OnCluster(joined)


def _make(plan: Plan, destination: Destination, place: tuple[str, int]) -> ShardRecord:
    """Make a shard in a worker of a cluster."""
    _prepare()
    if (found := software()) != plan.identity.software:
        raise HypermagneticsError(
            "A worker must have the software of the program that asks it, as both decide the "
            f"bytes; got {_difference(found, plan.identity.software)}. Install the same versions."
        )
    # Without it this is another machine's disk, or the dataset was finished by others meanwhile.
    if not destination.has(destination.mark):
        raise DatasetError(
            "A worker of a cluster must see the unfinished dataset under the same path; got no "
            f"{destination.mark} there ({destination}). Choose a place (OUT) that all machines "
            "share."
        )
    split, number = place
    shard = plan.layouts[split].shard(number)
    return make_shard(plan, destination, split, shard, pace(plan, 1).blocks_ahead, lambda _: None)


@cache
def _prepare() -> None:
    """Prepare a process of a cluster, once."""
    keep_to_cpu()
    gc.freeze()  # as of worker processes: what the imports made never becomes garbage


def _difference(found: dict[str, str], wanted: dict[str, str]) -> str:
    name = next(name for name in wanted if found.get(name) != wanted[name])
    return f"{name} {found.get(name)} on the worker and {wanted[name]} here"


def _refuse_unseen(destination: Destination, record: ShardRecord) -> None:
    start = time.monotonic()
    for entry in record.files:
        while not destination.has_whole(entry):
            if time.monotonic() - start > _SECONDS_TO_BE_SEEN:
                raise DatasetError(
                    "The files of a worker of a cluster must be seen here; got no whole "
                    f"{entry.path} {_SECONDS_TO_BE_SEEN} s after it was made ({destination}). "
                    "Choose a place (OUT) that all machines share."
                )
            time.sleep(0.1)


def _by_threads(
    task: Task,
    at_once: int,
    make: Callable[[str, Shard, _Written], ShardRecord],
    give_up: Callable[[], None] = lambda: None,
) -> Generator[ShardRecord, None, None]:
    """Let threads make shards, or wait for those who make them."""
    stop, lock = threading.Event(), threading.Lock()

    def written(count: int) -> None:
        if stop.is_set():
            raise InterruptedRunError("The shard was given up, as another one failed.")
        with lock:
            task.listener.advance(count)

    def end() -> None:
        give_up()
        stop.set()

    with shard_threads(at_once, end) as pool:
        shards = [pool.submit(make, split, shard, written) for split, shard in task.missing]
        for done in as_finished(shards):
            yield done.result()

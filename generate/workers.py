"""Processes that make shards, each with an interpreter and a device of its own.

A worker holds the lock of the dataset too, so that what it writes is never written by another
program: if the main process is killed, its workers end, and only then is the lock free.
"""

import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import connection, reduction
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple

from hypermagnetics.child_processes import CONTEXT, children
from hypermagnetics.data import Shard, ShardRecord
from hypermagnetics.data.destination import Destination
from hypermagnetics.errors import HypermagneticsError, InterruptedRunError
from hypermagnetics.generate.any_plan import Plan
from hypermagnetics.generate.shards import make_shard

_SECONDS_TO_END = 30.0


class _Worker(NamedTuple):
    process: BaseProcess
    pipe: connection.Connection
    """Pipe for (split, number of the shard) or None, and back: numbers of samples, the result."""


class _Lock(NamedTuple):
    """A descriptor duplicated into a spawned process."""

    descriptor: int

    def __reduce__(self) -> tuple[Callable[..., int], tuple[object]]:
        return _adopt, (reduction.DupFd(self.descriptor),)


class Workers:
    """Several processes, each of which makes one shard at a time."""

    def __init__(self, workers: list[_Worker]) -> None:
        """Use `start_workers`."""
        self._workers = workers
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        for worker in workers:
            self._idle.put(worker)
        self._given_up = threading.Event()

    def make_shard(self, split: str, shard: Shard, written: Callable[[int], None]) -> ShardRecord:
        """Make a shard in an idle worker; to be called by as many threads as there are workers.

        Args:
            split: Name of the split.
            shard: Number of the shard.
            written: Called with the number of samples of each block written.

        Returns:
            Entry of the shard in the journal.

        Raises:
            HypermagneticsError: If the worker died; the message has its exit code.
        """
        worker = self._idle.get()
        try:
            worker.pipe.send((split, shard.number))
            while isinstance(answer := worker.pipe.recv(), int):
                written(answer)
        except (EOFError, BrokenPipeError, ConnectionResetError) as error:
            if self._given_up.is_set():
                raise InterruptedRunError(f"Shard {shard.number} of {split} given up.") from error
            raise HypermagneticsError(
                f"A worker must run until its shard is made; got {_exit(worker.process)} (shard "
                f"{shard.number} of split {split!r}). Repeat the command or call, with fewer "
                "workers if memory ran out: finished shards are kept."
            ) from error
        finally:
            self._idle.put(worker)  # a dead one too, or the next thread would wait for ever
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, ShardRecord), "workers send nothing else"
        return answer

    def finish(self) -> None:
        """End the idle workers, and check their exit codes.

        Raises:
            HypermagneticsError: If one did not end as it should.
        """
        for worker in self._workers:
            worker.pipe.send(None)
        for worker in self._workers:
            worker.process.join(_SECONDS_TO_END)
            if worker.process.exitcode != 0:
                raise HypermagneticsError(
                    f"A worker must end with exit code 0; got {_exit(worker.process)}. Repeat the "
                    "command or call: finished shards are kept."
                )

    def give_up(self) -> None:
        """End the workers at once; unfinished shards leave no trace that counts."""
        self._given_up.set()
        for worker in self._workers:
            worker.process.kill()


@contextmanager
def start_workers(
    plan: Plan,
    destination: Destination,
    count: int,
    blocks_ahead: int,
    lock: int | None,
    prepare: Callable[[], None],
) -> Iterator[Workers]:
    """Start processes, and end them when the block ends.

    Args:
        plan: Plan of the dataset.
        destination: Where the dataset is made.
        count: Number of processes.
        blocks_ahead: Blocks of a shard computed before the oldest is written.
        lock: Descriptor of the file that carries the lock of the dataset; None without locks.
        prepare: Called in each process first; must be picklable.

    Yields:
        The workers.
    """
    pipes = [CONTEXT.Pipe() for _ in range(count)]
    held = None if lock is None else _Lock(lock)
    arguments = [(pipe, plan, destination, blocks_ahead, held, prepare) for _, pipe in pipes]
    with children(_serve, arguments) as processes:
        for _, theirs in pipes:
            theirs.close()  # so that its end is seen when the worker dies
        workers = Workers(
            [_Worker(process, ours) for process, (ours, _) in zip(processes, pipes, strict=True)]
        )
        yield workers
        workers.finish()


def _serve(
    pipe: connection.Connection,
    plan: Plan,
    destination: Destination,
    blocks_ahead: int,
    lock: int | None,
    prepare: Callable[[], None],
) -> None:
    """Serve as a worker: make the requested shards until there are none."""
    if lock is not None:
        os.set_inheritable(lock, False)
    prepare()
    while (task := pipe.recv()) is not None:
        split, number = task
        shard = plan.layouts[split].shard(number)
        try:
            answer: ShardRecord | Exception = make_shard(
                plan, destination, split, shard, blocks_ahead, pipe.send
            )
        except (HypermagneticsError, OSError) as error:
            answer = error
        pipe.send(answer)


def _adopt(duplicate: Any) -> int:
    descriptor: int = duplicate.detach()
    return descriptor


def _exit(process: BaseProcess) -> str:
    """Exit of a process, as text."""
    process.join(_SECONDS_TO_END)
    code = process.exitcode
    if code is None:
        return "one that does not answer"
    return f"exit code {code}" + (f" ({signal.Signals(-code).name})" if code < 0 else "")

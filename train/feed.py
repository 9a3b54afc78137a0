"""Batches on the device, read ahead by a thread."""

import queue
import threading
import time
from types import TracebackType

import jax

from hypermagnetics.data import Batch, BatchSchedule, Split, read_batch
from hypermagnetics.train.objective import DeviceBatch

_BATCHES_AHEAD = 2


class Feed:
    """The batches of consecutive steps, in order.

    A thread reads the mapped files and hands the arrays to the device while the step before runs.
    `wait_seconds` is how long `next` has waited for it: time in which the device may have idled.
    """

    def __init__(self, split: Split, schedule: BatchSchedule, first_step: int) -> None:
        """Begin to read when the `with` block is entered.

        Args:
            split: Where from.
            schedule: Which blocks and points belong to a step.
            first_step: The step that `next` returns first.
        """
        self._split, self._schedule, self._step = split, schedule, first_step
        self._ready: queue.Queue[DeviceBatch | BaseException] = queue.Queue(_BATCHES_AHEAD)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, name="feed", daemon=True)
        self.wait_seconds = 0.0

    def __enter__(self) -> "Feed":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        while self._thread.is_alive():
            try:  # make room, in case the thread waits to put its last batch
                self._ready.get(timeout=0.01)
            except queue.Empty:
                continue

    def next(self) -> DeviceBatch:
        """The next batch; an error of the reading thread is raised here."""
        start = time.perf_counter()
        batch = self._ready.get()
        self.wait_seconds += time.perf_counter() - start
        if isinstance(batch, BaseException):
            raise batch
        return batch

    def _read(self) -> None:
        try:
            while not self._stop.is_set():
                self._ready.put(self._device_batch(self._step))
                self._step += 1
        except BaseException as error:
            self._ready.put(error)

    def _device_batch(self, step: int) -> DeviceBatch:
        batch = read_batch(self._split, self._schedule.blocks(step), self._schedule.points(step))
        return on_device(batch)


def on_device(batch: Batch) -> DeviceBatch:
    """Hand the arrays of a batch to the default device."""
    return DeviceBatch(
        *jax.device_put(
            (batch.sources, batch.num_samples, batch.grid, batch.potential, batch.field)
        )
    )

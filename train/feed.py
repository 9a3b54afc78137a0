"""Feeds of batches: read ahead from files by a thread, or cut from a split on the device.

Both give the same values for the same step.
"""

import queue
import threading
import time
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Literal, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

from hypermagnetics.data import BatchSchedule, Split, read_batch
from hypermagnetics.errors import RunError
from hypermagnetics.log import in_bytes
from hypermagnetics.machine import memory_bytes
from hypermagnetics.train.config import DataConfig
from hypermagnetics.train.devices import DeviceBatch, Devices

Placement = Literal["device", "stream"]
"""Place of the training split: on the device, or in mapped files."""

_BATCHES_AHEAD = 2
"""Batches on the device, or on their way to it, while a step runs."""

_HINT_STEPS = 8
"""Number of steps of read-ahead hints to the operating system."""


@runtime_checkable
class Feed(Protocol):
    """The batches of consecutive steps, in order."""

    wait_seconds: float
    """Time spent waiting in `next`, in which the device may have idled."""

    def __enter__(self) -> "Feed": ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def next(self) -> DeviceBatch:
        """The next batch."""


class StreamFeed:
    """The batches of consecutive steps, in order.

    A thread reads the mapped files and hands the arrays to the device while the step before runs.
    """

    def __init__(
        self, split: Split, schedule: BatchSchedule, first_step: int, devices: Devices
    ) -> None:
        """Start to read when the `with` block is entered.

        Args:
            split: Split that is read.
            schedule: Blocks and points of each step.
            first_step: The step that `next` returns first.
            devices: Devices of the batches.
        """
        self._split, self._schedule, self._step = split, schedule, first_step
        self._devices = devices
        self._ready: queue.Queue[DeviceBatch | BaseException] = queue.Queue(_BATCHES_AHEAD)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, name="feed", daemon=True)
        self.wait_seconds = 0.0

    def __enter__(self) -> "StreamFeed":
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
        later = self._schedule.blocks(step + _HINT_STEPS)
        self._split.will_need([block for block in later if block is not None])
        batch = read_batch(self._split, self._schedule.blocks(step), self._schedule.points(step))
        return self._devices.take(batch)


class DeviceFeed:
    """The batches of consecutive steps, cut on the device from a resident split."""

    def __init__(
        self, split: Split, schedule: BatchSchedule, first_step: int, devices: Devices
    ) -> None:
        """Copy the split to the devices when the `with` block is entered.

        Args:
            split: Split that is read.
            schedule: Blocks and points of each step.
            first_step: The step that `next` returns first.
            devices: Devices of the split; each holds its share of the samples of every block.
        """
        self._split, self._schedule, self._step = split, schedule, first_step
        self._devices = devices
        self._held: DeviceBatch | None = None
        self.wait_seconds = 0.0

    def __enter__(self) -> "DeviceFeed":
        blocks = self._split.layout.num_blocks
        # One more, which stays zero: an empty block.
        held = self._zeros(self._devices.take(read_batch(self._split, (0,))), blocks + 1)
        for block in range(blocks):
            batch = self._devices.take(read_batch(self._split, (block,)))
            held = _put(held, batch, jnp.asarray(block))
        self._held = jax.block_until_ready(held)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._held = None

    def next(self) -> DeviceBatch:
        """The next batch."""
        start = time.perf_counter()
        assert self._held is not None, "inside a `with` block"
        empty = self._split.layout.num_blocks
        blocks = [empty if b is None else b for b in self._schedule.blocks(self._step)]
        points = self._schedule.points(self._step)
        chosen = np.array(blocks, np.int32)
        batch: DeviceBatch = (
            _cut(self._held, chosen)
            if points is None
            else _cut_points(self._held, chosen, points.astype(np.int32))
        )
        self._step += 1
        self.wait_seconds += time.perf_counter() - start
        return batch

    def _zeros(self, like: DeviceBatch, blocks: int) -> DeviceBatch:
        parts = zip(jax.tree.leaves(like), self._devices.places, strict=True)
        return DeviceBatch(
            *(
                jnp.zeros((blocks, *part.shape[1:]), part.dtype, device=place)
                for part, place in parts
            )
        )


@partial(jax.jit, donate_argnums=0)
def _put(held: DeviceBatch, batch: DeviceBatch, block: jax.Array) -> DeviceBatch:
    put: DeviceBatch = jax.tree.map(lambda whole, part: whole.at[block].set(part[0]), held, batch)
    return put


@jax.jit
def _cut(held: DeviceBatch, blocks: jax.Array) -> DeviceBatch:
    cut: DeviceBatch = jax.tree.map(lambda whole: whole[blocks], held)
    return cut


@jax.jit
def _cut_points(held: DeviceBatch, blocks: jax.Array, points: jax.Array) -> DeviceBatch:
    cut = _cut(held, blocks)
    each = jnp.broadcast_to(points, (len(blocks), points.shape[-1]))
    chosen: DeviceBatch = replace(
        cut,
        grid=jax.vmap(lambda grid, chosen: grid[chosen])(cut.grid, each),
        potential=jax.vmap(lambda values, chosen: values[:, chosen])(cut.potential, each),
        field=jax.vmap(lambda values, chosen: values[:, chosen])(cut.field, each),
    )
    return chosen


def choose_placement(config: DataConfig, split: Split) -> Placement:
    """Choose the placement of the split.

    Args:
        config: Section of the recipe.
        split: The split that is trained on.

    Returns:
        "device" if it fits into the share of the device's memory that the recipe allows, unless
        the recipe says "stream". On a CPU, whose memory holds the mapped files anyway, "auto"
        means "stream".

    Raises:
        RunError: If the recipe says "device" and the split does not fit.
    """
    device = jax.devices()[0]
    needed = _bytes_on_device(split)
    if config.mode == "stream" or (config.mode == "auto" and device.platform == "cpu"):
        return "stream"
    available = _memory(device) * config.device_share
    if needed <= available:
        return "device"
    if config.mode == "device":
        raise RunError(
            f"The split must fit into {config.device_share:g} of the memory of the device, "
            f"{in_bytes(available)}; got {in_bytes(needed)} (split {split.name!r}, {device}). "
            "Raise data.device_share, or set data.mode to 'stream'."
        )
    return "stream"


def open_feed(
    placement: Placement, split: Split, schedule: BatchSchedule, first_step: int, devices: Devices
) -> Feed:
    """Open the batches of a training.

    Args:
        placement: Placement of the split.
        split: Split that is read.
        schedule: Blocks and points of each step.
        first_step: The step that comes first.
        devices: Devices of the batches.

    Returns:
        The feed, to be entered.
    """
    if placement == "device":
        return DeviceFeed(split, schedule, first_step, devices)
    return StreamFeed(split, schedule, first_step, devices)


def _bytes_on_device(split: Split) -> int:
    """Bytes of the split on the device: whole blocks with a grid each, and one block more."""
    return split.layout.block_bytes * (split.layout.num_blocks + 1)


def _memory(device: jax.Device) -> int:
    """Memory of the device in bytes; that of this process if unknown."""
    statistics = device.memory_stats() or {}
    return int(statistics.get("bytes_limit", memory_bytes()))

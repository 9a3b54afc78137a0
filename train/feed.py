"""Feeds of batches: read ahead from files by a thread, or cut from a split on the device.

Both give the same values for the same step.
"""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Literal, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

from hypermagnetics.data import Split, read_batch
from hypermagnetics.data.array_view import ArrayView, read_array_batch
from hypermagnetics.data.schedule import WindowStarts
from hypermagnetics.errors import RunError
from hypermagnetics.log import in_bytes
from hypermagnetics.machine import memory_bytes
from hypermagnetics.train.config import DataConfig
from hypermagnetics.train.devices import AnyBatch, AnyDeviceBatch, Devices
from hypermagnetics.train.dispatch import (
    Dispatch,
    HeldBatches,
    Order,
    StackedBatches,
    chosen_numbers,
)

TrainData = Split | ArrayView
"""A split of sources, or inputs and targets of a split."""

Placement = Literal["device", "stream"]
"""Place of the training split: on the device, or in mapped files."""

_STEPS_AHEAD = 2
"""Steps whose batches are read while others run; at least those of one dispatch."""

_HINT_STEPS = 8
"""Number of steps of read-ahead hints to the operating system."""

_FETCH_STEPS = 1000
"""Number of steps whose shards in a store are asked for, as many at a time as it takes."""

_LOOK_SECONDS = 2e-4
"""Time between two looks at the device while a dispatch is waited for."""


@runtime_checkable
class Feed(Protocol):
    """The batches of consecutive dispatches, in order."""

    wait_seconds: float
    """Time spent in `next` in which the device had nothing to do."""

    def __enter__(self) -> "Feed": ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def next(self, is_idle: Callable[[], bool]) -> Dispatch:
        """The next dispatch.

        Args:
            is_idle: Whether the device has nothing to do.
        """


class StreamFeed:
    """The batches of consecutive dispatches, read from mapped files.

    A thread reads them and hands the arrays to the device while the steps before run.
    """

    def __init__(self, split: TrainData, order: Order, devices: Devices) -> None:
        """Start to read when the `with` block is entered.

        Args:
            split: Split that is read.
            order: The steps.
            devices: Devices of the batches.
        """
        self._split, self._order, self._step = split, order, order.first
        self._devices, self._schedule = devices, order.schedule.of(devices.share)
        ahead = max(_STEPS_AHEAD // order.most, 1)
        # A queue of limited length is no place to wait for Ctrl-C; see `waiting`.
        self._ready: queue.SimpleQueue[Dispatch | BaseException] = queue.SimpleQueue()
        self._room = threading.Semaphore(ahead)
        self._fetched = order.first
        """Steps whose shards were asked for."""
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
        self._split.stop_fetching()
        self._room.release()  # in case the thread waits to put its last batches
        self._thread.join()
        self._ready = queue.SimpleQueue()  # which lets its batches go
        self._split.stop_fetching()  # what the thread asked for meanwhile

    def next(self, is_idle: Callable[[], bool]) -> Dispatch:
        """See `Feed`; an error of the reading thread is raised here."""
        found: Dispatch | BaseException | None = None
        while found is None:
            idle, start = is_idle(), time.perf_counter()
            try:
                found = self._ready.get(timeout=None if idle else _LOOK_SECONDS)
            except queue.Empty:
                continue
            if idle:
                self.wait_seconds += time.perf_counter() - start
        self._room.release()
        if isinstance(found, BaseException):
            raise found
        return found

    def _read(self) -> None:
        try:
            while not self._stop.is_set():
                count = self._order.count_from(self._step)
                found = self._dispatch(range(self._step, self._step + count))
                self._room.acquire()
                self._ready.put(found)
                self._step += count
        except BaseException as error:
            self._ready.put(error)

    def _dispatch(self, steps: range) -> Dispatch:
        schedule, batches = self._schedule, []
        for step in steps:
            self._fetch_ahead(step)
            self._split.will_need(self._blocks(step + _HINT_STEPS))
            points, windows = schedule.points(step), schedule.window_starts(step)
            batches.append(read_blocks(self._split, schedule.blocks(step), points, windows))
        stacked = self._devices.take_stacked(batches, self._order.most)
        return Dispatch(StackedBatches(stacked), len(steps))

    def _fetch_ahead(self, step: int) -> None:
        """Ask for the shards of the steps from `step` on that are in a store."""
        self._fetched = max(self._fetched, step)
        while self._fetched < step + _FETCH_STEPS:
            if not self._split.fetch_ahead(self._blocks(self._fetched)):
                return
            self._fetched += 1

    def _blocks(self, step: int) -> list[int]:
        """The blocks of a step but for empty ones."""
        return [block for block in self._schedule.blocks(step) if block is not None]


class DeviceFeed:
    """The batches of consecutive dispatches, cut on the device from a resident split.

    For each dispatch only the numbers of blocks and points go to the device. Each row of devices
    holds the whole split, so that any block of it may be theirs in a step.
    """

    def __init__(self, split: TrainData, order: Order, devices: Devices) -> None:
        """Copy the split to the devices when the `with` block is entered.

        Args:
            split: Split that is read.
            order: The steps.
            devices: Devices of the split.
        """
        self._split, self._order, self._step = split, order, order.first
        self._devices = devices
        self._held: AnyDeviceBatch | None = None
        self.wait_seconds = 0.0

    def __enter__(self) -> "DeviceFeed":
        blocks = self._split.layout.num_blocks
        # One more, which stays zero: an empty block.
        held = _zeros(self._devices.hold(read_blocks(self._split, (0,))), blocks + 1)
        for block in range(blocks):
            batch = self._devices.hold(read_blocks(self._split, (block,)))
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

    def next(self, is_idle: Callable[[], bool]) -> Dispatch:
        """See `Feed`."""
        idle, start = is_idle(), time.perf_counter()
        assert self._held is not None, "inside a `with` block"
        schedule, count = self._order.schedule, self._order.count_from(self._step)
        steps = range(self._step, self._step + count)
        chosen = chosen_numbers(self._order, steps, empty=self._split.layout.num_blocks)
        numbers = self._devices.copied(chosen)
        sizes = schedule.blocks_per_batch, schedule.points_in_step
        of_windows: tuple[int | None, int] = (None, 0)
        if schedule.windows is not None:
            of_windows = schedule.windows.length, schedule.windows.samples_per_block
        batches = HeldBatches(self._held, numbers, *sizes, *of_windows)
        self._step += count
        if idle:
            self.wait_seconds += time.perf_counter() - start
        return Dispatch(batches, count)


def _zeros(like: AnyDeviceBatch, blocks: int) -> AnyDeviceBatch:
    """Room for blocks, each in the place of the one that it is like."""
    made: AnyDeviceBatch = jax.tree.map(
        lambda part: jnp.zeros((blocks, *part.shape[1:]), part.dtype, device=part.sharding), like
    )
    return made


def read_blocks(
    split: TrainData,
    blocks: Sequence[int | None],
    points: np.ndarray | None = None,
    windows: WindowStarts | None = None,
) -> AnyBatch:
    """Blocks of a split, of some of its points or states; see `read_array_batch`."""
    if isinstance(split, ArrayView):
        return read_array_batch(split, blocks, points, windows)
    return read_batch(split, blocks, points)


@partial(jax.jit, donate_argnums=0)
def _put(held: AnyDeviceBatch, batch: AnyDeviceBatch, block: jax.Array) -> AnyDeviceBatch:
    put: AnyDeviceBatch = jax.tree.map(
        lambda whole, part: whole.at[block].set(part[0]), held, batch
    )
    return put


def choose_placement(config: DataConfig, split: TrainData) -> Placement:
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
    device = jax.local_devices()[0]
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


def open_feed(placement: Placement, split: TrainData, order: Order, devices: Devices) -> Feed:
    """Open the batches of a training.

    Args:
        placement: Placement of the split.
        split: Split that is read.
        order: The steps.
        devices: Devices of the batches.

    Returns:
        The feed, to be entered.
    """
    if placement == "device":
        return DeviceFeed(split, order, devices)
    return StreamFeed(split, order, devices)


def _bytes_on_device(split: TrainData) -> int:
    """Bytes of the split on the device: whole blocks with a grid each, and one block more."""
    return split.layout.block_bytes * (split.layout.num_blocks + 1)


def _memory(device: jax.Device) -> int:
    """Memory of the device in bytes; that of this process if unknown."""
    statistics = device.memory_stats() or {}
    return int(statistics.get("bytes_limit", memory_bytes()))

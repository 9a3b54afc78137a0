"""Placement of the training split: on the device, or in mapped files."""

import os
from typing import Literal

import jax

from hypermagnetics.data import BatchSchedule, Split
from hypermagnetics.errors import RunError
from hypermagnetics.log import in_bytes
from hypermagnetics.train.config import DataConfig
from hypermagnetics.train.devices import Devices
from hypermagnetics.train.feed import DeviceFeed, Feed, StreamFeed

Placement = Literal["device", "stream"]


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
    """Memory of the device in bytes; that of the machine if unknown."""
    statistics = device.memory_stats() or {}
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return int(statistics.get("bytes_limit", machine))

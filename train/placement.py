"""Where the training split lies while it is trained on: on the device, or in mapped files."""

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
    """Decide where the split lies.

    Args:
        config: What the recipe says.
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
    """The batches of a training.

    Args:
        placement: Where the split lies.
        split: Where from.
        schedule: Which blocks and points belong to a step.
        first_step: The step that comes first.
        devices: Where to.

    Returns:
        The feed, to be entered.
    """
    if placement == "device":
        return DeviceFeed(split, schedule, first_step, devices)
    return StreamFeed(split, schedule, first_step, devices)


def _bytes_on_device(split: Split) -> int:
    """Every block takes the room of a whole one with a grid of its own, and there is one more."""
    return split.layout.block_bytes * (split.layout.num_blocks + 1)


def _memory(device: jax.Device) -> int:
    """Bytes that the device has; those of the machine if it does not say."""
    statistics = device.memory_stats() or {}
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return int(statistics.get("bytes_limit", machine))

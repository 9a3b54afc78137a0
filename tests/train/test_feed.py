"""The reading thread: order, errors, and an end in time."""

import threading
from pathlib import Path

import numpy as np
import pytest
from tiny_datasets import MakeDataset

from hypermagnetics.data import (
    BatchSchedule,
    CropConfig,
    Crops,
    Dataset,
    Division,
    Share,
    read_batch,
)
from hypermagnetics.errors import RunError
from hypermagnetics.train.config import DataConfig
from hypermagnetics.train.devices import Devices
from hypermagnetics.train.feed import DeviceFeed, StreamFeed, choose_placement


def test_batches_come_in_order_from_the_first_step(tiny: Dataset) -> None:
    """Each is what `read_batch` gives for its step."""
    split = tiny.split("train")
    schedule = BatchSchedule(split.layout.num_blocks, 2, 3, split.layout.num_points, 9)
    with StreamFeed(split, schedule, 4, Devices.local(None)) as feed:
        for step in range(4, 20):
            batch = feed.next()
            expected = read_batch(split, schedule.blocks(step), schedule.points(step))
            np.testing.assert_array_equal(batch.field, expected.field)
            np.testing.assert_array_equal(batch.sources, expected.sources)
            np.testing.assert_array_equal(batch.grid, expected.grid)


def test_an_error_of_the_thread_is_raised_where_batches_are_taken(tiny: Dataset) -> None:
    """And the thread is gone afterwards."""
    split = tiny.split("train")
    schedule = BatchSchedule(99, 1, 0, split.layout.num_points)

    def take_all() -> None:
        with StreamFeed(split, schedule, 0, Devices.local(None)) as feed:
            for _ in range(200):
                feed.next()

    with pytest.raises(IndexError, match="must be 0 to 5"):
        take_all()
    assert "feed" not in {thread.name for thread in threading.enumerate()}


@pytest.fixture(scope="module")
def regular(tmp_path_factory: pytest.TempPathFactory, make_dataset: MakeDataset) -> Dataset:
    """Samples on a regular grid with a halo."""
    grid = "grid={kind='regular', half_width=2.0, resolution=4, halo=1}"
    directory: Path = tmp_path_factory.mktemp("regular") / "data"
    return make_dataset(directory, grid, "storage.shard_mb=0.005")


CASES = {
    "whole": {},
    "points": {"points_per_step": 5},
    "divided": {"share": Share(1, 4), "division": Division(1, 1)},
    "crops": {"crops": CropConfig(size=2, pad=1)},
    "points of crops": {"crops": CropConfig(size=3, pad=1), "points_per_step": 5},
}


@pytest.mark.parametrize("case", CASES)
def test_a_split_on_the_device_gives_the_batches_of_a_stream(regular: Dataset, case: str) -> None:
    """Bit for bit, the last block and empty ones included."""
    split = regular.split("train")
    layout, options = split.layout, dict(CASES[case])
    assert layout.grid_shape is not None
    if "crops" in options:
        options["crops"] = Crops(layout.grid_shape, options["crops"], layout.dim)  # type: ignore[arg-type]
    schedule = BatchSchedule(layout.num_blocks, 2, 3, layout.num_points, **options)  # type: ignore[arg-type]
    devices = Devices.local(None)
    with (
        StreamFeed(split, schedule, 1, devices) as stream,
        DeviceFeed(split, schedule, 1, devices) as held,
    ):
        for step in range(1, 12):
            one, other = stream.next(), held.next()
            expected = read_batch(split, schedule.blocks(step), schedule.points(step))
            for name in ("sources", "num_samples", "grid", "potential", "field"):
                np.testing.assert_array_equal(getattr(one, name), getattr(expected, name))
                if name != "grid":  # of an empty block, which nothing is computed from
                    np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
                used = np.asarray(one.num_samples) > 0
                np.testing.assert_array_equal(
                    np.asarray(getattr(one, name))[used], np.asarray(getattr(other, name))[used]
                )


def test_a_split_lies_where_it_fits(tiny: Dataset) -> None:
    """On a CPU its memory is the page cache, so a stream is as good."""
    split = tiny.split("train")
    assert choose_placement(DataConfig(), split) == "stream"
    assert choose_placement(DataConfig(mode="device"), split) == "device"
    with pytest.raises(RunError, match=r"fit into 1e-09 of the memory .* got .* Raise data"):
        choose_placement(DataConfig(mode="device", device_share=1e-9), split)

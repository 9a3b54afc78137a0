"""The reading thread: order, errors, and an end in time."""

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from program_runs import TIMEOUT
from tiny_datasets import MakeDataset

from hypermagnetics.data import (
    Batch,
    BatchSchedule,
    CropConfig,
    Crops,
    Dataset,
    Division,
    read_batch,
)
from hypermagnetics.errors import RunError
from hypermagnetics.train import feed as feed_module
from hypermagnetics.train.config import DataConfig
from hypermagnetics.train.devices import DeviceBatch, Devices
from hypermagnetics.train.dispatch import Order
from hypermagnetics.train.feed import DeviceFeed, Feed, StreamFeed, choose_placement

MOST = 3


def order(schedule: BatchSchedule, first: int) -> Order:
    """Dispatches of three steps, those that begin with an even step of two."""
    return Order(schedule, first, lambda step: MOST - (step % 2 == 0), MOST)


def steps_of(feed: Feed, steps: range) -> Iterator[tuple[int, DeviceBatch]]:
    """Steps and their batches, dispatch by dispatch."""
    done = steps.start
    while done < steps.stop:
        dispatch = feed.next(lambda: False)
        assert dispatch.count == MOST - (done % 2 == 0)
        for i in range(min(dispatch.count, steps.stop - done)):
            yield done + i, dispatch.batches.at(i)
        done += dispatch.count


def test_batches_come_in_order_from_the_first_step(tiny: Dataset) -> None:
    """Each is what `read_batch` gives for its step."""
    split = tiny.split("train")
    schedule = BatchSchedule(split.layout.num_blocks, 2, 3, split.layout.num_points, 9)
    with StreamFeed(split, order(schedule, 4), Devices.local(None)) as feed:
        for step, batch in steps_of(feed, range(4, 20)):
            expected = read_batch(split, schedule.blocks(step), schedule.points(step))
            np.testing.assert_array_equal(batch.field, expected.field)
            np.testing.assert_array_equal(batch.sources, expected.sources)
            np.testing.assert_array_equal(batch.grid, expected.grid)


def test_an_error_of_the_thread_is_raised_where_batches_are_taken(tiny: Dataset) -> None:
    """And the thread is gone afterwards."""
    split = tiny.split("train")
    schedule = BatchSchedule(99, 1, 0, split.layout.num_points)

    def take_all() -> None:
        with StreamFeed(split, order(schedule, 0), Devices.local(None)) as feed:
            for _ in steps_of(feed, range(200)):
                pass

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
    "divided": {"division": Division(1, 1, 2)},
    "crops": {"crops": CropConfig(size=2, pad=1)},
    "points of crops": {"crops": CropConfig(size=3, pad=1), "points_per_step": 5},
}


@pytest.mark.slow
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
        StreamFeed(split, order(schedule, 1), devices) as stream,
        DeviceFeed(split, order(schedule, 1), devices) as held,
    ):
        steps = range(1, 12)
        for (step, one), (_, other) in zip(
            steps_of(stream, steps), steps_of(held, steps), strict=True
        ):
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


def test_only_numbers_go_to_the_device_for_a_dispatch(
    tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One array, however many steps; and nothing that JAX moves without being asked."""
    split, devices = tiny.split("train"), Devices.local(None)
    schedule = BatchSchedule(split.layout.num_blocks, 2, 3, split.layout.num_points, 9)
    sixteen = Order(schedule, 0, lambda step: 16, 16)
    moved: list[object] = []
    put = jax.device_put

    def noted(value: object, *places: object) -> object:
        moved.append(value)
        return put(value, *places)

    with DeviceFeed(split, sixteen, devices) as feed:
        monkeypatch.setattr(jax, "device_put", noted)
        with jax.transfer_guard("disallow"):
            dispatch = feed.next(lambda: False)
    (numbers,) = moved
    assert isinstance(numbers, np.ndarray)
    assert (dispatch.count, numbers.shape, numbers.dtype) == (16, (16, 2 + 9), np.int32)


@pytest.mark.parametrize("idle", [True, False])
def test_waiting_is_what_the_device_waits(
    tiny: Dataset, monkeypatch: pytest.MonkeyPatch, idle: bool
) -> None:
    """A batch that comes late costs nothing while there are steps to make."""
    split, come = tiny.split("train"), threading.Event()
    looks, seconds, read = itertools.count(), itertools.count(), feed_module.read_batch

    def late(*arguments: Any) -> Batch:
        assert come.wait(TIMEOUT)
        return read(*arguments)

    def is_idle() -> bool:
        if idle or next(looks) == 3:
            come.set()
        return idle

    monkeypatch.setattr(feed_module, "read_batch", late)
    monkeypatch.setattr(feed_module.time, "perf_counter", lambda: float(next(seconds)))
    schedule = BatchSchedule(split.layout.num_blocks, 2, 3, split.layout.num_points)
    with StreamFeed(split, order(schedule, 0), Devices.local(None)) as feed:
        assert feed.next(is_idle).count == 2
        assert feed.wait_seconds == (1 if idle else 0)

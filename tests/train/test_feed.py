"""The reading thread: order, errors, and an end in time."""

import threading

import numpy as np
import pytest

from hypermagnetics.data import BatchSchedule, Dataset, read_batch
from hypermagnetics.train.feed import Feed


def test_batches_come_in_order_from_the_first_step(tiny: Dataset) -> None:
    """Each is what `read_batch` gives for its step."""
    split = tiny.split("train")
    schedule = BatchSchedule(split.layout.num_blocks, 2, 3, split.layout.num_points, 9)
    with Feed(split, schedule, first_step=4) as feed:
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
        with Feed(split, schedule, 0) as feed:
            for _ in range(200):
                feed.next()

    with pytest.raises(IndexError, match="must be 0 to 5"):
        take_all()
    assert "feed" not in {thread.name for thread in threading.enumerate()}

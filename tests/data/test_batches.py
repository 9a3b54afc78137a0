"""Batches: every sample once an epoch, a pure function of the step, and the right values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermagnetics.data import BatchSchedule, Dataset, read_batch
from hypermagnetics.data.layout import SplitLayout, samples_per_shard


@given(
    num_blocks=st.integers(1, 40),
    blocks_per_batch=st.integers(1, 7),
    seed=st.integers(0, 2**32 - 1),
)
def test_each_block_comes_once_an_epoch(num_blocks: int, blocks_per_batch: int, seed: int) -> None:
    """Epochs follow each other without a gap, and no tail is dropped."""
    schedule = BatchSchedule(num_blocks, blocks_per_batch, seed, num_points=10)
    steps = -(-3 * num_blocks // blocks_per_batch)
    stream = [block for step in range(steps) for block in schedule.blocks(step)]
    for epoch in range(3):
        places = stream[epoch * num_blocks : (epoch + 1) * num_blocks]
        assert sorted(places) == list(range(num_blocks))


def test_a_step_does_not_depend_on_the_steps_before() -> None:
    """Resuming needs the number of the step and nothing else."""
    fresh = BatchSchedule(13, 3, 7, num_points=100, points_per_step=10)
    used = BatchSchedule(13, 3, 7, num_points=100, points_per_step=10)
    for step in range(50):
        used.blocks(step)
    for step in (49, 0, 17):
        assert fresh.blocks(step) == used.blocks(step)
        np.testing.assert_array_equal(fresh.points(step), used.points(step))


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    """Shuffled anew each epoch, and differently for each seed."""
    orders = {BatchSchedule(30, 30, seed, 1).blocks(epoch) for seed in (0, 1) for epoch in (0, 1)}
    assert len(orders) == 4


@given(num_points=st.integers(1, 200), wanted=st.integers(1, 300), step=st.integers(0, 1000))
def test_points_of_a_step_are_distinct(num_points: int, wanted: int, step: int) -> None:
    """Drawn without replacement, in ascending order; all when as many are asked for."""
    points = BatchSchedule(1, 1, 0, num_points, wanted).points(step)
    if wanted >= num_points:
        assert points is None
        return
    assert points is not None
    assert len(points) == wanted
    assert (np.diff(points) > 0).all()
    assert points[0] >= 0
    assert points[-1] < num_points


def test_points_change_from_step_to_step() -> None:
    """Over many steps every point is seen about equally often."""
    schedule = BatchSchedule(1, 1, 0, 50, 10)
    seen = np.bincount(np.concatenate([schedule.points(step) for step in range(500)]), minlength=50)
    assert seen.min() > 60
    assert seen.max() < 140


@pytest.mark.slow_cases
@pytest.mark.parametrize("points", [None, np.array([3, 4, 20])])
def test_a_batch_holds_the_values_of_its_blocks(tiny: Dataset, points: np.ndarray | None) -> None:
    """In the order asked for, filled up with zeros where the split ends in a block."""
    split = tiny.split("train")
    order = (5, 0, 3)
    batch = read_batch(split, order, points)
    chosen = slice(None) if points is None else points
    assert list(batch.num_samples) == [5, 8, 8]
    for place, index in enumerate(order):
        block, count = split.block(index), int(batch.num_samples[place])
        np.testing.assert_array_equal(batch.grid[place], block.grid[chosen])
        np.testing.assert_array_equal(batch.sources[place, :count], block.sources)
        np.testing.assert_array_equal(batch.num_sources[place, :count], block.num_sources)
        np.testing.assert_array_equal(batch.potential[place, :count], block.potential[:, chosen])
        np.testing.assert_array_equal(batch.field[place, :count], block.field[:, chosen])
        for filling in (batch.sources, batch.num_sources, batch.potential, batch.field):
            assert not filling[place, count:].any()


def test_one_whole_block_is_not_copied(tiny: Dataset) -> None:
    """It is a view of the mapped file, and cannot be written."""
    split = tiny.split("train")
    batch = read_batch(split, (2,))
    assert np.shares_memory(batch.potential, split.block(2).potential)
    assert not batch.potential.flags.writeable


@given(
    num_samples=st.integers(1, 500),
    per_grid=st.integers(1, 40),
    sample_bytes=st.integers(1, 10_000),
    shard_bytes=st.floats(1, 1e7),
    shared=st.booleans(),
)
def test_shards_and_blocks_tile_a_split(
    num_samples: int, per_grid: int, sample_bytes: int, shard_bytes: float, shared: bool
) -> None:
    """Every sample and every grid lies in exactly one shard, in order."""
    layout = SplitLayout(
        num_samples=num_samples,
        samples_per_grid=per_grid,
        shared_grid=shared,
        samples_per_shard=samples_per_shard(num_samples, per_grid, sample_bytes, shard_bytes),
        max_sources=1,
        source_size=4,
        num_points=3,
        dim=2,
    )
    shards = list(layout.shards())
    samples = [s for shard in shards for s in layout.rows("potential", shard)]
    assert samples == list(range(num_samples))
    grids = [g for shard in shards for g in layout.rows("grid", shard)]
    assert grids == list(range(1 if shared else layout.num_blocks))
    blocks = [s for block in range(layout.num_blocks) for s in layout.block_samples(block)]
    assert blocks == list(range(num_samples))
    assert sum(shard.num_blocks for shard in shards) == layout.num_blocks

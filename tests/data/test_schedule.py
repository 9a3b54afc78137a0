"""Schedules of several ranks, divided shards and crops: every sample once an epoch."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hypermagnetics.data import BatchSchedule, CropConfig, Crops, Division, GridShape, Share
from hypermagnetics.data.schedule import Windows

WORLDS = st.integers(1, 5)
BLOCKS = st.integers(1, 40)
BATCHES = st.integers(1, 4)


def stream(schedule: BatchSchedule, steps: int) -> list[int]:
    """The blocks of the first steps, without empty ones."""
    return [b for step in range(steps) for b in schedule.blocks(step) if b is not None]


def ranks(world: int, num_blocks: int, batch: int, division: Division | None, **more: int):  # type: ignore[no-untyped-def]
    """The schedules of all processes that train together."""
    return [
        BatchSchedule(
            num_blocks, batch * world, 7, 10, share=Share(rank, world), division=division, **more
        )
        for rank in range(world)
    ]


@given(world=WORLDS, num_blocks=BLOCKS, batch=BATCHES, epochs=st.integers(1, 3))
def test_ranks_share_the_blocks_of_each_epoch(
    world: int, num_blocks: int, batch: int, epochs: int
) -> None:
    """Interleaved by steps, their batches are those of one process with larger batches."""
    together = ranks(world, num_blocks, batch, None)
    alone = BatchSchedule(num_blocks, batch * world, 7, 10)
    steps = -(-epochs * num_blocks // (batch * world))
    for step in range(steps):
        found = sum((schedule.blocks(step) for schedule in together), ())
        assert found == alone.blocks(step)


@given(
    world=WORLDS,
    num_blocks=BLOCKS,
    per_shard=st.integers(1, 6),
    distance=st.integers(0, 8),
    epochs=st.integers(1, 3),
)
def test_divided_every_block_comes_once_an_epoch(
    world: int, num_blocks: int, per_shard: int, distance: int, epochs: int
) -> None:
    """Each rank has its own, and all finish an epoch at the same step."""
    steps = -(-num_blocks // world)
    for epoch in range(epochs):
        seen: Counter[int] = Counter()
        for schedule in ranks(world, num_blocks, 1, Division(per_shard, distance, world)):
            own = range(
                schedule.share.rank * num_blocks // world,
                (schedule.share.rank + 1) * num_blocks // world,
            )
            places = [schedule.blocks(epoch * steps + step)[0] for step in range(steps)]
            assert {schedule.epoch(epoch * steps + step) for step in range(steps)} == {epoch}
            kept = [block for block in places if block is not None]
            assert sorted(kept) == list(own)
            assert places[len(kept) :] == [None] * (steps - len(own))
            assert steps - len(own) <= 1
            seen.update(kept)
        assert seen == Counter(range(num_blocks))


@given(num_blocks=BLOCKS, per_shard=st.integers(1, 6), distance=st.integers(0, 8))
def test_no_block_is_displaced_by_more_than_asked_for(
    num_blocks: int, per_shard: int, distance: int
) -> None:
    """So a process reads from distance + 1 shards at a time, twice that at most."""
    schedule = BatchSchedule(num_blocks, 1, 3, 10, division=Division(per_shard, distance))
    order = stream(schedule, num_blocks)
    displaced = np.abs(np.array(order) - np.arange(num_blocks))
    assert displaced.max() <= per_shard * distance
    if distance == 0:
        assert order == list(range(num_blocks))


def test_displaced_orders_differ_from_epoch_to_epoch() -> None:
    """And mix well when the distance allows it."""
    schedule = BatchSchedule(40, 40, 3, 10, division=Division(4, 10))
    first, second = schedule.blocks(0), schedule.blocks(1)
    assert first != second != tuple(range(40))
    assert sum(a == b for a, b in zip(first, second, strict=True)) < 15


@given(
    num_blocks=st.integers(1, 6),
    world=st.integers(1, 3),
    divided=st.booleans(),
    size=st.integers(1, 4),
    points=st.sampled_from([None, 2]),
)
def test_each_crop_of_each_block_comes_once_an_epoch(
    num_blocks: int, world: int, divided: bool, size: int, points: int | None
) -> None:
    """With the points of that crop, or some of them."""
    crops = Crops(GridShape(points_per_side=6, halo=1), CropConfig(size=size, pad=1), 2)
    known = {tuple(crops.points(i)): i for i in range(len(crops))}
    seen: Counter[tuple[int, int]] = Counter()
    steps = -(-num_blocks // world) * len(crops) if divided else num_blocks * len(crops)
    for rank in range(world if divided else 1):
        schedule = BatchSchedule(
            num_blocks,
            world if divided else 1,
            5,
            36,
            points_per_step=points,
            crops=crops,
            share=Share(rank, world) if divided else Share(),
            division=Division(2, 1, world) if divided else None,
        )
        for step in range(steps):
            (block,), chosen = schedule.blocks(step), schedule.points(step)
            assert chosen is not None
            if points is not None and points < crops.num_points:
                assert chosen.shape == (1, points)
                assert any(set(chosen[0]) <= set(crop) for crop in known)
            elif block is not None:
                seen[block, known[tuple(chosen[0])]] += 1
    if points is None or points >= crops.num_points:
        assert seen == Counter((b, c) for b in range(num_blocks) for c in range(len(crops)))


@given(world=WORLDS, parts=st.integers(1, 4), num_blocks=BLOCKS, step=st.integers(0, 30))
def test_a_batch_is_the_same_however_many_processes_read_it(
    world: int, parts: int, num_blocks: int, step: int
) -> None:
    """Blocks, points of crops and windows alike, whatever the parts of a division."""
    crops = Crops(GridShape(points_per_side=6, halo=1), CropConfig(size=2, pad=1), 2)
    alone = BatchSchedule(
        num_blocks,
        2 * world * parts,
        5,
        36,
        crops=crops,
        division=Division(3, 1, parts),
        windows=Windows(num_states=9, length=3, samples_per_block=4, per_sample=2),
    )
    own = [alone.of(Share(rank, world)) for rank in range(world)]
    assert sum((one.blocks(step) for one in own), ()) == alone.blocks(step)
    assert {one.epoch(step) for one in own} == {alone.epoch(step)}
    points = [one.points(step) for one in own]
    np.testing.assert_array_equal(np.concatenate(points), alone.points(step))
    first = [one.window_starts(step).first for one in own]
    np.testing.assert_array_equal(np.concatenate(first), alone.window_starts(step).first)

"""Dispatches: some steps at once, and their batches as the compiled loop takes them."""

import abc
from collections.abc import Callable
from dataclasses import dataclass, replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from hypermagnetics.data import BatchSchedule
from hypermagnetics.train.devices import AnyDeviceBatch, ArrayDeviceBatch, DeviceBatch


@dataclass(frozen=True)
class Order:
    """Steps of a training: the blocks and points of each, and their division into dispatches."""

    schedule: BatchSchedule
    """Blocks and points of each step."""
    first: int
    """The step that comes first."""
    count_from: Callable[[int], int]
    """Number of steps of the dispatch that begins with a step."""
    most: int
    """The most steps of a dispatch."""


class Batches(eqx.Module):
    """The batches of the steps of a dispatch, on the device."""

    @abc.abstractmethod
    def at(self, step: Int[Array, ""] | int) -> AnyDeviceBatch:
        """The batch of a step, counted from 0."""


class StackedBatches(Batches):
    """Batches with a first axis of steps."""

    stacked: AnyDeviceBatch

    def at(self, step: Int[Array, ""] | int) -> AnyDeviceBatch:
        """See `Batches`."""
        batch: AnyDeviceBatch = jax.tree.map(lambda values: values[step], self.stacked)
        return batch


class HeldBatches(Batches):
    """Batches cut, inside the compiled loop, from a split on the device."""

    held: AnyDeviceBatch
    """All blocks of the split, and an empty one behind them."""
    chosen: Int[Array, "steps numbers"]
    """Of each step the numbers of its blocks, then those of its points unless it takes all."""
    num_blocks: int = eqx.field(static=True)
    """Number of blocks of a step."""
    num_points: int | None = eqx.field(static=True)
    """Number of points of each grid in a step; None for all."""
    window: int | None = eqx.field(static=True, default=None)
    """Number of states of trajectories in a step; None for whole samples. The first state of each
    window follows the blocks."""
    samples: int = eqx.field(static=True, default=0)
    """Samples of a block that have windows; those behind fill it up for the devices."""

    def at(self, step: Int[Array, ""] | int) -> AnyDeviceBatch:
        """See `Batches`."""
        numbers = self.chosen[step]
        cut: AnyDeviceBatch = jax.tree.map(
            lambda whole: whole[numbers[: self.num_blocks]], self.held
        )
        if self.window is not None:
            assert isinstance(cut, ArrayDeviceBatch), "trajectories are arrays"
            first = numbers[self.num_blocks :].reshape(self.num_blocks, self.samples, -1)
            return _windows(cut, first, self.window)
        if self.num_points is None:
            return cut
        # One row of points for all blocks, or with crops one for each.
        rows = numbers[self.num_blocks :].reshape(-1, self.num_points)
        each = jnp.broadcast_to(rows, (self.num_blocks, self.num_points))
        if isinstance(cut, DeviceBatch):
            return replace(
                cut,
                grid=jax.vmap(lambda grid, points: grid[points])(cut.grid, each),
                potential=jax.vmap(lambda values, points: values[:, points])(cut.potential, each),
                field=jax.vmap(lambda values, points: values[:, points])(cut.field, each),
            )
        # Maps, with their axes of space in a row, as `read_array_batch` gives them.
        flat = {r: v.reshape(*v.shape[:3], -1) for r, v in cut.arrays.items()}
        arrays = {
            role: jax.vmap(lambda maps, points: maps[:, :, points])(values, each)
            for role, values in flat.items()
        }
        return replace(cut, arrays=arrays)


def _windows(
    batch: ArrayDeviceBatch, first: Int[Array, "blocks samples windows"], length: int
) -> ArrayDeviceBatch:
    """Windows of the trajectories of a batch, as `read_array_batch` gives them."""
    states, per_sample = batch.arrays["states"], first.shape[2]
    first = jnp.pad(first, ((0, 0), (0, states.shape[1] - first.shape[1]), (0, 0)))

    def cut(own: Array, starts: Array) -> Array:
        return jax.vmap(lambda at: jax.lax.dynamic_slice_in_dim(own, at, length))(starts)

    windows = jax.lax.collapse(jax.vmap(jax.vmap(cut))(states, first), 1, 3)
    arrays = {
        role: windows if role == "states" else jnp.repeat(values, per_sample, axis=1)
        for role, values in batch.arrays.items()
    }
    counts = per_sample * batch.num_samples, per_sample * batch.num_complete
    return ArrayDeviceBatch(arrays, *counts, batch.numbers, batch.keys)


@dataclass(frozen=True)
class Dispatch:
    """Consecutive steps that go to the device in one call."""

    batches: Batches
    """At least as many as there are steps."""
    count: int
    """Number of steps."""


def chosen_numbers(order: Order, steps: range, empty: int) -> np.ndarray:
    """The numbers that `HeldBatches` cuts its batches by.

    Args:
        order: Blocks and points of each step.
        steps: The steps.
        empty: Number of the empty block.

    Returns:
        int32, a row for each step that a dispatch has room for.
    """
    rows = []
    for step in steps:
        blocks = [empty if block is None else block for block in order.schedule.blocks(step)]
        points, windows = order.schedule.points(step), order.schedule.window_starts(step)
        further = [points, None if windows is None else windows.first]
        rows.append(np.concatenate([blocks, *(f.ravel() for f in further if f is not None)]))
    room = [rows[-1]] * (order.most - len(rows))
    return np.stack([*rows, *room]).astype(np.int32)

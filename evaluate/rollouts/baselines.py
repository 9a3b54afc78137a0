"""Rollouts without a network: states that stay, one step of a method, and the exact physics."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from hypermagnetics.dynamics import (
    AnyDynamics,
    AnyStatePhysics,
    Flow,
    MethodName,
    field_of_others,
    with_moments,
)
from hypermagnetics.evaluate.rollouts.trajectories import StoredTrajectories, TrajectoryBlock
from hypermagnetics.few_sizes import placed
from hypermagnetics.table import SourceColumns

States = Float[np.ndarray, "samples states ..."]
"""States of some samples, the one at the start first."""

STAYS, EXACT = "state stays", "exact"


@dataclass(frozen=True)
class Baseline:
    """A way to roll out trajectories without a network, from their stored starts."""

    name: str
    states: Callable[[TrajectoryBlock], States]
    """Map from a block to the states of all its samples."""


def baselines_of(data: StoredTrajectories) -> tuple[Baseline, ...]:
    """The baselines of the trajectories of a split.

    Args:
        data: The trajectories.

    Returns:
        States that stay; of moments that flow, one step of Heun's method and one of order 4 in
        place of each stored step; and the exact physics, if it is known, in float64 from the
        stored start, which is rounded to float32.
    """
    found = [Baseline(STAYS, _stays)]
    num_steps = data.num_steps
    if data.moments is not None:
        moments = partial(_Moments, data.moments.dynamics, data.moments.columns, num_steps)
        if isinstance(data.moments.dynamics, Flow):
            found.append(Baseline("one Heun step", moments("heun")))
            found.append(Baseline("one RK4 step", moments("rk4")))
        found.append(Baseline(EXACT, moments("dop853")))
    elif data.physics is not None:
        found.append(Baseline(EXACT, _States(data.physics, num_steps)))
    return tuple(found)


def _stays(block: TrajectoryBlock) -> States:
    states: States = np.broadcast_to(block.states[:, :1], block.states.shape)
    return states


@dataclass(frozen=True)
class _Moments:
    """Steps of a method in the exact field."""

    dynamics: AnyDynamics
    columns: SourceColumns
    num_steps: int
    method: MethodName
    """With "dop853" as many steps of it as the dataset has, with others one for a stored step."""

    def __call__(self, block: TrajectoryBlock) -> States:
        substeps = block.substeps if self.method == "dop853" else np.ones_like(block.substeps)
        with jax.enable_x64(True):
            table = placed(block.start.astype(np.float64))
            counts = placed(substeps.astype(np.int32))
            return np.asarray(_moments(self, table, counts))


@dataclass(frozen=True)
class _States:
    """Steps of the reference physics."""

    physics: AnyStatePhysics
    num_steps: int

    def __call__(self, block: TrajectoryBlock) -> States:
        with jax.enable_x64(True):
            return np.asarray(_states(self, placed(block.start.astype(np.float64))))


@partial(jax.jit, static_argnames="of")
def _moments(
    of: _Moments, table: Float[Array, "samples sources columns"], substeps: Array
) -> Float[Array, "samples states sources dim"]:
    dim = of.columns.dim
    exact = partial(field_of_others, dim=dim)

    def next_moments(table: Array, substeps: Array) -> Array:
        return of.dynamics.next_moments(table, of.columns, exact, substeps, of.method)

    def advance(table: Array, _: None) -> tuple[Array, Array]:
        # Each sample in substeps of its own, as the dataset has it.
        after = jax.vmap(next_moments)(table, substeps)
        return with_moments(table, after), after

    _, after = jax.lax.scan(advance, of.dynamics.begun(table, dim), length=of.num_steps)
    return jnp.moveaxis(jnp.concatenate([table[None, ..., :dim], after]), 0, 1)


@partial(jax.jit, static_argnames="of")
def _states(of: _States, start: Float[Array, "samples ..."]) -> Float[Array, "samples states ..."]:
    def advance(state: Array, _: None) -> tuple[Array, Array]:
        after = of.physics.next_state(state)
        return after, after

    _, after = jax.lax.scan(advance, start, length=of.num_steps)
    return jnp.moveaxis(jnp.concatenate([start[None], after]), 0, 1)

"""Laws that moments keep along a rollout: their magnitude, falling energy, and a fixed point."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

from hypermagnetics.dynamics import (
    AnyDynamics,
    Flow,
    energy,
    field_of_others,
    magnitudes,
    with_moments,
)
from hypermagnetics.dynamics.moment_dynamics import MU_0
from hypermagnetics.dynamics.soft import Soft
from hypermagnetics.evaluate.rollouts.trajectories import MovingMoments, TrajectoryBlock
from hypermagnetics.few_sizes import placed
from hypermagnetics.table import SourceColumns

_Samples = Float64[np.ndarray, " samples"]
_Moments = Float[np.ndarray, "samples states sources dim"]


@dataclass(frozen=True)
class Violations:
    """How far the states of some samples break the laws of their dynamics, and their energy.

    Violations are those of `RolloutScores`, one of each sample, and 0 of exact states; None where
    the dynamics have no such law.
    """

    magnitude_drift: _Samples | None = None
    energy_rise: _Samples | None = None
    residual: _Samples | None = None
    energy: Float64[np.ndarray, "samples states"] | None = None
    """Energy of each state minus that at the start, in the unit of its rise; NaN of samples in no
    field, None of iterates."""


def violations(moments: MovingMoments, block: TrajectoryBlock, states: _Moments) -> Violations:
    """Measure how far rollouts of moments break the laws of their dynamics, in float64.

    Args:
        moments: Dynamics and source tables.
        block: Block of the samples.
        states: States of its samples in use.

    Returns:
        The violations; infinite where states are not finite.
    """
    dynamics, count = moments.dynamics, block.count
    drift = rise = residual = change = None
    if dynamics.keeps_magnitude:
        drift = _largest_drift(states)
    if isinstance(dynamics, Flow):
        with jax.enable_x64(True):
            of_states, unit = map(
                np.asarray,
                _energies(dynamics, moments.columns, *_placed(block, states)),
            )
        of_states, unit = of_states[:count], unit[:count]
        with np.errstate(invalid="ignore"):
            change = _ratio(of_states - of_states[:, :1], unit[:, None])
            rises = np.maximum(np.diff(of_states, axis=1).max(axis=1), 0)
        rise = _ratio(rises, unit) if dynamics.damping > 0 else None
    if isinstance(dynamics, Soft):
        with jax.enable_x64(True):
            violation = np.asarray(
                _residuals(dynamics, moments.columns, *_placed(block, states[:, -1]))
            )
        lengths = (
            np.linalg.norm(one.reshape(count, -1), axis=1)
            for one in (violation[:count], states[:, -1].astype(np.float64))
        )
        residual = _ratio(*lengths)
    return Violations(drift, rise, residual, change)


def _largest_drift(states: _Moments) -> _Samples:
    """Over states and moments, without rows of no moment, which are padding."""
    with np.errstate(over="ignore", invalid="ignore"):
        size = np.linalg.norm(states.astype(np.float64), axis=-1)
    start = size[:, :1]
    with np.errstate(invalid="ignore"):
        drift = np.abs(_ratio(size, start) - 1)
    drift = np.where(np.isfinite(size), drift, np.inf)
    found: _Samples = np.where(start > 0, drift, 0).max(axis=(1, 2))
    return found


def _placed(
    block: TrajectoryBlock, states: Float[np.ndarray, "samples ..."]
) -> tuple[Array, Array]:
    """Source tables and states of a whole block, so that one compiled program serves all."""
    filled = np.zeros((len(block.start), *states.shape[1:]))
    filled[: len(states)] = states
    return placed(block.start.astype(np.float64)), placed(filled)


@partial(jax.jit, static_argnames=("dynamics", "columns"))
def _energies(
    dynamics: AnyDynamics,
    columns: SourceColumns,
    table: Float[Array, "samples sources columns"],
    states: Float[Array, "samples states sources dim"],
) -> tuple[Float[Array, "samples states"], Float[Array, " samples"]]:
    """Energy of each state, and the unit of its rise."""
    exact = partial(field_of_others, dim=columns.dim)

    def of_state(moments: Array) -> Array:
        return energy(dynamics, with_moments(table, moments), columns.dim, exact)

    # State by state, as the field of others has all pairs of bodies.
    found = jax.lax.map(of_state, jnp.moveaxis(states, 1, 0))
    field = dynamics.total_field(table, exact)
    each = magnitudes(table[..., : columns.dim]) * magnitudes(field)
    return jnp.moveaxis(found, 0, 1), MU_0 * jnp.sum(each, axis=(-2, -1))


@partial(jax.jit, static_argnames=("dynamics", "columns"))
def _residuals(
    dynamics: Soft,
    columns: SourceColumns,
    table: Float[Array, "samples sources columns"],
    moments: Float[Array, "samples sources dim"],
) -> Float[Array, "samples sources dim"]:
    exact = partial(field_of_others, dim=columns.dim)
    return dynamics.residual(moments, dynamics.begun(table, columns.dim), columns, exact)


def _ratio(values: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Values in a unit: NaN where it is zero, infinite where they are not finite."""
    found = np.full(values.shape, np.nan)
    unit = np.broadcast_to(unit, values.shape)
    np.divide(values, unit, out=found, where=unit > 0)
    found[~np.isfinite(values)] = np.inf
    return found

"""Trajectories of moments from the sources of samples, exact to a stated tolerance."""

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Float64, Int

from hypermagnetics.dynamics.kinds import AnyDynamics
from hypermagnetics.dynamics.moment_dynamics import Flow
from hypermagnetics.dynamics.others import field_of_others, with_moments
from hypermagnetics.errors import SourceError
from hypermagnetics.few_sizes import placed
from hypermagnetics.sources.geometry import rows_by_kind, shape_of
from hypermagnetics.table import SourceColumns, refuse_soft

MOST_SUBSTEPS = 1024
"""Most substeps of a stored step."""

_TOUCHING = 1e-6
"""Overlap of the radii of two bodies that touch, as float32 rounds them."""


class Trajectories(NamedTuple):
    """Trajectories of the moments of samples."""

    moments: Float32[np.ndarray, "samples states sources dim"]
    """Moments of the state at the start, those of the sources, and after each step [A m²]; in two
    dimensions [A m]."""
    substeps: Float32[np.ndarray, " samples"]
    """Steps of the method between two states."""


def trajectories(
    dynamics: AnyDynamics,
    columns: SourceColumns,
    sources: Float32[np.ndarray, "samples sources columns"],
    num_sources: Int[np.ndarray, " samples"],
) -> Trajectories:
    """Trajectories of the moments of samples, computed in float64 and rounded to float32.

    Substeps are doubled until the error of every stored step is below the tolerance: the difference
    of a step in as many and in half as many substeps, of a method of order 8, in which it is that
    of the latter.

    Args:
        dynamics: How moments go on.
        columns: Columns of the source tables.
        sources: Source tables as stored.
        num_sources: Rows in use.

    Returns:
        The trajectories.

    Raises:
        SourceError: If bodies overlap, their table has susceptibilities, or the time step is too
            long for `MOST_SUBSTEPS`.
    """
    refuse_soft(columns, "Trajectories of moments")
    refuse_overlap(columns, sources, num_sources)
    _refuse_unseen(columns, sources, num_sources)
    with jax.enable_x64(True):
        table = dynamics.begun(placed(sources.astype(np.float64)), columns.dim)
        if not isinstance(dynamics, Flow):
            states, _ = _rolled_out(dynamics, columns, table, np.int32(1))
            return Trajectories(
                _stored(np.asarray(states), sources), np.ones(len(sources), np.float32)
            )
        found = np.zeros((len(sources), dynamics.num_steps + 1, *table.shape[1:]), np.float32)
        found = found[..., : columns.dim]
        needed = np.zeros(len(sources), np.int64)
        substeps = 1
        while not needed.all():
            states, errors = map(
                np.asarray, _rolled_out(dynamics, columns, table, np.int32(2 * substeps))
            )
            own = (needed == 0) & (errors <= dynamics.tolerance)
            found[own], needed[own] = _stored(states[own], sources[own]), 2 * substeps
            substeps *= 2
            if substeps >= MOST_SUBSTEPS and not needed.all():
                _refuse_long_step(dynamics, columns, np.asarray(table), needed)
    return Trajectories(found, needed.astype(np.float32))


def _stored(states: np.ndarray, sources: np.ndarray) -> Float32[np.ndarray, "samples ..."]:
    """States rounded to float32; the first are the moments as the sources have them."""
    with np.errstate(over="ignore"):  # one beyond float32 is refused where it is written
        found = states.astype(np.float32)
    found[:, 0] = sources[..., : found.shape[-1]]
    return found


@partial(jax.jit, static_argnames=("dynamics", "columns"))
def _rolled_out(
    dynamics: AnyDynamics,
    columns: SourceColumns,
    table: Float[Array, "samples sources columns"],
    substeps: Int[Array, ""],
) -> tuple[Float[Array, "samples states sources dim"], Float[Array, " samples"]]:
    """All states, and the largest relative error of a step in half as many substeps."""
    exact = partial(field_of_others, dim=columns.dim)

    def advance(carry: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], Array]:
        table, worst = carry
        after = dynamics.next_moments(table, columns, exact, substeps)
        coarse = dynamics.next_moments(table, columns, exact, jnp.maximum(substeps // 2, 1))
        error = jnp.sqrt(jnp.sum((after - coarse) ** 2, axis=-1))
        size = jnp.sqrt(jnp.sum(after**2, axis=-1))
        relative = jnp.where(size == 0, 0, error / jnp.where(size == 0, 1, size))
        # Not finite counts as an error without bound.
        found = jnp.where(jnp.isfinite(relative), relative, jnp.inf)
        worst = jnp.maximum(worst, jnp.max(found, axis=-1))
        return (with_moments(table, after), worst), after

    start = table, jnp.zeros(len(table), table.dtype)
    (_, worst), after = jax.lax.scan(advance, start, length=dynamics.num_steps)
    first = table[None, ..., : columns.dim]
    return jnp.moveaxis(jnp.concatenate([first, after]), 0, 1), worst


def turn_per_step(
    dynamics: Flow, columns: SourceColumns, table: Float[np.ndarray, "samples sources columns"]
) -> Float[np.ndarray, " samples"]:
    """Angle that the fastest moment of each sample turns in a stored step at the start [rad]."""
    with jax.enable_x64(True):
        exact = partial(field_of_others, dim=columns.dim)
        moments = placed(table)[..., : columns.dim]
        rates = np.asarray(dynamics.rate(moments, dynamics.total_field(placed(table), exact)))
    turning, size = (np.linalg.norm(one, axis=-1) for one in (rates, np.asarray(moments)))
    each = np.divide(turning, size, out=np.zeros_like(size), where=size > 0)
    found: np.ndarray = dynamics.time_step * each.max(axis=-1)
    return found


def _refuse_long_step(
    dynamics: Flow, columns: SourceColumns, table: np.ndarray, needed: np.ndarray
) -> None:
    sample = int(np.flatnonzero(needed == 0)[0])
    degrees = math.degrees(turn_per_step(dynamics, columns, table[sample : sample + 1])[0])
    raise SourceError(
        f"A stored step must be exact to {dynamics.tolerance:g} in at most {MOST_SUBSTEPS} "
        f"substeps; got more in sample {sample} of the block, whose fastest moment turns by about "
        f"{degrees:.3g} degrees a step (dynamics.time_step {dynamics.time_step:g} s). Lower "
        "dynamics.time_step, keep the bodies further apart, or raise dynamics.tolerance."
    )


def _refuse_unseen(
    columns: SourceColumns,
    sources: Float[np.ndarray, "samples sources columns"],
    num_sources: Int[np.ndarray, " samples"],
) -> None:
    """Refuse a body whose row is zeros throughout, as that of no body is."""
    used = np.arange(sources.shape[1]) < np.asarray(num_sources)[:, None]
    hidden = used & ~(sources != 0).any(axis=-1)
    if hidden.any():
        sample, source = np.argwhere(hidden)[0]
        raise SourceError(
            "A body whose moment moves must differ from a row of zeros, which is no body; got "
            f"source {source} of sample {sample} of the block, of no moment at the origin "
            "(sources.moment, sources.position). Shift it by a little."
        )


def refuse_overlap(
    columns: SourceColumns,
    sources: Float[np.ndarray, "samples sources columns"],
    num_sources: Int[np.ndarray, " samples"],
) -> None:
    """Refuse bodies that overlap, or dipoles at one place: their field is none of dipoles.

    Raises:
        SourceError: If some do.
    """
    dim, count = columns.dim, sources.shape[1]
    used = np.arange(count) < np.asarray(num_sources)[:, None]
    radius = np.zeros(sources.shape[:2])
    rows = sources.reshape(-1, sources.shape[2])
    for kind, own, bodies in rows_by_kind(columns, rows):
        radius.reshape(-1)[own] = kind.outer_radius(shape_of(columns, kind, bodies))
    positions = sources[..., dim : 2 * dim].astype(np.float64)
    # Row by row of the pairs, for the memory of many sources.
    for first in range(count - 1):
        distance = np.linalg.norm(positions[:, first + 1 :] - positions[:, first, None], axis=-1)
        least = radius[:, first + 1 :] + radius[:, first, None]
        pair = used[:, first + 1 :] & used[:, first, None]
        overlaps = pair & ((distance < least * (1 - _TOUCHING)) | (distance == 0))
        if overlaps.any():
            sample, second = np.argwhere(overlaps)[0]
            raise SourceError(
                "Bodies whose moments move must not overlap, as they feel each other's field "
                f"outside; got sources {first} and {first + 1 + second} of sample {sample} of the "
                f"block, {distance[sample, second]:.4g} m apart with radii that add up to "
                f"{least[sample, second]:.4g} m. Take sources.position.distribution = 'packed'."
            )


def steps_of(
    dynamics: AnyDynamics,
    columns: SourceColumns,
    states: Float64[np.ndarray, "states sources dim"],
    sources: Float32[np.ndarray, "sources columns"],
    substeps: int,
) -> Float64[np.ndarray, "states sources dim"]:
    """Moments a step later than each of some states of a sample, in float64.

    Args:
        dynamics: How moments go on.
        columns: Columns of the source tables.
        states: The states.
        sources: Sources of the sample as stored.
        substeps: Substeps of a step.

    Returns:
        The moments.
    """
    with jax.enable_x64(True):
        table = dynamics.begun(placed(sources.astype(np.float64)), columns.dim)
        return np.asarray(
            _a_step_later(dynamics, columns, table, placed(states), np.int32(substeps))
        )


@partial(jax.jit, static_argnames=("dynamics", "columns"))
def _a_step_later(
    dynamics: AnyDynamics,
    columns: SourceColumns,
    table: Float[Array, "sources columns"],
    states: Float[Array, "states sources dim"],
    substeps: Int[Array, ""],
) -> Float[Array, "states sources dim"]:
    exact = partial(field_of_others, dim=columns.dim)
    tables = jnp.broadcast_to(table, (len(states), *table.shape))
    return dynamics.next_moments(with_moments(tables, states), columns, exact, substeps)

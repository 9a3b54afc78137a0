"""The exact potential and field of many sources: their sum, in bounded memory."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from hypermagnetics.grids import components
from hypermagnetics.shapes import (
    BlockField,
    BlockPotential,
    Field,
    NumSources,
    Points,
    Potential,
    SourceTable,
    SourceTables,
)
from hypermagnetics.sources.bodies import DIM, Kernel
from hypermagnetics.sources.dipole import Components, Values

_SOURCES_PER_STEP = 8
"""Sources summed in one fused loop over the points. On 2 cores (float64, 5 discs, 1024 points) the
unrolled loop makes 315 000 samples/s, a scan over single sources 140 000, and summing an array of
(sources, points) 10 000."""


@partial(jax.jit, static_argnames="kernel")
def superposition(
    kernel: Kernel,
    sources: SourceTable,
    points: Points,
    num_sources: Int[Array, ""] | int | None = None,
) -> tuple[Potential, Field]:
    """Potential and field of one configuration, summed over its sources.

    phi(r) = sum_s phi_s(r - r_s). Only (points,)-sized arrays are made, whatever the number of
    sources, and any float type is kept.

    Args:
        kernel: Closed form of the body, from `body_kernel`.
        sources: Source table, rows [moment, position] in [A m] and [m].
        points: Points of evaluation [m].
        num_sources: How many rows are sources; later rows are padding. All rows if None.

    Returns:
        Potential [A] at each point, and field [A/m].
    """
    rows = sources.shape[0]
    valid = jnp.arange(rows) < (rows if num_sources is None else num_sources)
    where = components(points)
    total = _zeros(where)
    full = rows - rows % _SOURCES_PER_STEP
    if full:
        steps = jnp.reshape(sources[:full], (-1, _SOURCES_PER_STEP, sources.shape[1]))
        valid_steps = jnp.reshape(valid[:full], (-1, _SOURCES_PER_STEP))
        total, _ = jax.lax.scan(
            lambda so_far, step: (_add(kernel, so_far, *step, where), None),
            total,
            (steps, valid_steps),
        )
    potential, field = _add(kernel, total, sources[full:], valid[full:], where)
    return potential, jnp.stack(field, axis=-1)


@partial(jax.jit, static_argnames="kernel")
def block_superposition(
    kernel: Kernel, sources: SourceTables, num_sources: NumSources, points: Points
) -> tuple[BlockPotential, BlockField]:
    """Potential and field of the samples of a block, which share their points.

    Args:
        kernel: Closed form of the body, from `body_kernel`.
        sources: Source tables, rows [moment, position] in [A m] and [m].
        num_sources: Rows of each table that are sources; later rows are padding.
        points: Points of evaluation [m].

    Returns:
        Potential [A] of each sample at each point, and field [A/m].
    """
    total: tuple[BlockPotential, BlockField] = jax.vmap(
        lambda table, count: superposition(kernel, table, points, count)
    )(sources, num_sources)
    return total


def _zeros(where: Components) -> Values:
    return Values(jnp.zeros_like(where[0]), tuple(jnp.zeros_like(axis) for axis in where))


def _add(
    kernel: Kernel,
    total: Values,
    sources: Float[Array, "step columns"],
    valid: Bool[Array, " step"],
    where: Components,
) -> Values:
    """Add the rows of `sources` to the sum; unrolled, so that XLA fuses them into one loop."""
    for row, is_source in zip(sources, valid, strict=True):
        # A padding row is all zero: taking it out before the kernel, not after, keeps a point at
        # the origin from making 0/0, in the value and in its gradient.
        displacement = tuple(
            jnp.where(is_source, axis - row[DIM + i], 1) for i, axis in enumerate(where)
        )
        moment = tuple(jnp.where(is_source, row[i], 0) for i in range(DIM))
        potential, field = kernel(moment, displacement)
        total = Values(
            total.potential + potential,
            tuple(a + b for a, b in zip(total.field, field, strict=True)),
        )
    return total

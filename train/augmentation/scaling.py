"""Scaling: of all lengths of the same material, and of the moments of a sample."""

from dataclasses import replace

import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float

from hypermagnetics.shapes import AnyKey
from hypermagnetics.sources import SourceColumns
from hypermagnetics.table import SIZES, applied_names
from hypermagnetics.train.augmentation.symmetry import (
    Symmetry,
    per_block,
    per_sample,
    shared_field,
    with_columns,
)
from hypermagnetics.train.devices import DeviceBatch

OCTAVES_OF_LENGTH = 0.5
"""Factors are between 1/sqrt(2) and sqrt(2), uniform in their logarithm."""

OCTAVES_OF_MOMENT = 1.0
"""Factors are between 1/2 and 2, uniform in their logarithm."""


def scaled(columns: SourceColumns, batch: DeviceBatch, key: AnyKey) -> DeviceBatch:
    """Multiply all lengths of each block by a factor s, and the moments by s^dim.

    Magnetostatics has no scale of length. The magnetisation, moment over volume, stays, and so does
    H at the scaled points, an applied one too; phi(s^dim m, s d, s sizes) = s phi(m, d, sizes).

    Args:
        columns: Columns of the sources.
        batch: The batch.
        key: Random key.

    Returns:
        The scaled batch.
    """
    dtype, most = batch.grid.dtype, OCTAVES_OF_LENGTH
    octaves = per_block(lambda one: jr.uniform(one, (), dtype, -most, most), key, batch)
    scale = jnp.exp2(octaves)
    factors = scale[:, None] ** jnp.asarray(_powers(columns), dtype)[None]
    return replace(
        batch,
        sources=batch.sources * factors[:, None, None],
        grid=batch.grid * scale[:, None, None],
        potential=batch.potential * scale[:, None, None],
    )


def _powers(columns: SourceColumns) -> tuple[int, ...]:
    """The power of length in each column, at constant magnetisation."""
    dim = columns.dim
    behind = (1 if name in SIZES else 0 for name in columns.names[2 * dim :])
    return (*(dim,) * dim, *(1,) * dim, *behind)


def _obstacle(columns: SourceColumns) -> str | None:
    fixed = [name for name, _ in columns.constants if name in SIZES]
    return f"a column of its own for {', '.join(fixed)}" if fixed else None


SCALING = Symmetry(scaled, _obstacle)
"""Not for sizes shared by all rows: the source table has no place for the scaled sizes."""


def scaled_moments(columns: SourceColumns, batch: DeviceBatch, key: AnyKey) -> DeviceBatch:
    """Multiply moments and applied field of each sample by c: phi(c m) = c phi(m), H -> c H.

    Args:
        columns: Columns of the sources.
        batch: The batch.
        key: Random key.

    Returns:
        The batch.
    """
    dtype, most = batch.grid.dtype, OCTAVES_OF_MOMENT
    octaves = per_sample(lambda one: jr.uniform(one, (), dtype, -most, most), key, batch)
    return times_moments(columns, batch, jnp.exp2(octaves))


def times_moments(
    columns: SourceColumns, batch: DeviceBatch, factors: Float[Array, "blocks samples"]
) -> DeviceBatch:
    """Moments, applied field, potential and field of each sample times a factor.

    Args:
        columns: Columns of the sources.
        batch: The batch.
        factors: Of each sample.

    Returns:
        The batch.
    """
    moments = batch.sources[..., : columns.dim] * factors[..., None, None]
    sources = jnp.concatenate([moments, batch.sources[..., columns.dim :]], axis=-1)
    applied = {
        name: batch.sources[..., columns.index(name)] * factors[..., None]
        for name in applied_names(columns)
    }
    return replace(
        batch,
        sources=with_columns(columns, sources, applied),
        potential=batch.potential * factors[..., None],
        field=batch.field * factors[..., None, None],
    )


MOMENT_SCALING = Symmetry(scaled_moments, shared_field)
"""Exact for any bodies, of soft ones as they are linear."""

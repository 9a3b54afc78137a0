"""Scaling of all lengths, of the same material."""

from dataclasses import replace

import jax.numpy as jnp
import jax.random as jr

from hypermagnetics.shapes import AnyKey
from hypermagnetics.sources import SourceColumns
from hypermagnetics.table import SIZES
from hypermagnetics.train.augmentation.symmetry import Symmetry, per_block
from hypermagnetics.train.batch import DeviceBatch

OCTAVES = 0.5
"""Factors are between 1/sqrt(2) and sqrt(2), uniform in their logarithm."""


def scaled(columns: SourceColumns, batch: DeviceBatch, key: AnyKey) -> DeviceBatch:
    """Multiply all lengths of each block by a factor s, and the moments by s^dim.

    Magnetostatics has no scale of length. The magnetisation, moment over volume, stays, and so does
    H at the scaled points; phi(s^dim m, s d, s sizes) = s phi(m, d, sizes).

    Args:
        columns: Columns of the sources.
        batch: The batch.
        key: Random key.

    Returns:
        The scaled batch.
    """
    dtype = batch.grid.dtype
    octaves = per_block(lambda one: jr.uniform(one, (), dtype, -OCTAVES, OCTAVES), key, batch)
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

"""Scaling of the moments of a sample by a random factor."""

from dataclasses import replace

import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float

from hypermagnetics.shapes import AnyKey
from hypermagnetics.sources import SourceColumns
from hypermagnetics.train.augmentation.symmetry import Symmetry, none, per_sample
from hypermagnetics.train.batch import DeviceBatch

OCTAVES = 1.0
"""Factors are between 1/2 and 2, uniform in their logarithm."""


def scaled_moments(columns: SourceColumns, batch: DeviceBatch, key: AnyKey) -> DeviceBatch:
    """Multiply the moments of each sample by a factor c: phi(c m) = c phi(m), H -> c H.

    Args:
        columns: Columns of the sources.
        batch: The batch.
        key: Random key.

    Returns:
        The batch.
    """
    dtype = batch.grid.dtype
    octaves = per_sample(lambda one: jr.uniform(one, (), dtype, -OCTAVES, OCTAVES), key, batch)
    return times_moments(columns, batch, jnp.exp2(octaves))


def times_moments(
    columns: SourceColumns, batch: DeviceBatch, factors: Float[Array, "blocks samples"]
) -> DeviceBatch:
    """Moments, potential and field of each sample times a factor.

    Args:
        columns: Columns of the sources.
        batch: The batch.
        factors: Of each sample.

    Returns:
        The batch.
    """
    moments = batch.sources[..., : columns.dim] * factors[..., None, None]
    return replace(
        batch,
        sources=jnp.concatenate([moments, batch.sources[..., columns.dim :]], axis=-1),
        potential=batch.potential * factors[..., None],
        field=batch.field * factors[..., None, None],
    )


MOMENT_SCALING = Symmetry(scaled_moments, none)
"""Exact for any bodies."""

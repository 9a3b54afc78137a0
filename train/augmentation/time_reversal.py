"""Reversal of the sign of all moments of a sample, and of the field applied to it."""

import jax.random as jr

from hypermagnetics.shapes import AnyKey
from hypermagnetics.sources import SourceColumns
from hypermagnetics.train.augmentation.scaling import times_moments
from hypermagnetics.train.augmentation.symmetry import Symmetry, per_sample, shared_field
from hypermagnetics.train.devices import DeviceBatch


def reversed_in_time(columns: SourceColumns, batch: DeviceBatch, key: AnyKey) -> DeviceBatch:
    """Reverse moments and applied field of half of the samples: phi(-m) = -phi(m), H -> -H.

    Args:
        columns: Columns of the sources.
        batch: The batch.
        key: Random key.

    Returns:
        The batch.
    """
    dtype = batch.grid.dtype
    signs = per_sample(lambda one: jr.rademacher(one, (), dtype), key, batch)
    return times_moments(columns, batch, signs)


TIME_REVERSAL = Symmetry(reversed_in_time, shared_field)
"""Exact for any bodies."""

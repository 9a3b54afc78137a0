"""Uniform random numbers, determined for each sample by (seed, split, index) alone.

They come from Philox, whose output is specified, and become physical values by numpy in float64
(`distributions`). So a recipe means the same sources and grids on every machine, whatever compiles
the sums.
"""

import zlib
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Float64
from scipy.special import ndtri

Purpose = Literal[
    "sources",
    "grid",
    "num_sources",
    "shapes",
    "lattice",
    "packing",
    "surface",
    "states",
    "susceptibility",
    "applied_field",
]
_PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
"""The place of a purpose is part of the key of its stream: append, never reorder."""

_WORDS_PER_COUNT = 4
"""Words made by Philox 4x64 from each value of its counter."""

_LARGEST = 1 - 2.0**-53
"""Largest number below 1. The centre of the last interval would be rounded up to 1."""


def uniforms(
    seed: int, split: str, purpose: Purpose, first: int, count: int, size: int
) -> Float64[np.ndarray, "count size"]:
    """Uniform random numbers of consecutive samples, or grids, of a split.

    Item i owns its own stretch of the stream of (seed, split, purpose), so neither the number of
    items, nor shards, nor the order of work changes a number. A hyphen in the name of a split
    counts as an underscore, so that a split may be renamed for hubs, which refuse hyphens.

    Args:
        seed: Seed of the dataset.
        split: Name of the split.
        purpose: Purpose of the numbers.
        first: The first sample or grid.
        count: Number of samples or grids.
        size: Numbers of each.

    Returns:
        Numbers between 0 and 1, both excluded.

    References:
        Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC'11.
    """
    stream = zlib.crc32(split.replace("_", "-").encode()) << 8 | _PURPOSES.index(purpose)
    generator = np.random.Philox(key=np.array([seed, stream], np.uint64))
    counts = -(-size // _WORDS_PER_COUNT)
    generator.advance(first * counts)
    words = generator.random_raw((count, counts * _WORDS_PER_COUNT))[:, :size]
    # The centres of 2^53 equal intervals: neither 0 nor 1, where quantiles are infinite.
    numbers = (words >> np.uint64(11)).astype(np.float64)
    numbers += 0.5
    numbers *= 2.0**-53
    return np.minimum(numbers, _LARGEST, out=numbers)


def whole_numbers(uniform: Float64[np.ndarray, "..."], below: int) -> np.ndarray:
    """Whole numbers 0, 1, ... below a bound, all equally probable.

    Args:
        uniform: Uniform random numbers between 0 and 1.
        below: The bound, small against 2^53.

    Returns:
        One whole number for each.
    """
    # A number close to 1 times the bound may be rounded to the bound.
    return np.minimum((uniform * below).astype(np.int64), below - 1)


def directions(uniform: Float[np.ndarray, "*rows dim"]) -> Float64[np.ndarray, "*rows dim"]:
    """Unit vectors, all directions equally probable: normal vectors, divided by their norm.

    Args:
        uniform: Uniform random numbers between 0 and 1.

    Returns:
        A vector for each row.
    """
    normal = ndtri(np.asarray(uniform, np.float64))
    unit: np.ndarray = normal / np.linalg.norm(normal, axis=-1, keepdims=True)
    return unit

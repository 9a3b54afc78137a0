"""Random configurations: every sample depends on (seed, split, index) alone.

Random numbers come from Philox, whose output is specified, and become physical values by numpy in
float64. So a recipe means the same sources and grids on every machine, whatever compiles the sums.
"""

import zlib
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float, Float32, Float64
from pydantic import Field
from scipy.special import ndtri

from hypermagnetics.config import Config

Purpose = Literal["sources", "grid"]
_PURPOSES: tuple[Purpose, ...] = ("sources", "grid")
_WORDS_PER_COUNT = 4
"""Philox 4x64 makes four words of each value of its counter."""


class Normal(Config):
    """Independent normal components of zero mean."""

    distribution: Literal["normal"] = "normal"
    std: Annotated[float, Field(gt=0)]
    """Standard deviation of each component, in the unit of the quantity."""

    def quantile(self, probability: Float[np.ndarray, "..."]) -> Float64[np.ndarray, "..."]:
        """The values below which the given shares of the distribution lie.

        Args:
            probability: Between 0 and 1, both excluded.

        Returns:
            Values in the unit of `std`; uniform probabilities make normal values.
        """
        values: np.ndarray = self.std * ndtri(np.asarray(probability, np.float64))
        return values


def uniforms(
    seed: int, split: str, purpose: Purpose, first: int, count: int, size: int
) -> Float64[np.ndarray, "count size"]:
    """Uniform random numbers that belong to consecutive samples, or grids, of a split.

    Item i owns its own stretch of the stream of (seed, split, purpose), so neither the number of
    items, nor shards, nor the order of work changes a number.

    Args:
        seed: Seed of the dataset.
        split: Name of the split.
        purpose: What the numbers serve.
        first: The first sample or grid.
        count: How many samples or grids.
        size: Numbers of each.

    Returns:
        Numbers between 0 and 1, both excluded.

    References:
        Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC'11.
    """
    stream = zlib.crc32(split.encode()) << 8 | _PURPOSES.index(purpose)
    generator = np.random.Philox(key=np.array([seed, stream], np.uint64))
    counts = -(-size // _WORDS_PER_COUNT)
    generator.advance(first * counts)
    words = generator.random_raw((count, counts * _WORDS_PER_COUNT))[:, :size]
    # The centres of 2^53 equal intervals: neither 0 nor 1, where quantiles are infinite.
    return ((words >> np.uint64(11)) + 0.5) * 2.0**-53


def sample_sources(
    uniform: Float[np.ndarray, "samples sources columns"], moment: Normal, position: Normal
) -> Float32[np.ndarray, "samples sources columns"]:
    """Make source tables from uniform random numbers.

    Args:
        uniform: One number for each component of moment and position, between 0 and 1.
        moment: Distribution of the moments [A m].
        position: Distribution of the positions [m].

    Returns:
        Rows [moment, position].
    """
    dim = uniform.shape[-1] // 2
    moments, positions = moment.quantile(uniform[..., :dim]), position.quantile(uniform[..., dim:])
    with np.errstate(over="ignore"):  # the writer names the sample of a value that is infinite
        return np.concatenate([moments, positions], axis=-1).astype(np.float32)

"""Random configurations: every sample depends on its key alone."""

import zlib
from typing import Annotated, Literal

import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, Key
from pydantic import Field

from hypermagnetics.config import Config
from hypermagnetics.shapes import AnyKey


class Normal(Config):
    """Independent normal components of zero mean."""

    distribution: Literal["normal"] = "normal"
    std: Annotated[float, Field(gt=0)]
    """Standard deviation of each component, in the unit of the quantity."""

    def draw(self, key: AnyKey, shape: tuple[int, ...]) -> Float[Array, "*shape"]:
        """Draw float32 numbers; the same key gives the same numbers."""
        return self.std * jr.normal(key, shape, dtype=jnp.float32)


def sample_sources(
    key: AnyKey, num_sources: int, dim: int, moment: Normal, position: Normal
) -> Float[Array, "sources columns"]:
    """Draw the source table of one configuration.

    Args:
        key: Random key.
        num_sources: How many sources.
        dim: Space dimension.
        moment: Distribution of the moments [A m].
        position: Distribution of the positions [m].

    Returns:
        Rows [moment, position], float32.
    """
    moment_key, position_key = jr.split(key)
    shape = (num_sources, dim)
    return jnp.concatenate(
        [moment.draw(moment_key, shape), position.draw(position_key, shape)], axis=-1
    )


def split_keys(seed: int, split: str) -> tuple[Key[Array, ""], Key[Array, ""]]:
    """The keys from which all samples and all grids of a split are drawn.

    Sample i takes `jax.random.fold_in(samples, i)`, grid b `fold_in(grids, b)`, so neither the
    number of samples, nor shards, nor the order of work changes a draw.

    Args:
        seed: Seed of the dataset.
        split: Name of the split.

    Returns:
        The keys (samples, grids).
    """
    # The generator is named, so that a later default of jax does not change what a recipe means.
    key = jr.fold_in(jr.key(seed, impl="threefry2x32"), zlib.crc32(split.encode()))
    return jr.fold_in(key, 0), jr.fold_in(key, 1)

"""Weights of points by their region among the bodies of their sample."""

from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, UInt8

from hypermagnetics.sources import REGIONS
from hypermagnetics.train.losses.sample_loss import PointWeights


@dataclass(frozen=True)
class RegionWeights:
    """Weights of the points of each region, see `hypermagnetics.sources.region_codes`."""

    inside: float
    near: float
    beyond: float

    def __call__(self, codes: UInt8[Array, "blocks samples points"]) -> PointWeights:
        """The weight of each point."""
        weights = [getattr(self, name) for name in REGIONS]
        return jnp.asarray(weights, jnp.float32)[codes]

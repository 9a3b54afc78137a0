"""The error relative to the truth, point by point."""

from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Float


@dataclass(frozen=True)
class Relative:
    """(|e|² / (|truth|² + floor²)) ** (power / 2); a `PointLoss`.

    With a power of 1 it is what the metrics report, |e| / |truth|, where the truth is above the
    floor.
    """

    power: float
    """Power of |e|, at least 1."""
    floor: float
    """Floor of the truth: below, errors count nearly as at this size [root mean squares]."""

    def __call__(
        self, error: Float[Array, "*shape components"], truth: Float[Array, "*shape components"]
    ) -> Float[Array, "*shape"]:
        """The loss; its gradient is finite also at e = 0, and both where the truth is 0."""
        ratio = jnp.sum(error**2, axis=-1) / (jnp.sum(truth**2, axis=-1) + self.floor**2)
        if self.power == 2:
            return ratio
        # Powers of 0 below 1 have an infinite slope, so they are kept out of both branches.
        positive = ratio > 0
        return jnp.where(positive, jnp.where(positive, ratio, 1) ** (self.power / 2), 0)

"""The error relative to the truth, point by point."""

from typing import Annotated, Literal

import jax.numpy as jnp
from jaxtyping import Array, Float
from pydantic import Field

from hypermagnetics.train.losses.loss import LossOfPoints

Floor = Annotated[float, Field(ge=1e-6)]
"""Its square is a float32, and no less than one."""


class Relative(LossOfPoints):
    """(|e|² / (|truth|² + floor²)) ** (power / 2).

    With a power of 1 it is what the metrics report, |e| / |truth|, where the truth is above the
    floor.
    """

    kind: Literal["relative"] = "relative"
    power: Annotated[float, Field(ge=1, le=8)] = 1.0
    """Power of |e|, at least 1."""
    floor: Floor = 0.01
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

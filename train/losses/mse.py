"""The squared error."""

from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float

from hypermagnetics.train.losses.loss import LossOfPoints


class MeanSquare(LossOfPoints):
    """|e|², whose mean is the mean squared error."""

    kind: Literal["mse"] = "mse"

    def __call__(
        self, error: Float[Array, "*shape components"], truth: Float[Array, "*shape components"]
    ) -> Float[Array, "*shape"]:
        """The loss of each point."""
        return jnp.sum(error**2, axis=-1)

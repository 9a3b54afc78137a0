"""The squared error."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def mse(
    error: Float[Array, "*shape components"], truth: Float[Array, "*shape components"]
) -> Float[Array, "*shape"]:
    """|e|², whose mean is the mean squared error; a `PointLoss`."""
    return jnp.sum(error**2, axis=-1)

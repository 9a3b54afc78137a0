"""Huber's loss: quadratic for small errors, linear for large ones."""

from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float

from hypermagnetics.config import Positive
from hypermagnetics.train.losses.loss import LossOfPoints


class Huber(LossOfPoints):
    """Huber's loss of |e|; a `PointLoss`."""

    kind: Literal["huber"] = "huber"
    delta: Positive = 1.0
    """Transition from quadratic to linear [root mean squares]."""

    def __call__(
        self, error: Float[Array, "*shape components"], truth: Float[Array, "*shape components"]
    ) -> Float[Array, "*shape"]:
        """See `huber`."""
        return huber(jnp.sum(error**2, axis=-1), self.delta)


def huber(squared: Float[Array, "*shape"], delta: float) -> Float[Array, "*shape"]:
    """Huber's loss of a vector, divided by delta: |e|²/(2 delta) up to delta, then |e| - delta/2.

    Args:
        squared: |e|².
        delta: Transition from quadratic to linear.

    Returns:
        The loss; its gradient is finite also at e = 0.

    References:
        P. J. Huber, Robust estimation of a location parameter, Ann. Math. Statist. 35 (1964) 73.
    """
    # The root is kept away from 0, where its gradient is infinite, also in the branch not taken.
    small = squared < delta**2
    norm = jnp.sqrt(jnp.where(small, delta**2, squared))
    return jnp.where(small, squared / (2 * delta), norm - delta / 2)

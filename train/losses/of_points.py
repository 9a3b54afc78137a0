"""Shipped losses of single points."""

from typing import Annotated, Literal

import jax.numpy as jnp
from jaxtyping import Array, Float
from pydantic import Field

from hypermagnetics.config import Positive
from hypermagnetics.train.losses.loss import LossOfPoints

Floor = Annotated[float, Field(ge=1e-6)]
"""Its square is a float32, and no less than one."""


class MeanSquare(LossOfPoints):
    """|e|², whose mean is the mean squared error."""

    kind: Literal["mse"] = "mse"
    """Kind of loss: the mean over points of |e|², for the error e in units of the root mean square
    of the truth."""

    def __call__(
        self, error: Float[Array, "*shape components"], truth: Float[Array, "*shape components"]
    ) -> Float[Array, "*shape"]:
        """The loss of each point."""
        return jnp.sum(error**2, axis=-1)


class MeanAbsolute(LossOfPoints):
    """|e|, whose mean is the mean absolute error."""

    kind: Literal["mae"] = "mae"
    """Kind of loss: the mean over points of |e|, for the error e in units of the root mean square
    of the truth."""

    def __call__(
        self, error: Float[Array, "*shape components"], truth: Float[Array, "*shape components"]
    ) -> Float[Array, "*shape"]:
        """The loss of each point; its gradient is 0 at e = 0."""
        square = jnp.sum(error**2, axis=-1)
        return jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), 0)


class Huber(LossOfPoints):
    """Huber's loss of |e|; a `PointLoss`."""

    kind: Literal["huber"] = "huber"
    """Kind of loss: the mean over points of |e|² / (2 delta) up to delta, |e| - delta / 2 beyond,
    so that a few large errors e count less."""
    delta: Positive = 1.0
    """Transition from quadratic to linear [root mean squares]."""

    def __call__(
        self, error: Float[Array, "*shape components"], truth: Float[Array, "*shape components"]
    ) -> Float[Array, "*shape"]:
        """See `huber`."""
        return huber(jnp.sum(error**2, axis=-1), self.delta)


class Cauchy(LossOfPoints):
    """delta log(1 + |e|² / (2 delta²)), which grows but as a logarithm beyond delta."""

    kind: Literal["cauchy"] = "cauchy"
    """Kind of loss: the mean over points of delta log(1 + |e|² / (2 delta²)). Large errors e pull
    less than those of size delta, so that points which a model cannot serve, as at surfaces, are
    given up for the others."""
    delta: Positive = 1.0
    """Size of the errors that pull most, but for a factor of the root of 2 [root mean squares]."""

    def __call__(
        self, error: Float[Array, "*shape components"], truth: Float[Array, "*shape components"]
    ) -> Float[Array, "*shape"]:
        """The loss of each point."""
        squared = jnp.sum((error / self.delta) ** 2, axis=-1)
        return self.delta * jnp.log1p(squared / 2)


class Relative(LossOfPoints):
    """(|e|² / (|truth|² + floor²)) ** (power / 2).

    With a power of 1 it is what the metrics report, |e| / |truth|, where the truth is above the
    floor.
    """

    kind: Literal["relative"] = "relative"
    """Kind of loss: the mean over points of (|e|² / (|truth|² + floor²)) ** (power / 2), with a
    power of 1 the errors that metrics report, also where the field is weak."""
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

"""Losses of whole samples: the form of every term before its mean over samples."""

from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Float

from hypermagnetics.train.losses.point_loss import PointLoss

Values = Float[Array, "blocks samples points components"]
"""Errors or truths in units of the root mean square of the truth: one component for the potential,
`dim` for the field."""
PointWeights = Float[Array, "blocks samples points"]
SampleLosses = Float[Array, "blocks samples"]

SampleLoss = Callable[[Values, Values, PointWeights | None], SampleLosses]
"""Loss of each sample from its own errors, truths and weights of points (None: 1 each) alone, so
that the samples of a batch may be divided among chunks and devices."""


@dataclass(frozen=True)
class MeanOverPoints:
    """The mean of w loss(e, truth) over the points of a sample; a `SampleLoss`."""

    loss: PointLoss

    def __call__(self, error: Values, truth: Values, weights: PointWeights | None) -> SampleLosses:
        """The loss of each sample."""
        losses = self.loss(error, truth)
        return jnp.mean(losses if weights is None else weights * losses, axis=-1)

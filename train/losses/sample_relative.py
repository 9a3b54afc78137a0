"""The error of a sample relative to the truth of the sample."""

from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float

from hypermagnetics.train.losses.loss import Loss, PointWeights, SampleLoss, SampleLosses, Values
from hypermagnetics.train.losses.of_points import Floor


class SampleRelative(Loss):
    """sum w |e|² / sum (w |truth|² + floor²) over the points of a sample; a `SampleLoss`.

    The square of the relative L2 error, so that samples of weak and strong sources count alike.
    """

    kind: Literal["sample-relative"] = "sample-relative"
    """Kind of loss: sum |e|² / sum (|truth|² + floor²) over the points of a sample, so that samples
    of weak and strong sources count alike."""
    floor: Floor = 0.01
    """Floor of the truth, which keeps samples without truth finite [root mean squares]."""

    def on_samples(self, dim: int) -> SampleLoss:
        """Itself, in any dimension."""
        return self

    def __call__(self, error: Values, truth: Values, weights: PointWeights | None) -> SampleLosses:
        """The loss of each sample."""
        return _mean_square(error, weights) / (_mean_square(truth, weights) + self.floor**2)


def _mean_square(values: Values, weights: PointWeights | None) -> Float[Array, "blocks samples"]:
    squares = jnp.sum(values**2, axis=-1)
    return jnp.mean(squares if weights is None else weights * squares, axis=-1)

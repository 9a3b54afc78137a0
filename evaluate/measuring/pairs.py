"""Labels beside predictions at some points of all samples, for parity plots."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from hypermagnetics.evaluate.subjects.subject import Values

_PAIRS = 2048
"""Approximate number of points kept for a split, spread evenly over the samples."""
_STRIDE = 7919
"""A prime, so that the points kept differ from sample to sample."""


class Pairs(NamedTuple):
    """True and predicted values at the same points."""

    true_potential: Float32[np.ndarray, " points"]
    potential: Float32[np.ndarray, " points"]
    true_field: Float32[np.ndarray, "points dim"]
    field: Float32[np.ndarray, "points dim"]

    @classmethod
    def join(cls, parts: Sequence["Pairs"]) -> "Pairs":
        """The pairs of all parts, in order."""
        return cls(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def pairs_of(predicted: Values, truth: Values, first: int, num_samples: int) -> Pairs:
    """Select the pairs to keep of some consecutive samples.

    Args:
        predicted: The predictions.
        truth: The labels.
        first: Number of the first sample.
        num_samples: Number of samples of the whole split.

    Returns:
        The pairs; their points depend on the numbers of the samples alone.
    """
    every = max(num_samples // _PAIRS, 1)
    of_each = min(-(-_PAIRS // num_samples), truth.potential.shape[1])
    numbers = np.arange(first, first + len(truth.potential))
    numbers = numbers[numbers % every == 0]
    points = (numbers[:, None] * _STRIDE + np.arange(of_each) * _STRIDE) % truth.potential.shape[1]
    chosen = np.repeat(numbers - first, of_each), points.ravel()
    with np.errstate(over="ignore"):
        kept = (truth.potential, predicted.potential, truth.field, predicted.field)
        return Pairs(*(values[chosen].astype(np.float32) for values in kept))

"""Predictions compared with the truth, point by point."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int

from hypermagnetics.arrays import Numbers
from hypermagnetics.errors import HypermagneticsError, LabelError
from hypermagnetics.metrics.arguments import values_of


@dataclass(frozen=True)
class Errors:
    """Errors of some samples in one quantity, the input of all metrics."""

    relative: Float32[np.ndarray, "samples points"]
    """Relative error at each point: infinite where the prediction is not finite, NaN where the
    truth is zero."""
    squared_error: Float[np.ndarray, " samples"]
    """Sum over the points of |predicted - truth|²."""
    squared_truth: Float[np.ndarray, " samples"]
    """Sum over the points of |truth|²."""
    nonfinite: Int[np.ndarray, " samples"]
    """Number of predicted points that are not finite."""

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """All arrays, in order."""
        return self.relative, self.squared_error, self.squared_truth, self.nonfinite

    def sample_relative_l2(self) -> Float[np.ndarray, " samples"]:
        """||predicted - truth||₂ / ||truth||₂ of each sample; NaN where the truth is all zero."""
        return root_of_ratio(self.squared_error, self.squared_truth)


def measure(predicted: Numbers, truth: Numbers) -> Errors:
    """Compare predictions with the truth, point by point.

    Args:
        predicted: Potential [A] or field [A/m], of the shape of `truth`.
        truth: Potential of shape (samples, points), or field of shape (samples, points, dim).

    Returns:
        The errors, computed in float64.

    Raises:
        HypermagneticsError: If the shapes differ, or one is no array of real numbers.
        LabelError: If the truth is not finite.
    """
    predicted = values_of(predicted, "The prediction", dims=(2, 3))
    truth = values_of(truth, "The truth", dims=(2, 3))
    if predicted.shape != truth.shape:
        raise HypermagneticsError(
            f"The prediction must have the shape of the truth, {truth.shape}; got "
            f"{predicted.shape} (metrics.measure). Predict at the points of the truth."
        )
    if not np.isfinite(truth).all():
        first = tuple(np.argwhere(~np.isfinite(truth))[0])
        raise LabelError(
            f"The truth must be finite; got {truth[first]} (metrics.measure, sample {first[0]} of "
            "the arguments). Compute the labels again."
        )
    with np.errstate(over="ignore", invalid="ignore"):
        squared_error = _squared_norm(predicted.astype(np.float64) - truth)
    squared_error[~np.isfinite(squared_error)] = np.inf
    squared_truth = _squared_norm(truth.astype(np.float64))
    with np.errstate(over="ignore"):
        relative = root_of_ratio(squared_error, squared_truth).astype(np.float32)
    finite = np.isfinite(predicted) if predicted.ndim == 2 else np.isfinite(predicted).all(axis=-1)
    return Errors(
        relative,
        squared_error.sum(axis=1),
        squared_truth.sum(axis=1),
        np.count_nonzero(~finite, axis=1),
    )


def joined(parts: Sequence[Errors]) -> Errors:
    """Errors of several groups of samples, one after another; of as many points each."""
    return Errors(*map(np.concatenate, zip(*(part.arrays for part in parts), strict=True)))


def pooled_relative_l2(errors: Errors) -> np.floating:
    """||predicted - truth||₂ / ||truth||₂ over all points of all samples; NaN for no truth."""
    sums = errors.squared_error.sum(keepdims=True), errors.squared_truth.sum(keepdims=True)
    found: np.floating = root_of_ratio(*sums)[0]
    return found


def _squared_norm(values: Float[np.ndarray, "samples points *axis"]) -> np.ndarray:
    squares: np.ndarray = np.square(values)
    return squares if squares.ndim == 2 else squares.sum(axis=-1)


def root_of_ratio(squared_error: np.ndarray, squared_truth: np.ndarray) -> np.ndarray:
    """sqrt(error / truth), NaN where the truth is zero."""
    ratio = np.full_like(squared_error, np.nan)
    np.divide(squared_error, squared_truth, out=ratio, where=squared_truth > 0)
    root: np.ndarray = np.sqrt(ratio)
    return root

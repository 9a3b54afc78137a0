"""How far predictions are from the truth: always as fractions of it, and in physical units before.

The relative error at a point is |predicted - truth| / |truth|, with vector norms for the field.
Nothing is dropped in silence: a prediction that is not finite counts as an infinite error, and
points whose truth is exactly zero, which have no relative error, are counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int

from hypermagnetics.errors import HypermagneticsError, LabelError

_RESAMPLES = 1000
_SEED = 0
_BINS = 1000
"""Equally filled bins in which the bootstrap counts errors; medians are interpolated in a bin."""

_SAMPLES_PER_STEP = 1024
"""Samples whose histograms are in memory at a time during the bootstrap."""


@dataclass(frozen=True)
class Errors:
    """The errors of some samples in one quantity: all that the metrics are computed from."""

    relative: Float32[np.ndarray, "samples points"]
    """Relative error at each point: infinite where the prediction is not finite, NaN where the
    truth is zero."""
    squared_error: Float[np.ndarray, " samples"]
    """Sum over the points of |predicted - truth|²."""
    squared_truth: Float[np.ndarray, " samples"]
    """Sum over the points of |truth|²."""
    nonfinite: Int[np.ndarray, " samples"]
    """How many points of the prediction are not finite."""

    @classmethod
    def join(cls, parts: Sequence["Errors"]) -> "Errors":
        """The errors of all samples of some parts, in order."""
        return cls(
            np.concatenate([part.relative for part in parts]),
            np.concatenate([part.squared_error for part in parts]),
            np.concatenate([part.squared_truth for part in parts]),
            np.concatenate([part.nonfinite for part in parts]),
        )

    def of(self, samples: np.ndarray) -> "Errors":
        """The errors of some of the samples, chosen by a mask or by numbers."""
        return Errors(
            self.relative[samples],
            self.squared_error[samples],
            self.squared_truth[samples],
            self.nonfinite[samples],
        )

    def sample_relative_l2(self) -> Float[np.ndarray, " samples"]:
        """||predicted - truth||₂ / ||truth||₂ of each sample; NaN where the truth is all zero."""
        return _root_of_ratio(self.squared_error, self.squared_truth)


@dataclass(frozen=True)
class Scores:
    """The metrics of some samples in one quantity, as fractions; NaN where one is undefined."""

    median_relative_error: float
    """Median over all points of all samples; equation 10 of arXiv 2405.05981."""
    p90_relative_error: float
    p99_relative_error: float
    median_sample_relative_l2: float
    """Median over samples of ||error||₂ / ||truth||₂."""
    global_relative_l2: float
    """||error||₂ / ||truth||₂ over all points of all samples together."""
    nonfinite_fraction: float
    """Share of the predicted points that are not finite."""
    ci95: tuple[float, float] | None
    """95 % bootstrap interval over samples of `median_relative_error`; None if undefined."""
    zero_truth_points: int
    """Points left out of the quantiles because their truth is exactly zero."""
    num_samples: int


def measure(
    predicted: Float[np.ndarray, "..."], truth: Float[np.ndarray, "samples points *axis"]
) -> Errors:
    """Compare predictions with the truth, point by point.

    Args:
        predicted: Potential [A] or field [A/m], of the shape of `truth`.
        truth: Potential of shape (samples, points), or field of shape (samples, points, dim).

    Returns:
        The errors, computed in float64.

    Raises:
        HypermagneticsError: If the shapes differ.
        LabelError: If the truth is not finite.
    """
    if predicted.shape != truth.shape:
        raise HypermagneticsError(
            f"The prediction must have the shape of the truth, {truth.shape}; got "
            f"{predicted.shape} (metrics.measure). Predict at the points of the truth."
        )
    if not np.isfinite(truth).all():
        sample = int(np.argwhere(~np.isfinite(truth))[0][0])
        raise LabelError(
            f"The truth must be finite; got a value that is not (metrics.measure, sample {sample} "
            "of those given). Make the labels anew."
        )
    with np.errstate(over="ignore", invalid="ignore"):
        squared_error = _squared_norm(predicted.astype(np.float64) - truth)
    squared_error[~np.isfinite(squared_error)] = np.inf
    squared_truth = _squared_norm(truth.astype(np.float64))
    with np.errstate(over="ignore"):
        relative = _root_of_ratio(squared_error, squared_truth).astype(np.float32)
    finite = np.isfinite(predicted) if predicted.ndim == 2 else np.isfinite(predicted).all(axis=-1)
    return Errors(
        relative,
        squared_error.sum(axis=1),
        squared_truth.sum(axis=1),
        np.count_nonzero(~finite, axis=1),
    )


def scores(errors: Errors) -> Scores:
    """The metrics of some samples.

    Args:
        errors: From `measure`; at least one sample.

    Returns:
        The metrics, as fractions.
    """
    defined = errors.relative[~np.isnan(errors.relative)]
    median, p90, p99 = quantiles(defined, (0.5, 0.9, 0.99))
    sample_l2 = errors.sample_relative_l2()
    global_l2 = _root_of_ratio(
        errors.squared_error.sum(keepdims=True), errors.squared_truth.sum(keepdims=True)
    )
    return Scores(
        median_relative_error=float(median),
        p90_relative_error=float(p90),
        p99_relative_error=float(p99),
        median_sample_relative_l2=float(quantiles(sample_l2[~np.isnan(sample_l2)], (0.5,))[0]),
        global_relative_l2=float(global_l2[0]),
        nonfinite_fraction=float(errors.nonfinite.sum() / errors.relative.size),
        ci95=median_interval(errors.relative),
        zero_truth_points=errors.relative.size - defined.size,
        num_samples=len(errors.relative),
    )


def quantiles(
    values: Float[np.ndarray, " values"], probabilities: Sequence[float] | np.ndarray
) -> Float[np.ndarray, " probabilities"]:
    """Quantiles, linear between order statistics, of numbers that may be infinite.

    Unlike `numpy.quantile` it meets infinity - infinity nowhere, so a quantile among infinite
    values is infinite and not NaN.

    Args:
        values: Numbers without NaN.
        probabilities: From 0 (the smallest) to 1 (the largest).

    Returns:
        The quantiles in float64; NaN if there are no values.
    """
    if not values.size:
        return np.full(len(probabilities), np.nan)
    place = np.asarray(probabilities, np.float64) * (values.size - 1)
    below = np.floor(place).astype(np.int64)
    ordered = np.sort(values)
    low = ordered[below].astype(np.float64)
    high = ordered[np.minimum(below + 1, values.size - 1)].astype(np.float64)
    between = (place > below) & (low < high)
    step = np.subtract(high, low, out=np.zeros_like(low), where=between)
    return low + np.multiply(place - below, step, out=np.zeros_like(low), where=between)


def median_interval(
    relative: Float32[np.ndarray, "samples points"],
) -> tuple[float, float] | None:
    """95 % bootstrap interval of the median over all points, samples being drawn with replacement.

    Points of one sample share its sources, so samples are the independent unit. Each of 1000
    resamples adds up histograms of the samples drawn, by a matrix product, in bins that hold a
    thousandth of all points each. The seed is fixed: equal errors give equal intervals.

    Args:
        relative: Relative errors; NaN where there is none.

    Returns:
        The 2.5 % and the 97.5 % quantile of the medians of the resamples; None for a single
        sample, or where no point has a relative error.

    References:
        Efron, Tibshirani, An Introduction to the Bootstrap, chapter 13 (percentile interval).
    """
    num_samples = len(relative)
    edges = _bin_edges(relative[~np.isnan(relative)])
    if num_samples < 2 or not edges.size:
        return None
    generator = np.random.default_rng(_SEED)
    parts = [
        relative[first : first + _SAMPLES_PER_STEP]
        for first in range(0, num_samples, _SAMPLES_PER_STEP)
    ]
    # How many of a resample's draws fall into each part is multinomial; within a part they are
    # uniform. So no array is as large as (resamples, samples).
    shares = np.array([len(part) for part in parts]) / num_samples
    draws = generator.multinomial(num_samples, shares, size=_RESAMPLES)
    counts = np.zeros((_RESAMPLES, edges.size))
    for part, part_draws in zip(parts, draws.T, strict=True):
        counts += _times_drawn(generator, part_draws, len(part)) @ _histograms(part, edges)
    medians = _medians(counts, edges)
    low, high = quantiles(medians[~np.isnan(medians)], (0.025, 0.975))
    return float(low), float(high)


def _squared_norm(values: Float[np.ndarray, "samples points *axis"]) -> np.ndarray:
    squares: np.ndarray = np.square(values)
    return squares if squares.ndim == 2 else squares.sum(axis=-1)


def _root_of_ratio(squared_error: np.ndarray, squared_truth: np.ndarray) -> np.ndarray:
    ratio = np.full_like(squared_error, np.nan)
    np.divide(squared_error, squared_truth, out=ratio, where=squared_truth > 0)
    root: np.ndarray = np.sqrt(ratio)
    return root


def _bin_edges(defined: Float[np.ndarray, " points"]) -> Float[np.ndarray, " bins"]:
    """Upper ends of the bins, their upper end belonging to each; the first holds the least value.

    A value that fills more than a bin gets a bin of its own, and so do infinities: to interpolate
    between them and their neighbours would invent errors nobody made.
    """
    infinite = defined[np.isinf(defined)][:1]
    evenly = quantiles(defined[np.isfinite(defined)], np.linspace(0, 1, _BINS + 1))
    evenly = evenly[~np.isnan(evenly)]
    repeated = evenly[1:][evenly[1:] == evenly[:-1]]
    return np.unique(np.concatenate([evenly, np.nextafter(repeated, -np.inf), infinite]))


def _times_drawn(
    generator: np.random.Generator, draws: Int[np.ndarray, " resamples"], num_samples: int
) -> Float32[np.ndarray, "resamples samples"]:
    """How often each resample draws each of some samples."""
    resample = np.repeat(np.arange(draws.size), draws)
    sample = generator.integers(num_samples, size=resample.size)
    times = np.bincount(resample * num_samples + sample, minlength=draws.size * num_samples)
    return times.reshape(draws.size, num_samples).astype(np.float32)


def _histograms(
    relative: Float32[np.ndarray, "samples points"], edges: Float[np.ndarray, " bins"]
) -> Float32[np.ndarray, "samples bins"]:
    bins = edges.size + 1  # one more for NaN, which sorts behind every edge
    place = np.searchsorted(edges, relative) + bins * np.arange(len(relative))[:, None]
    counts = np.bincount(place.ravel(), minlength=bins * len(relative))
    return counts.reshape(len(relative), bins)[:, :-1].astype(np.float32)


def _medians(
    counts: Float[np.ndarray, "resamples bins"], edges: Float[np.ndarray, " bins"]
) -> Float[np.ndarray, " resamples"]:
    """The median of each histogram, linear within its bin; NaN for an empty one."""
    so_far = counts.cumsum(axis=1)
    half = so_far[:, -1] / 2
    place = np.argmax(so_far >= half[:, None], axis=1)
    rows = np.arange(len(counts))
    inside = np.maximum(counts[rows, place], 1)
    missing = (so_far[rows, place] - half) / inside
    upper, lower = edges[place], edges[np.maximum(place - 1, 0)]
    width = np.subtract(upper, lower, out=np.zeros_like(upper), where=np.isfinite(upper))
    return np.where(half > 0, upper - missing * width, np.nan)

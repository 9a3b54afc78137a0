"""Bootstrap intervals of 95 %: variation of a metric over samples."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from jaxtyping import Float32, Float64, Int

from hypermagnetics.arrays import Numbers
from hypermagnetics.errors import HypermagneticsError
from hypermagnetics.metrics.arguments import group_codes, relative_errors, values_of
from hypermagnetics.metrics.histograms import Bins
from hypermagnetics.metrics.order_statistics import quantiles

Interval = tuple[float, float]
"""The ends of a 95 % bootstrap interval over samples."""

RESAMPLES = 1000
_SEED = 0
_ENDS = (0.025, 0.975)
_SAMPLES_PER_STEP = 1024
_KEPT_SAMPLES = 1 << 14
"""Largest number of samples whose resamples are cached for reuse, in 64 MiB."""


def median_intervals(
    relative: Numbers, codes: np.ndarray, num_groups: int
) -> list[Interval | None]:
    """95 % bootstrap intervals of the median of each group, samples being drawn with replacement.

    Args:
        relative: Relative errors; NaN where there is none.
        codes: The group of each point, or of all points of a sample, from 0; others are in none.
        num_groups: Number of groups.

    Returns:
        For each group the 2.5 % and the 97.5 % quantile of `resampled_medians`; None if fewer than
        two samples have a value in it.

    References:
        Efron, Tibshirani, An Introduction to the Bootstrap, chapter 13 (percentile interval).
    """
    medians, num_samples = _resampled(relative, codes, num_groups)
    return [
        interval(of_group) if count > 1 else None
        for of_group, count in zip(medians, num_samples, strict=True)
    ]


def resampled_medians(
    relative: Numbers, codes: np.ndarray, num_groups: int
) -> Float64[np.ndarray, "groups resamples"]:
    """Medians over all points of a group in the samples that each of 1000 resamples draws.

    Points of one sample share its sources, so samples are the independent unit. Each resample adds
    up histograms of the samples drawn, by a matrix product. The seed is fixed: equal errors give
    equal medians, and medians of two models can be compared resample by resample.

    Args:
        relative: As in `median_intervals`; so are the other arguments.
        codes: Groups.
        num_groups: Number of groups.

    Returns:
        The medians; NaN where a resample draws no value.
    """
    return _resampled(relative, codes, num_groups)[0]


def resampled_ratios(numerator: Numbers, denominator: Numbers) -> Float64[np.ndarray, " resamples"]:
    """sqrt(sum of numerators / sum of denominators) over the samples of each of the resamples.

    Args:
        numerator: One number for each sample, possibly infinite, not negative.
        denominator: The same, finite.

    Returns:
        The ratios; NaN where the denominators are all zero.

    Raises:
        HypermagneticsError: If the two are not as many real numbers, or a denominator is infinite.
    """
    numerator = values_of(numerator, "The numerator", dims=(1,))
    denominator = values_of(denominator, "The denominator", dims=(1,))
    if numerator.shape != denominator.shape or not numerator.size:
        raise HypermagneticsError(
            f"Numerators and denominators must be as many, at least one; got {numerator.size} and "
            f"{denominator.size} (metrics.resampled_ratios). Give one of each for every sample."
        )
    if np.isinf(denominator).any():
        raise HypermagneticsError(
            f"Denominators must be finite; got {np.isinf(denominator).sum()} infinite ones of "
            f"{denominator.size} (metrics.resampled_ratios). Leave their samples out."
        )
    finite = np.isfinite(numerator)
    columns = np.stack([np.where(finite, numerator, 0), denominator, ~finite], axis=1)
    sums = np.zeros((RESAMPLES, 3))
    for samples, times in resamples(len(numerator)):
        sums += times.astype(np.float64) @ columns[samples]
    above, below, infinite = sums.T
    ratio = np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
    return np.where((infinite > 0) & (below > 0), np.inf, np.sqrt(ratio))


def interval(values: Numbers) -> Interval | None:
    """Interval of the central 95 % of the resamples; None if all are undefined."""
    array = values_of(values, "Values of resamples", dims=(1,))
    defined = array[~np.isnan(array)]  # a resample may have drawn no sample with a value
    if not defined.size:
        return None
    low, high = quantiles(defined, _ENDS)
    return float(low), float(high)


def resamples(num_samples: int) -> Iterator[tuple[slice, Float32[np.ndarray, "resamples part"]]]:
    """Yield the draw counts of the samples in each of 1000 resamples, part by part.

    How many of a resample's draws fall into each part is multinomial; within a part they are
    uniform. So no array is as large as (resamples, samples).

    Args:
        num_samples: Number of samples, and of draws.

    Yields:
        Slice of the samples, and the number of draws of each.
    """
    if num_samples > _KEPT_SAMPLES:
        yield from _drawn(num_samples)
    else:
        yield from _kept(num_samples)


@lru_cache(maxsize=1)
def _kept(num_samples: int) -> tuple[tuple[slice, np.ndarray], ...]:
    return tuple(_drawn(num_samples))


def _drawn(num_samples: int) -> Iterator[tuple[slice, Float32[np.ndarray, "resamples part"]]]:
    generator = np.random.default_rng(_SEED)
    parts = [
        slice(first, min(first + _SAMPLES_PER_STEP, num_samples))
        for first in range(0, num_samples, _SAMPLES_PER_STEP)
    ]
    shares = np.array([part.stop - part.start for part in parts]) / num_samples
    draws = generator.multinomial(num_samples, shares, size=RESAMPLES)
    for part, drawn in zip(parts, draws.T, strict=True):
        times = _times_drawn(generator, drawn, part.stop - part.start)
        times.setflags(write=False)
        yield part, times


def _times_drawn(
    generator: np.random.Generator, draws: Int[np.ndarray, " resamples"], num_samples: int
) -> Float32[np.ndarray, "resamples part"]:
    """Draw counts of some samples in each resample."""
    resample = np.repeat(np.arange(draws.size), draws)
    sample = generator.integers(num_samples, size=resample.size)
    times = np.bincount(resample * num_samples + sample, minlength=draws.size * num_samples)
    return times.reshape(draws.size, num_samples).astype(np.float32)


def _resampled(
    relative: Numbers, codes: np.ndarray, num_groups: int
) -> tuple[Float64[np.ndarray, "groups resamples"], Int[np.ndarray, " groups"]]:
    """`resampled_medians`, and the number of samples with a value in each group."""
    relative = relative_errors(relative)
    codes = group_codes(codes, relative.shape)
    bins = Bins.of(relative, codes, num_groups)
    counts = np.zeros((RESAMPLES, bins.num_bins))
    num_samples = np.zeros(num_groups, np.int64)
    for samples, times in resamples(len(relative)):
        histograms = bins.histograms(relative[samples], codes[samples])
        counts += times @ histograms.astype(np.float32)
        for group in range(num_groups):
            num_samples[group] += histograms[:, bins.of_group(group)].any(axis=1).sum()
    medians = [bins.medians(counts[:, bins.of_group(group)], group) for group in range(num_groups)]
    return np.stack(medians), num_samples

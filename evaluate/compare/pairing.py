"""Two subjects on the same samples: the ratio of their errors, and its paired bootstrap."""

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from hypermagnetics.evaluate.measuring.sample_file import SampleErrors
from hypermagnetics.metrics import (
    Interval,
    interval,
    is_withheld,
    largest_share,
    quantiles,
    resampled_medians,
    resampled_ratios,
    widened,
)


@dataclass(frozen=True)
class PairedComparison:
    """One metric of two subjects on the same samples."""

    metric: str
    """sample_median: median over samples of their median relative errors; sample_l2: median over
    samples of their relative L2 errors; global_l2: relative L2 error of all samples together."""
    first_error: float
    second_error: float
    """The metric of each subject, as a fraction."""
    ratio: float
    """second / first: below 1, the second is better. NaN if it is undefined."""
    ratio_ci95: Interval | None
    """95 % interval of the ratio over samples; None for a single sample, and where withheld."""
    second_better: float
    """Share of the resamples in which the second has the smaller error; ties count half. NaN where
    there is no interval."""
    largest_share: float | None = None
    """Of global_l2: largest share of one sample in a sum of squares of either subject."""

    @property
    def withheld(self) -> bool:
        """Whether one sample holds too much of a norm for an interval, and so for a verdict."""
        return is_withheld(self.largest_share)

    @property
    def verdict(self) -> str:
        """The better subject in 95 % of the resamples: first, second, equal or undecided."""
        if self.first_error == self.second_error:
            return "equal"
        if self.ratio_ci95 is None:
            return "undecided"
        low, high = self.ratio_ci95
        return "second" if high < 1 else "first" if low > 1 else "undecided"


def compare_errors(first: SampleErrors, second: SampleErrors) -> tuple[PairedComparison, ...]:
    """Compare two subjects in one quantity, sample by sample.

    Both are resampled with the same samples, so the common difficulty of a sample cancels, and the
    interval of the ratio is narrower than those of the errors.

    Args:
        first: Errors of the samples of one subject.
        second: Errors of the other one, for the same samples in the same order.

    Returns:
        One comparison for each metric.

    References:
        Efron, Tibshirani, An Introduction to the Bootstrap, chapter 10 (paired data).
    """
    return (
        _of_medians("sample_median", first.median_relative_error, second.median_relative_error),
        _of_medians("sample_l2", first.relative_l2, second.relative_l2),
        _of_global_l2(first, second),
    )


_Resampled = tuple[float, Float[np.ndarray, " resamples"]]
"""A metric, and its value in each resample."""


def _of_medians(
    metric: str, first: Float[np.ndarray, " samples"], second: Float[np.ndarray, " samples"]
) -> PairedComparison:
    together = np.zeros((len(first), 1), np.uint8)
    resampled = [
        resampled_medians(values.astype(np.float32)[:, None], together, 1)[0]
        for values in (first, second)
    ]
    medians = (float(quantiles(v[~np.isnan(v)], (0.5,))[0]) for v in (first, second))
    one, other = zip(medians, resampled, strict=True)
    return _compared(metric, one, other, len(first))


def _compared(
    metric: str, first: _Resampled, second: _Resampled, num_samples: int
) -> PairedComparison:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = second[1] / first[1]
        ratio = float(np.float64(second[0]) / np.float64(first[0]))
    better = np.mean((second[1] < first[1]) + 0.5 * (second[1] == first[1]))
    return PairedComparison(
        metric=metric,
        first_error=first[0],
        second_error=second[0],
        ratio=ratio,
        ratio_ci95=interval(ratios) if num_samples > 1 else None,
        second_better=float(better) if num_samples > 1 else float("nan"),
    )


def _of_global_l2(first: SampleErrors, second: SampleErrors) -> PairedComparison:
    """Nothing is decided where the interval of either global L2 is withheld."""
    shares = [largest_share(one.squared_error, one.squared_truth) for one in (first, second)]
    largest = max((share for share in shares if share is not None), default=None)
    plain = _compared("global_l2", _global_l2(first), _global_l2(second), len(first.squared_error))
    if is_withheld(largest):
        return replace(plain, ratio_ci95=None, second_better=math.nan, largest_share=largest)
    return replace(plain, ratio_ci95=widened(plain.ratio, plain.ratio_ci95), largest_share=largest)


def _global_l2(errors: SampleErrors) -> _Resampled:
    error, truth = float(errors.squared_error.sum()), float(errors.squared_truth.sum())
    whole = math.sqrt(error / truth) if truth > 0 else math.nan
    return whole, resampled_ratios(errors.squared_error, errors.squared_truth)

"""Interval of the global L2 error; withheld where one sample holds a large share of a norm.

The percentile interval of a ratio of sums is too short where a few samples hold most of a sum: most
draws have not seen their like. The largest share of a sample shows that from the data alone. In the
simulations of tests/metrics/test_global_l2.py intervals of at least 90 % coverage are left.
"""

import math

import numpy as np
from jaxtyping import Float

from hypermagnetics.metrics.bootstrap import Interval, interval, resampled_ratios

LARGEST_SHARE = 0.015
"""Largest share of one sample with which an interval is given."""

_WIDENING = 1.5
"""Factor by which the percentile interval is widened, in the logarithm."""


def largest_share(
    squared_error: Float[np.ndarray, " samples"], squared_truth: Float[np.ndarray, " samples"]
) -> float | None:
    """Largest share of one sample in the sum of squared errors or of squared truths.

    The larger of the two, since either sum alone may be heavy-tailed.

    Args:
        squared_error: One number for each sample, possibly infinite, not negative.
        squared_truth: The same, finite.

    Returns:
        The share, 1 if an error is infinite; None if all truths are zero.
    """
    if np.isinf(squared_error).any():
        return 1.0
    sums = [squared_error.sum(), squared_truth.sum()]
    if not sums[1] > 0:
        return None
    parts = zip((squared_error, squared_truth), sums, strict=True)
    return max(float(part.max() / total) for part, total in parts if total > 0)


def is_withheld(share: float | None) -> bool:
    """Whether a sample of this share leaves no interval; a share that is not known does not."""
    return share is not None and share > LARGEST_SHARE


def global_l2_interval(
    squared_error: Float[np.ndarray, " samples"], squared_truth: Float[np.ndarray, " samples"]
) -> Interval | None:
    """Interval of sqrt(sum of squared errors / sum of squared truths) over samples.

    Args:
        squared_error: As in `largest_share`.
        squared_truth: The same.

    Returns:
        The bootstrap interval of 95 % by percentiles, widened; None for a single sample, if all
        truths are zero, or if one sample has a larger share than `LARGEST_SHARE`.
    """
    share = largest_share(squared_error, squared_truth)
    if share is None or is_withheld(share):
        return None
    value = math.sqrt(squared_error.sum() / squared_truth.sum())
    return widened(value, interval(resampled_ratios(squared_error, squared_truth)))


def widened(value: float, found: Interval | None) -> Interval | None:
    """A percentile interval, widened about the value of the metric.

    Args:
        value: The metric of all samples.
        found: Its interval by percentiles.

    Returns:
        The distance of each end from the value, in the logarithm, times 1.5; the same interval if
        the value has no logarithm.
    """
    if found is None or not 0 < value < math.inf:
        return found
    low, high = (value * (end / value) ** _WIDENING for end in found)
    return low, high

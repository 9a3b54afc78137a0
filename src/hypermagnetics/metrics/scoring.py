"""The metrics of some samples in one quantity, of all together or in groups."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Integer

from hypermagnetics.arrays import Numbers
from hypermagnetics.errors import HypermagneticsError
from hypermagnetics.metrics.bootstrap import Interval, median_intervals
from hypermagnetics.metrics.errors import Errors, root_of_ratio
from hypermagnetics.metrics.global_l2 import global_l2_interval, largest_share
from hypermagnetics.metrics.order_statistics import grouped_quantiles, quantiles

_PROBABILITIES = (0.5, 0.9, 0.99)


@dataclass(frozen=True)
class Quantiles:
    """Quantiles of the relative error over some points, as fractions; NaN if there are none."""

    median_relative_error: float
    """Equation 10 of arXiv 2405.05981, if the points are all points of all samples."""
    p90_relative_error: float
    p99_relative_error: float
    ci95: Interval | None
    """Interval of `median_relative_error`; None for a single sample, or where undefined."""
    num_points: int
    """Number of points of all samples, including those of zero truth (no relative error)."""
    zero_truth_points: int
    """Points left out of the quantiles because their truth is exactly zero."""


@dataclass(frozen=True)
class Scores(Quantiles):
    """The metrics of whole samples, as fractions; NaN where one is undefined."""

    median_sample_relative_l2: float
    """Median over samples of ||error||₂ / ||truth||₂."""
    median_sample_relative_l2_ci95: Interval | None
    global_relative_l2: float
    """||error||₂ / ||truth||₂ over all points of all samples together."""
    global_relative_l2_ci95: Interval | None
    """Widened interval of `global_relative_l2`; None as that of a median, and where withheld."""
    nonfinite_fraction: float
    """Share of the predicted points that are not finite."""
    num_samples: int
    global_relative_l2_largest_share: float | None = field(default=None, kw_only=True)
    """Largest share of one sample in the squared errors or the squared truths, whichever is larger.
    Above 0.015 the interval is withheld. None if it is not known."""


def scores(errors: Errors) -> Scores:
    """The metrics of some samples.

    Args:
        errors: From `measure`; at least one sample.

    Returns:
        The metrics, as fractions.
    """
    (found,) = grouped_scores(errors, np.zeros(len(errors.relative), np.uint8), 1)
    return found


def grouped_scores(
    errors: Errors, groups: Integer[np.ndarray, " samples"], num_groups: int
) -> tuple[Scores, ...]:
    """The metrics of each group of samples.

    Args:
        errors: From `measure`; at least one sample. The relative errors may lie in a mapped file.
        groups: The group of each sample, from 0.
        num_groups: Number of groups, each with a sample.

    Returns:
        The metrics of each group, as fractions.
    """
    groups = np.asarray(groups)
    if groups.shape != errors.relative.shape[:1]:
        raise HypermagneticsError(
            f"Groups must be one code for each of {len(errors.relative)} samples; got shape "
            f"{groups.shape} (metrics.grouped_scores). Give the group of each sample."
        )
    points = grouped_point_quantiles(errors.relative, groups[:, None], num_groups)
    sample_l2 = errors.sample_relative_l2()
    values = sample_l2.astype(np.float32)[:, None]
    intervals = median_intervals(values, groups[:, None], num_groups)
    return tuple(
        _scores(errors, sample_l2, groups == group, points[group], intervals[group])
        for group in range(num_groups)
    )


def grouped_point_quantiles(
    relative: Numbers, codes: np.ndarray, num_groups: int
) -> tuple[Quantiles, ...]:
    """The quantiles of each group of points, with their intervals.

    Args:
        relative: Relative errors, as in `Errors`; they may lie in a mapped file.
        codes: The group of each point, or of all points of each sample, from 0; others are in none.
        num_groups: Number of groups.

    Returns:
        The quantiles of each group.
    """
    found = grouped_quantiles(relative, codes, num_groups, _PROBABILITIES)
    intervals = median_intervals(relative, codes, num_groups)
    values = found.values.tolist()
    return tuple(
        Quantiles(
            median_relative_error=values[group][0],
            p90_relative_error=values[group][1],
            p99_relative_error=values[group][2],
            ci95=intervals[group],
            num_points=int(found.num_points[group]),
            zero_truth_points=int(found.num_undefined[group]),
        )
        for group in range(num_groups)
    )


def _scores(
    errors: Errors,
    sample_l2: np.ndarray,
    chosen: np.ndarray,
    points: Quantiles,
    sample_l2_ci95: Interval | None,
) -> Scores:
    error, truth = errors.squared_error[chosen], errors.squared_truth[chosen]
    defined = sample_l2[chosen & ~np.isnan(sample_l2)]
    global_l2 = root_of_ratio(error.sum(keepdims=True), truth.sum(keepdims=True))
    return Scores(
        **vars(points),
        median_sample_relative_l2=float(quantiles(defined, (0.5,))[0]),
        median_sample_relative_l2_ci95=sample_l2_ci95,
        global_relative_l2=float(global_l2[0]),
        global_relative_l2_ci95=global_l2_interval(error, truth),
        global_relative_l2_largest_share=largest_share(error, truth),
        nonfinite_fraction=float(errors.nonfinite[chosen].sum() / max(points.num_points, 1)),
        num_samples=int(np.count_nonzero(chosen)),
    )

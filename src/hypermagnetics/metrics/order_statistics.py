"""Quantiles of many numbers, in groups, exactly and in bounded memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int

from hypermagnetics.arrays import Numbers
from hypermagnetics.errors import HypermagneticsError
from hypermagnetics.metrics.arguments import (
    Codes,
    Relative,
    group_codes,
    probabilities_of,
    relative_errors,
    values_of,
)

_VALUES_PER_STEP = 1 << 20
_HALF = 1 << 16
"""Number of values of 16 bits, one half of a float32."""
_INFINITY = 0x7F80
"""The upper half of infinity; that of a NaN is larger."""


@dataclass(frozen=True)
class GroupedQuantiles:
    """Quantiles of each group of points."""

    values: Float64[np.ndarray, "groups probabilities"]
    """NaN for a group without values."""
    num_points: Int[np.ndarray, " groups"]
    num_undefined: Int[np.ndarray, " groups"]
    """Number of points without a relative error, which are in no quantile."""


def steps(values: np.ndarray) -> Iterator[slice]:
    """Slices of the first axis that hold about a million values each, or one entry."""
    rows = max(_VALUES_PER_STEP // max(values[0].size, 1), 1)
    return (slice(first, first + rows) for first in range(0, len(values), rows))


def grouped_quantiles(
    relative: Numbers, codes: np.ndarray, num_groups: int, probabilities: Sequence[float]
) -> GroupedQuantiles:
    """Exact quantiles of each group, as `quantiles` gives them, reading the values twice.

    Numbers that are not negative are ordered as their bits are. The first reading counts the upper
    halves of the bits, which says in which bin of 2^16 numbers each order statistic lies; the
    second counts the lower halves of the numbers in these bins. Nothing is sorted, and nothing
    is held but counts, so the values may lie in a mapped file.

    Args:
        relative: Relative errors, not negative.
        codes: Groups, from 0; points of other codes are in none.
        num_groups: Number of groups.
        probabilities: From 0 to 1.

    Returns:
        The quantiles.

    Raises:
        HypermagneticsError: If an argument is no such array.
    """
    relative = relative_errors(relative)
    codes, places = group_codes(codes, relative.shape), probabilities_of(probabilities)
    upper = np.zeros((num_groups, _HALF), np.int64)
    for keys, _ in _halves(relative, codes, num_groups):
        upper += np.bincount(keys, minlength=upper.size).reshape(upper.shape)
    num_points = upper.sum(axis=1)
    upper[:, _INFINITY + 1 :] = 0
    count = upper.sum(axis=1)
    # Order statistics next to each quantile, and how far the quantile is from the lower one.
    place = np.maximum(count - 1, 0)[:, None] * places
    below = np.floor(place).astype(np.int64)
    ranks = np.stack([below, np.minimum(below + 1, np.maximum(count - 1, 0)[:, None])])
    low, high = _order_statistics(relative, codes, upper, ranks)
    values = _between(low, high, place - below)
    values[count == 0] = np.nan
    return GroupedQuantiles(values, num_points, num_points - count)


def quantiles(
    values: Numbers, probabilities: Sequence[float] | np.ndarray
) -> Float[np.ndarray, " probabilities"]:
    """Quantiles, linear between order statistics, of numbers that may be infinite.

    Unlike `numpy.quantile` it meets infinity - infinity nowhere, so a quantile among infinite
    values is infinite and not NaN.

    Args:
        values: Numbers without NaN.
        probabilities: From 0 (the smallest) to 1 (the largest).

    Returns:
        The quantiles in float64; NaN if there are no values.

    Raises:
        HypermagneticsError: If an argument is no such array, or a value is NaN.
    """
    array, places = values_of(values, "Values", dims=(1,)), probabilities_of(probabilities)
    if not array.size:
        return np.full(len(places), np.nan)
    if np.isnan(array).any():
        raise HypermagneticsError(
            f"Values must not be NaN, which has no order; got {np.isnan(array).sum()} of "
            f"{array.size} (metrics.quantiles). Leave them out."
        )
    place = places * (array.size - 1)
    below = np.floor(place).astype(np.int64)
    ordered = np.sort(array)
    low = ordered[below].astype(np.float64)
    high = ordered[np.minimum(below + 1, array.size - 1)].astype(np.float64)
    return _between(low, high, place - below)


def row_quantiles(
    relative: Numbers, probabilities: Sequence[float]
) -> Float64[np.ndarray, "samples probabilities"]:
    """Quantiles of each sample, over the points that have a relative error.

    Args:
        relative: Relative errors; they may lie in a mapped file.
        probabilities: From 0 to 1.

    Returns:
        As `quantiles` for each sample; NaN where no point has a relative error.

    Raises:
        HypermagneticsError: If an argument is no such array.
    """
    relative, places = relative_errors(relative), probabilities_of(probabilities)
    found = np.full((len(relative), len(places)), np.nan)
    if not relative.size:
        return found
    for part in steps(relative):
        ordered = np.sort(relative[part], axis=1)  # NaN comes last
        count = np.count_nonzero(~np.isnan(ordered), axis=1)[:, None]
        place = np.maximum(count - 1, 0) * places
        below = np.floor(place).astype(np.int64)
        above = np.minimum(below + 1, np.maximum(count - 1, 0))
        low, high = (
            np.take_along_axis(ordered, index, axis=1).astype(np.float64)
            for index in (below, above)
        )
        found[part] = _between(low, high, place - below)
    return found


def _between(low: np.ndarray, high: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Interpolate linearly between two values, without a difference of infinities."""
    between = (share > 0) & (low < high)
    step = np.subtract(high, low, out=np.zeros_like(low), where=between)
    values: np.ndarray = low + np.multiply(share, step, out=np.zeros_like(low), where=between)
    return values


def _halves(
    relative: Relative, codes: Codes, num_groups: int
) -> Iterator[tuple[Int[np.ndarray, " values"], Int[np.ndarray, " values"]]]:
    """Group and upper half of the bits of each value as one number, and the lower half."""
    for part in steps(relative):
        values = relative[part]
        group = np.broadcast_to(codes[part], values.shape).ravel()
        bits = values.view(np.uint32).ravel()
        if int(group.max(initial=0)) >= num_groups or int(group.min(initial=0)) < 0:
            inside = (group >= 0) & (group < num_groups)
            group, bits = group[inside], bits[inside]
        yield group.astype(np.int64) * _HALF + (bits >> 16), (bits & (_HALF - 1)).astype(np.int64)


def _order_statistics(
    relative: Relative,
    codes: Codes,
    upper: Int[np.ndarray, "groups halves"],
    ranks: Int[np.ndarray, "two groups probabilities"],
) -> Float64[np.ndarray, "two groups probabilities"]:
    """The values of given ranks in each group, from counts of the upper halves of the bits."""
    so_far = upper.cumsum(axis=1)
    groups = np.broadcast_to(np.arange(len(upper))[:, None], ranks.shape)
    halves = np.empty_like(ranks)
    for group, row in enumerate(so_far):
        # A group without values has none of any rank; the caller makes it NaN.
        found = np.searchsorted(row, ranks[:, group], side="right")
        halves[:, group] = np.where(found < _HALF, found, 0)
    bins, slot = np.unique(groups * _HALF + halves, return_inverse=True)
    slot = slot.reshape(ranks.shape)
    lower = _lower_halves(relative, codes, len(upper), bins).cumsum(axis=1)
    before = so_far.ravel()[bins] - upper.ravel()[bins]
    low_bits = np.empty_like(ranks)
    for number, row in enumerate(lower):
        here = slot == number
        low_bits[here] = np.searchsorted(row, ranks[here] - before[number], side="right")
    bits = (halves << 16) | np.minimum(low_bits, _HALF - 1)
    values: np.ndarray = bits.astype(np.uint32).view(np.float32).astype(np.float64)
    return values


def _lower_halves(
    relative: Relative, codes: Codes, num_groups: int, bins: Int[np.ndarray, " bins"]
) -> Int[np.ndarray, "bins halves"]:
    """Count the lower halves in each of some bins of group and upper half."""
    slot_of = np.full(num_groups * _HALF, -1, np.int32)
    slot_of[bins] = np.arange(len(bins))
    counts = np.zeros((len(bins), _HALF), np.int64)
    for keys, low in _halves(relative, codes, num_groups):
        slots = slot_of[keys]
        wanted = slots >= 0
        found = slots[wanted].astype(np.int64) * _HALF + low[wanted]
        counts += np.bincount(found, minlength=counts.size).reshape(counts.shape)
    return counts

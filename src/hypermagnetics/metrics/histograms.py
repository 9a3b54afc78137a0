"""Histograms of each sample in bins made for medians, for several groups of points at once."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Float64, Int, Int32

from hypermagnetics.metrics.arguments import Codes, Relative

_MAX_VALUES = 1 << 18
"""Largest number of values that the bins are made from."""
_RANKS = 128
"""Largest number of bins of a group, besides that of infinities."""
_SHIFT = 14
"""Trailing bits of a float32 dropped before binning: a resolution of 0.2 %."""
_KEYS = 1 << (32 - _SHIFT)
_INFINITE = 0x7F800000 >> _SHIFT
"""Key of infinity; a NaN has a larger one."""


@dataclass(frozen=True)
class Bins:
    """Bins of the values of each group, side by side.

    Numbers that are not negative are ordered as their bits are, so the leading bits of a value say
    its bin, by a look into a table.
    """

    bin_of: Int32[np.ndarray, "groups_and_none keys"]
    """Bin of each group and leading bits; the last bin is for NaN and values in no group."""
    first: Int[np.ndarray, " groups_and_one"]
    """First bin of each group."""
    low: Float64[np.ndarray, " bins"]
    high: Float64[np.ndarray, " bins"]
    """Least and largest value in each bin, among the values the bins were made from."""

    @classmethod
    def of(cls, relative: Relative, codes: Codes, num_groups: int) -> "Bins":
        """Make bins from at most a quarter of a million of the values, from everywhere.

        They are narrowest at the median of each group, where resamples have theirs.

        Args:
            relative: Relative errors.
            codes: Groups of points or samples.
            num_groups: Number of groups.

        Returns:
            The bins.
        """
        stride = -(-relative.size // _MAX_VALUES)
        stride += stride > 1 and stride % 2 == 0  # never the same few points of every sample
        values = relative.reshape(-1)[::stride]
        groups = np.broadcast_to(codes, relative.shape).reshape(-1)[::stride]
        tables = [_bins_of_group(values[groups == group]) for group in range(num_groups)]
        sizes = [len(low) for _, low, _ in tables]
        first = np.concatenate([[0], np.cumsum(sizes)])
        bin_of = np.full((num_groups + 1, _KEYS), first[-1], np.int32)
        for group, (table, _, _) in enumerate(tables):
            bin_of[group, : _INFINITE + 1] = table + first[group]
        return cls(
            bin_of,
            first,
            np.concatenate([low for _, low, _ in tables]),
            np.concatenate([high for _, _, high in tables]),
        )

    @property
    def num_bins(self) -> int:
        """Number of bins of all groups together."""
        return int(self.first[-1])

    def of_group(self, group: int) -> slice:
        """The bins of a group."""
        return slice(int(self.first[group]), int(self.first[group + 1]))

    def histograms(self, relative: Relative, codes: Codes) -> Int[np.ndarray, "samples bins"]:
        """Count the values of each sample in each bin."""
        none = len(self.bin_of) - 1
        group = np.minimum(codes.astype(np.uint32), none)  # a negative code is a large number, too
        keys = np.ascontiguousarray(relative).view(np.uint32) >> _SHIFT
        place = self.bin_of.reshape(-1)[group.astype(np.int64) * _KEYS + keys].astype(np.int64)
        width = self.num_bins + 1
        place += width * np.arange(len(relative))[:, None]
        counts = np.bincount(place.ravel(), minlength=width * len(relative))
        return counts.reshape(len(relative), width)[:, :-1]

    def medians(
        self, counts: Float64[np.ndarray, "resamples bins"], group: int
    ) -> Float64[np.ndarray, " resamples"]:
        """Medians of sums of histograms of a group, linear within a bin; NaN if empty.

        Args:
            counts: In the bins of the group.
            group: Number of the group.

        Returns:
            The medians.
        """
        low, high = self.low[self.of_group(group)], self.high[self.of_group(group)]
        so_far = counts.cumsum(axis=1)
        half = so_far[:, -1] / 2
        place = np.argmax(so_far >= half[:, None], axis=1)
        rows = np.arange(len(counts))
        missing = (so_far[rows, place] - half) / np.maximum(counts[rows, place], 1)
        upper, lower = high[place], low[place]
        width = np.subtract(upper, lower, out=np.zeros_like(upper), where=np.isfinite(upper))
        return np.where(half > 0, upper - missing * width, np.nan)


def _bins_of_group(
    values: Float32[np.ndarray, " values"],
) -> tuple[Int32[np.ndarray, " keys"], Float[np.ndarray, " bins"], Float[np.ndarray, " bins"]]:
    """The bin of each key up to infinity, and the least and largest value in each bin.

    The last bin holds infinities alone; what is larger than all that was looked at is in the one
    before it. With the least and largest value, no error is invented that does not occur: between
    two values that occur often, and nothing in between, nothing is interpolated.
    """
    finite = np.sort(values[np.isfinite(values)])
    if not finite.size:
        finite = np.zeros(1, np.float32)
    place = np.linspace(-1, 1, _RANKS + 1)
    ranks = 0.5 + 0.5 * np.sign(place) * np.square(place)
    chosen = finite[np.round(ranks * (finite.size - 1)).astype(np.int64)]
    last_keys = np.unique(chosen.view(np.uint32) >> _SHIFT)
    bin_of = np.minimum(np.searchsorted(last_keys, np.arange(_INFINITE + 1)), len(last_keys) - 1)
    bin_of[_INFINITE] = len(last_keys)
    ends = np.searchsorted(finite.view(np.uint32) >> _SHIFT, last_keys, side="right")
    begins = np.concatenate([[0], ends[:-1]])
    low = np.append(finite[begins], np.inf).astype(np.float64)
    high = np.append(finite[ends - 1], np.inf).astype(np.float64)
    return bin_of.astype(np.int32), low, high

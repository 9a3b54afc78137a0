"""Moments of arrays, gathered block by block while a dataset is written.

Sums are kept exactly, as floating-point parts that do not overlap (Shewchuk, "Adaptive precision
floating-point arithmetic", 1997). So the statistics of a dataset do not depend on how its blocks
were put together: not on the size of shards, nor on which process wrote them.
"""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from hypermagnetics.config import Config
from hypermagnetics.data.layout import AnyBlock, ArrayName, ArraySpec, Block
from hypermagnetics.data.manifest import Statistics

_BINS = 1 << 12
"""Bins of the histogram of absolute values: 8 bits of exponent, 4 of mantissa."""
_SHIFT = 19
"""Remaining bits of the mantissa of a float32."""

_ALL_COUNT = 1 << 15
"""Most values of a component in a block that all go into the histogram."""
_ROWS_AT_ONCE = 64
"""Rows whose deviations are added in float32."""
_SMALLEST, _LARGEST = 1e-14, 1e14
"""Range of spreads whose squares, even of a ten-thousandth, are far within that of float32."""
_STRIDES = (11, 13, 17, 19, 23)

_Exact = tuple[float, ...]
"""Parts of a number, which is their exact sum."""


class Sums(Config):
    """Sums that give the moments, for each component (column, axis) of an array."""

    count: int
    total: tuple[_Exact, ...]
    squares: tuple[_Exact, ...]
    min: tuple[float, ...]
    max: tuple[float, ...]
    magnitudes: tuple[tuple[tuple[int, int], ...], ...]
    """Histograms of absolute values: number of each occupied bin, and its count."""


class Gatherer:
    """Gathers the sums of one shard."""

    def __init__(self, declared: Sequence[ArraySpec] = ()) -> None:
        """Start with no values of a split with some arrays beyond those of sources."""
        self._declared = declared
        self._parts: dict[ArrayName, _Running] = {}

    def add(self, block: AnyBlock) -> bool:
        """Add one block; padding rows of the source tables do not count.

        Returns:
            Whether all its values are finite.
        """
        values: dict[ArrayName, np.ndarray] = {}
        if isinstance(block, Block):
            is_source = np.arange(block.sources.shape[1]) < block.num_sources[:, None]
            values = {
                "sources": block.sources[is_source][None],
                "num_sources": block.num_sources[None, :, None].astype(np.float32),
                "grid": block.grid[None],
                "potential": block.potential[..., None],
                "field": block.field,
            }
        for spec in self._declared:
            rows = _rows_of(spec, block)
            if len(rows):
                values[spec.name] = rows
        return all(self._add(name, array) for name, array in values.items())

    def sums(self) -> dict[ArrayName, Sums]:
        """The sums so far."""
        return {name: part.sums() for name, part in self._parts.items()}

    def _add(self, name: ArrayName, values: np.ndarray) -> bool:
        if name not in self._parts:
            self._parts[name] = _Running(values.shape[-1])
        return self._parts[name].add(values)


def _rows_of(spec: ArraySpec, block: AnyBlock) -> np.ndarray:
    """The rows of a declared array in a block, with their components as last axis."""
    values = block.values(spec.name)
    if spec.per == "block":
        values = values[None]
    if spec.component_axis is not None:
        values = np.moveaxis(values, spec.component_axis, -1)
    each = values.size // max(len(values) * spec.num_components, 1)
    rows: np.ndarray = values.reshape(len(values), each, spec.num_components)
    return rows


class _Running:
    """Sums over one array, for each component."""

    def __init__(self, size: int) -> None:
        self._count = 0
        self._total: list[_Exact] = [()] * size
        self._squares: list[_Exact] = [()] * size
        self._min, self._max = np.full(size, np.inf), np.full(size, -np.inf)
        self._magnitudes = np.zeros((size, _BINS), np.int64)

    def add(self, values: np.ndarray) -> bool:
        """Add values with the components as last axis; return whether all are finite."""
        size = values.shape[-1]
        # Along rows of many components numpy runs at memory speed; along a last axis of two
        # elements it is ten times slower.
        rows = values.reshape(len(values), -1)
        low = rows.min(axis=0).reshape(-1, size).min(axis=0)
        high = rows.max(axis=0).reshape(-1, size).max(axis=0)
        self._min, self._max = np.minimum(self._min, low), np.maximum(self._max, high)
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            return False
        count = rows.size // size
        self._count += count
        middle = (low.astype(np.float64) + high) / 2
        total, squares = _deviations(rows, middle, high - low.astype(np.float64))
        _add_to(self._total, total + count * middle)
        _add_to(self._squares, squares + middle * (2 * total + count * middle))
        self._count_magnitudes(rows)
        return True

    def sums(self) -> Sums:
        """The sums as a record."""
        magnitudes = []
        for histogram in self._magnitudes:
            bins = np.flatnonzero(histogram)
            magnitudes.append(tuple(zip(bins.tolist(), histogram[bins].tolist(), strict=True)))
        return Sums(
            count=self._count,
            total=tuple(self._total),
            squares=tuple(self._squares),
            min=tuple(self._min.tolist()),
            max=tuple(self._max.tolist()),
            magnitudes=tuple(magnitudes),
        )

    def _count_magnitudes(self, rows: np.ndarray) -> None:
        size, points = len(self._magnitudes), rows.shape[1] // len(self._magnitudes)
        # Counting takes ten times as long as summing, so of large blocks only some values count,
        # at a stride that does not fall in step with the points of a row.
        stride = 1
        if len(rows) * points > _ALL_COUNT:
            stride = next((stride for stride in _STRIDES if points % stride), 1)
        # The bits of a positive float32, read as a number, grow with its value. The upper half
        # of them is enough for the bins.
        upper = np.ascontiguousarray(rows, np.dtype("<f4")).reshape(-1).view(np.dtype("<u2"))
        for component, histogram in enumerate(self._magnitudes):
            found = upper[2 * component + 1 :: 2 * size * stride] >> (_SHIFT - 16)
            histogram += np.bincount(found & (_BINS - 1), minlength=_BINS)


def statistics_of(parts: Sequence[Sums]) -> Statistics:
    """Mean, standard deviation, median of the absolute value and range over all parts.

    Args:
        parts: Sums over the shards of one array, in any order.

    Returns:
        The statistics; they do not depend on how the values were divided into parts.
    """
    count = sum(part.count for part in parts)
    means = [total / count for total in _totals(part.total for part in parts)]
    squares = [total / count for total in _totals(part.squares for part in parts)]
    components = range(len(means))
    low = [min(part.min[i] for part in parts) for i in components]
    high = [max(part.max[i] for part in parts) for i in components]
    largest = [max(-low[i], high[i]) for i in components]
    return Statistics(
        mean=tuple(means),
        std=tuple(
            math.sqrt(max(square - mean**2, 0.0))
            for square, mean in zip(squares, means, strict=True)
        ),
        median_abs=tuple(
            # The range may say more than the bin: all of it if all values are equal.
            min(max(_median([part.magnitudes[i] for part in parts]), low[i], -high[i]), largest[i])
            for i in components
        ),
        min=tuple(low),
        max=tuple(high),
    )


def _totals(parts: Iterable[tuple[_Exact, ...]]) -> list[float]:
    columns = zip(*parts, strict=True)
    return [math.fsum(x for exact in column for x in exact) for column in columns]


def _median(histograms: Sequence[tuple[tuple[int, int], ...]]) -> float:
    counts = np.zeros(_BINS, np.int64)
    for histogram in histograms:
        bins, numbers = np.array(histogram, np.int64).reshape(-1, 2).T
        counts[bins] += numbers
    upto = np.cumsum(counts)
    half = upto[-1] / 2
    found = int(np.searchsorted(upto, half))
    low, high = (np.array([found, found + 1], np.uint32) << _SHIFT).view(np.float32).tolist()
    if found == 0:  # zeros, and what is too small for a float32 in full precision
        return float(low)
    high = min(high, float(np.finfo(np.float32).max))
    share = (half - upto[found] + counts[found]) / counts[found]
    return float(low + share * (high - low))


def _deviations(
    rows: np.ndarray, middle: np.ndarray, spreads: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Sums of the deviations of each component from its middle, and of their squares.

    Deviations have the precision of the values, however far these are from zero, so that float32
    will do for some rows, unless the squares of any component would leave its range; those of a
    constant one are zero.
    """
    in_range = (spreads == 0) | ((spreads > _SMALLEST) & (spreads < _LARGEST))
    wanted = np.float32 if in_range.all() else np.float64
    shift = np.tile(middle, rows.shape[1] // len(middle)).astype(wanted)
    total, squares = np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
    for first in range(0, len(rows), _ROWS_AT_ONCE):
        part = rows[first : first + _ROWS_AT_ONCE] - shift
        total += part.sum(axis=0)
        squares += np.einsum("ij,ij->j", part, part)
    # What rounding the middle to float32 has moved.
    moved = shift[: len(middle)].astype(np.float64) - middle
    count = rows.size // len(middle)
    total, squares = (sums.reshape(-1, len(middle)).sum(axis=0) for sums in (total, squares))
    return total + count * moved, squares + moved * (2 * total + count * moved)


def _add_to(exact: list[_Exact], sums: np.ndarray) -> None:
    exact[:] = [_plus(parts, float(x)) for parts, x in zip(exact, sums, strict=True)]


def _plus(parts: _Exact, x: float) -> _Exact:
    """The exact sum of `parts` and `x`, as parts that do not overlap."""
    kept = []
    for y in parts:
        if abs(x) < abs(y):
            x, y = y, x
        high = x + y
        if low := y - (high - x):
            kept.append(low)
        x = high
    return (*kept, x)

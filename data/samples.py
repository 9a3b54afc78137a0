"""Samples picked from a split by number, by slice or by an array of numbers."""

import operator
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Index = slice | Sequence[int] | np.ndarray


@dataclass(frozen=True)
class Sample:
    """One sample.

    `sources` (num_sources, source_size) without padding, `grid` (points, dim) [m], `potential`
    (points,) [A], `field` (points, dim) [A/m].
    """

    sources: np.ndarray
    grid: np.ndarray
    potential: np.ndarray
    field: np.ndarray


@dataclass(frozen=True)
class Samples:
    """Several samples, in the order of the index.

    `sources` (samples, max_sources, source_size), `num_sources` (samples,), `potential` (samples,
    points) [A], `field` (samples, points, dim) [A/m]; `grids` (grids, points, dim) [m] holds the
    grid of each block that occurs, once, and sample i has `grids[grid_of[i]]`.
    """

    sources: np.ndarray
    num_sources: np.ndarray
    grids: np.ndarray
    grid_of: np.ndarray
    potential: np.ndarray
    field: np.ndarray

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.num_sources)


def number_of(index: object) -> int:
    """The number that selects one sample, by numpy's rules: whole, and no truth value.

    Raises:
        IndexError: If it is something else.
    """
    if isinstance(index, bool | np.bool_):
        raise IndexError(_one_of("a truth value"))
    try:
        return operator.index(index)  # type: ignore[arg-type]
    except TypeError as error:
        raise IndexError(_one_of(f"{index!r:.80}")) from error


def resolve(index: Index, length: int) -> range | np.ndarray:
    """Numbers of the samples that an index selects, by numpy's rules.

    Args:
        index: A slice, numbers (negative ones count from the end), or a mask of `length` booleans.
        length: Number of samples.

    Returns:
        A range if the numbers are consecutive and rising, else the numbers, from 0.

    Raises:
        IndexError: If a number is out of range, or the index is something else.
    """
    if isinstance(index, slice):
        picked = range(*index.indices(length))
        if not picked:
            return range(0)
        return picked if picked.step == 1 else np.array(picked)
    array = np.asarray(index)
    if array.dtype == np.bool_ and array.shape == (length,):
        array = np.flatnonzero(array)
    if not array.size:
        return range(0)
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise IndexError(_one_of(f"{array.dtype} of shape {array.shape}"))
    wrong = array[(array < -length) | (array >= length)]
    if wrong.size:
        raise IndexError(
            f"A sample must be {-length} to {length - 1}; got {wrong[0]}. "
            "The split has no more samples."
        )
    numbers = np.where(array < 0, array.astype(np.int64) + length, array).astype(np.int64)
    if (np.diff(numbers) == 1).all():
        return range(int(numbers[0]), int(numbers[-1]) + 1)
    return numbers


def _one_of(got: str) -> str:
    return (
        "An index of samples must be a whole number, a slice, numbers in one dimension or a mask "
        f"of booleans, one for each sample; got {got}. Index with one of these."
    )

"""Errors of subjects on a split against its labels, measured block by block."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from hypermagnetics.data import Block, Split
from hypermagnetics.evaluate.measuring.pairs import Pairs, pairs_of
from hypermagnetics.evaluate.measuring.places import Places, places
from hypermagnetics.evaluate.measuring.workspace import large_array
from hypermagnetics.evaluate.subjects.subject import BlockPredictor, Subject, Values
from hypermagnetics.metrics import Errors, measure
from hypermagnetics.sources import SourceColumns

_VALUES_PER_CALL = 1 << 20
"""Samples times points per prediction, which bounds the memory on large grids."""


@dataclass(frozen=True)
class Comparison:
    """Errors of one subject against the labels of a split."""

    potential: Errors
    field: Errors
    pairs: Pairs
    """Some labels and their predictions."""
    predict_seconds: float
    """Time of the predictions alone, without a first call, which compiles [s]."""


@dataclass(frozen=True)
class Measurement:
    """Errors of every subject on the first samples of a split, and the places of its points."""

    comparisons: tuple[Comparison, ...]
    """One for each subject."""
    places: Places
    num_sources: Int[np.ndarray, " samples"]


def measure_split(
    subjects: Sequence[Subject],
    split: Split,
    columns: SourceColumns,
    *,
    unit: float,
    directory: Path,
    advance: Callable[[int], None],
    num_samples: int | None = None,
) -> Measurement:
    """Predict the samples of a split with all subjects, and compare with its labels.

    Memory holds one block of values, and of the whole split nothing but a relative error for each
    point and subject, and three codes for each point; `large_array` says where.

    Args:
        subjects: The subjects.
        split: The samples.
        columns: Columns of the source tables.
        unit: Length unit of distances [m].
        directory: Directory for large arrays.
        advance: Called with the number of samples just predicted.
        num_samples: Number of samples, from the first; all if None.

    Returns:
        The errors.
    """
    layout = split.layout
    shape = (min(num_samples or layout.num_samples, layout.num_samples), layout.num_points)
    rows = samples_per_call(split)
    found = Places(*(large_array(shape, np.uint8, directory) for _ in range(3)))
    num_sources = np.empty(shape[0], np.int32)
    collectors = [_Collector(subject, split, rows, shape, directory) for subject in subjects]
    for first, block in _pieces(split, rows, shape[0]):
        samples = slice(first, first + len(block.sources))
        num_sources[samples] = block.num_sources
        here = places(columns, block, unit)
        found.region[samples] = here.region
        found.distance[samples] = here.distance
        found.body[samples] = here.body
        for collector in collectors:
            collector.add(first, block)
            advance(len(block.sources))
    return Measurement(tuple(one.comparison() for one in collectors), found, num_sources)


def measure_block(
    block: Block, predicted: Values, columns: SourceColumns, unit: float
) -> Measurement:
    """Compare existing predictions with the labels of a block.

    Args:
        block: The samples.
        predicted: Predictions for these samples.
        columns: Columns of the source tables.
        unit: Length unit of distances [m].

    Returns:
        The errors, of one subject.
    """
    labels = Values(block.potential, block.field)
    potential, field = (
        measure(values, truth) for values, truth in zip(predicted, labels, strict=True)
    )
    pairs = pairs_of(predicted, labels, 0, len(block.sources))
    comparison = Comparison(potential, field, pairs, 0.0)
    return Measurement((comparison,), places(columns, block, unit), block.num_sources)


def samples_per_call(split: Split) -> int:
    """Number of samples per prediction: a block, or fewer on a large grid."""
    layout = split.layout
    return min(layout.samples_per_grid, max(_VALUES_PER_CALL // layout.num_points, 1))


class _Collector:
    """Collects the errors of one subject."""

    def __init__(
        self, subject: Subject, split: Split, rows: int, shape: tuple[int, int], directory: Path
    ) -> None:
        self._predict: BlockPredictor = subject.on_split(split, rows)
        self._potential, self._field = (_no_errors(shape, directory) for _ in range(2))
        self._pairs: list[Pairs] = []
        self._num_samples = shape[0]
        self._seconds = 0.0

    def add(self, first: int, block: Block) -> None:
        """Predict some samples and compare."""
        if first == 0:
            self._predict(block, first)  # compiles, out of the time measured
        start = time.perf_counter()
        values = self._predict(block, first)
        self._seconds += time.perf_counter() - start
        samples = slice(first, first + len(block.sources))
        labels = Values(block.potential, block.field)
        both = (self._potential, self._field)
        for errors, predicted, truth in zip(both, values, labels, strict=True):
            part = measure(predicted, truth)
            errors.relative[samples] = part.relative
            errors.squared_error[samples] = part.squared_error
            errors.squared_truth[samples] = part.squared_truth
            errors.nonfinite[samples] = part.nonfinite
        self._pairs.append(pairs_of(values, labels, first, self._num_samples))

    def comparison(self) -> Comparison:
        """The comparison of all samples added."""
        return Comparison(self._potential, self._field, Pairs.join(self._pairs), self._seconds)


def _no_errors(shape: tuple[int, int], directory: Path) -> Errors:
    """Arrays for the errors of a split, to be filled."""
    return Errors(
        relative=large_array(shape, np.float32, directory),
        squared_error=np.empty(shape[0]),
        squared_truth=np.empty(shape[0]),
        nonfinite=np.empty(shape[0], np.int64),
    )


def _pieces(split: Split, rows: int, num_samples: int) -> Iterator[tuple[int, Block]]:
    """The first samples of a split, in pieces of at most `rows` that share their points."""
    first = 0
    for block in split.blocks():
        for start in range(0, len(block.sources), rows):
            if first == num_samples:
                return
            stop = min(start + rows, len(block.sources), start + num_samples - first)
            samples = slice(start, stop)
            yield (
                first,
                Block(
                    sources=block.sources[samples],
                    num_sources=block.num_sources[samples],
                    grid=block.grid,
                    potential=block.potential[samples],
                    field=block.field[samples],
                ),
            )
            first += stop - start

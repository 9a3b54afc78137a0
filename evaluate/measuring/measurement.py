"""Errors of subjects on a split against its labels, measured block by block."""

import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int
from numpy.typing import DTypeLike

from hypermagnetics.data import Block, Split
from hypermagnetics.evaluate.measuring.places import Places, places
from hypermagnetics.evaluate.subjects.subject import BlockPredictor, Subject, Values
from hypermagnetics.jax_setup import default_platform
from hypermagnetics.log import SILENT, Listener
from hypermagnetics.metrics import Errors, measure
from hypermagnetics.sources import SourceColumns

_PAIRS = 2048
"""Approximate number of points kept for a split, spread evenly over the samples."""
_STRIDE = 7919
"""A prime, so that the points kept differ from sample to sample."""

_BYTES_IN_MEMORY = 1 << 26

_PIECES_AHEAD = 4
"""Pieces of work that wait beside predictions, each of which holds the values of a block."""

_VALUES_PER_CALL = 1 << 20
"""Samples times points per prediction, which bounds the memory on large grids."""


class Pairs(NamedTuple):
    """Labels and predictions at the same points, one after another."""

    truth: Values
    predicted: Values

    @classmethod
    def join(cls, parts: Sequence["Pairs"]) -> "Pairs":
        """The pairs of all parts, in order."""
        truths, predictions = zip(*parts, strict=True)
        return cls(_joined(truths), _joined(predictions))


@dataclass(frozen=True)
class Measurement:
    """Errors of one subject on the first samples of a split, and the places of the points."""

    potential: Errors
    field: Errors
    pairs: Pairs
    """Some labels and their predictions."""
    places: Places
    num_sources: Int[np.ndarray, " samples"]
    exact_pairs: float | None = None
    """Share of the pairs of source and point that the subject computes exactly, if it tells."""
    predict_seconds: float = 0.0
    """Time of the predictions alone, without a first call, which compiles [s]."""


def measure_split(
    subjects: Sequence[Subject],
    split: Split,
    columns: SourceColumns,
    *,
    unit: float,
    directory: Path,
    listener: Listener = SILENT,
    num_samples: int | None = None,
) -> tuple[Measurement, ...]:
    """Predict the samples of a split with all subjects, and compare with its labels.

    Memory holds one block of values, and of the whole split nothing but a relative error for each
    point and subject, and three codes for each point; `large_array` says where.

    Args:
        subjects: The subjects.
        split: The samples.
        columns: Columns of the source tables.
        unit: Length unit of distances [m].
        directory: Directory for large arrays.
        listener: Receives the number of samples just predicted.
        num_samples: Number of samples, from the first; all if None.

    Returns:
        One measurement for each subject.
    """
    layout = split.layout
    shape = (min(num_samples or layout.num_samples, layout.num_samples), layout.num_points)
    rows = samples_per_call(split)
    found = Places(*(large_array(shape, np.uint8, directory) for _ in range(3)))
    num_sources = np.empty(shape[0], np.int32)
    collectors = [_Collector(subject, split, rows, shape, directory) for subject in subjects]

    def place(first: int, block: Block) -> None:
        samples = slice(first, first + len(block.sources))
        num_sources[samples] = block.num_sources
        here = places(columns, block, unit)
        found.region[samples] = here.region
        found.distance[samples] = here.distance
        found.body[samples] = here.body

    with _beside_predictions() as beside:
        for first, block in pieces(split, rows, shape[0]):
            beside(partial(place, first, block))
            for collector in collectors:
                predicted = collector.predict(first, block)
                beside(partial(collector.compare, first, block, predicted))
                listener.advance(len(block.sources))
    return tuple(one.measurement(found, num_sources) for one in collectors)


@contextmanager
def _beside_predictions() -> Iterator[Callable[[Callable[[], None]], None]]:
    """Work of the processor beside predictions: in a thread while a GPU predicts, else in turn.

    Predictions of a CPU would share its cores with that work, and take longer.

    Yields:
        A function that does some work, or has it done; in order, and few pieces ahead.
    """
    if default_platform() == "cpu":
        yield lambda work: work()
        return
    begun: deque[Future[None]] = deque()
    with ThreadPoolExecutor(1) as thread:

        def beside(work: Callable[[], None]) -> None:
            begun.append(thread.submit(work))
            while len(begun) > _PIECES_AHEAD:
                begun.popleft().result()

        yield beside
        for one in begun:
            one.result()


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
        The errors.
    """
    labels = Values(block.potential, block.field)
    potential, field = (
        measure(values, truth) for values, truth in zip(predicted, labels, strict=True)
    )
    pairs = pairs_of(predicted, labels, 0, len(block.sources))
    return Measurement(potential, field, pairs, places(columns, block, unit), block.num_sources)


def pairs_of(predicted: Values, truth: Values, first: int, num_samples: int) -> Pairs:
    """Select the pairs to keep of some consecutive samples.

    Args:
        predicted: The predictions.
        truth: The labels.
        first: Number of the first sample.
        num_samples: Number of samples of the whole split.

    Returns:
        The pairs; their points depend on the numbers of the samples alone.
    """
    every = max(num_samples // _PAIRS, 1)
    of_each = min(-(-_PAIRS // num_samples), truth.potential.shape[1])
    numbers = np.arange(first, first + len(truth.potential))
    numbers = numbers[numbers % every == 0]
    points = (numbers[:, None] * _STRIDE + np.arange(of_each) * _STRIDE) % truth.potential.shape[1]
    chosen = np.repeat(numbers - first, of_each), points.ravel()
    with np.errstate(over="ignore"):
        kept = (
            Values(*(array[chosen].astype(np.float32) for array in values))
            for values in (truth, predicted)
        )
        return Pairs(*kept)


def _joined(parts: Sequence[Values]) -> Values:
    return Values(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


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
        self._potential, self._field = (no_errors(shape, directory) for _ in range(2))
        self._pairs: list[Pairs] = []
        self._num_samples = shape[0]
        self._seconds = 0.0
        self._count, self._rows = subject.exact_pairs, rows
        self._exact_pairs = self._pairs_in_all = 0

    def predict(self, first: int, block: Block) -> Values:
        """Predict some samples."""
        if first == 0:
            self._predict(block, first)  # compiles, out of the time measured
        start = time.perf_counter()
        values = self._predict(block, first)
        self._seconds += time.perf_counter() - start
        if self._count is not None:
            self._exact_pairs += self._count(block.sources, block.grid, self._rows)
            self._pairs_in_all += int(block.num_sources.sum()) * len(block.grid)
        return values

    def compare(self, first: int, block: Block, values: Values) -> None:
        """Compare predictions of some samples with their labels."""
        labels = Values(block.potential, block.field)
        both = (self._potential, self._field)
        for errors, predicted, truth in zip(both, values, labels, strict=True):
            put_errors(errors, first, measure(predicted, truth))
        self._pairs.append(pairs_of(values, labels, first, self._num_samples))

    def measurement(self, found: Places, num_sources: Int[np.ndarray, " samples"]) -> Measurement:
        """The errors of all samples added."""
        pairs = Pairs.join(self._pairs)
        share = self._exact_pairs / self._pairs_in_all if self._pairs_in_all else None
        return Measurement(
            self._potential, self._field, pairs, found, num_sources, share, self._seconds
        )


def put_errors(errors: Errors, first: int, part: Errors) -> None:
    """Put the errors of consecutive samples into those of a split.

    Args:
        errors: Arrays for the errors of the split, which are filled in.
        first: Number of the first sample.
        part: Errors of the samples.
    """
    samples = slice(first, first + len(part.relative))
    errors.relative[samples] = part.relative
    errors.squared_error[samples] = part.squared_error
    errors.squared_truth[samples] = part.squared_truth
    errors.nonfinite[samples] = part.nonfinite


def no_errors(shape: tuple[int, int], directory: Path) -> Errors:
    """Arrays for the errors of a split, to be filled.

    Args:
        shape: Samples, and points of each.
        directory: Directory for large arrays.
    """
    return Errors(
        relative=large_array(shape, np.float32, directory),
        squared_error=np.empty(shape[0]),
        squared_truth=np.empty(shape[0]),
        nonfinite=np.empty(shape[0], np.int64),
    )


def pieces(split: Split, rows: int, num_samples: int) -> Iterator[tuple[int, Block]]:
    """The first samples of a split, in pieces of at most `rows` that share their points.

    Args:
        split: The split.
        rows: The most samples of a piece.
        num_samples: Number of samples, from the first.

    Yields:
        Number of the first sample of a piece, and the piece.
    """
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


def large_array(shape: tuple[int, ...], dtype: DTypeLike, directory: Path) -> np.ndarray:
    """An array to be filled, in an unnamed file if it is large.

    Args:
        shape: Its shape.
        dtype: Its type.
        directory: Directory of the file, for arrays larger than 64 MiB. The file has no name, so
            that nothing is left of it however the process ends.

    Returns:
        The array, with arbitrary content.

    Raises:
        OSError: If there is no room for the file. Later, a full disk would end the process.
    """
    size = int(np.prod(shape, dtype=object)) * np.dtype(dtype).itemsize
    if size <= _BYTES_IN_MEMORY:
        return np.empty(shape, dtype)
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=directory) as file:
        os.posix_fallocate(file.fileno(), 0, size)
        return np.memmap(file, dtype, "r+", shape=shape)

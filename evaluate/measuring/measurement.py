"""Errors of subjects on a split against its labels, measured block by block."""

import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int
from numpy.typing import DTypeLike

from hypermagnetics.data import Block, Split
from hypermagnetics.evaluate.measuring.places import Places, places
from hypermagnetics.evaluate.subjects.subject import BlockPredictor, PotentialAndField, Subject
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

    truth: PotentialAndField
    predicted: PotentialAndField

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


class SubjectPart(NamedTuple):
    """Errors of one subject on some consecutive samples."""

    potential: Errors
    field: Errors
    pairs: Pairs
    exact_pairs: int
    """Pairs of source and point that it computes exactly; 0 if it does not tell."""
    pairs_in_all: int
    seconds: float
    """Time of the predictions [s]."""


class Part(NamedTuple):
    """Errors of all subjects on some consecutive samples."""

    first: int
    """Number of the first sample."""
    num_sources: Int[np.ndarray, " samples"]
    places: Places
    of_subjects: tuple[SubjectPart, ...]


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
    wanted = min(num_samples or len(split), len(split))
    rows = samples_per_call(split)
    collected = _Collected(len(subjects), split, wanted, directory)
    predictors = [_Predictor(subject, split, rows) for subject in subjects]

    def place(first: int, block: Block) -> None:
        collected.put_places(first, block.num_sources, places(columns, block, unit))

    def compare(number: int, first: int, block: Block, found: _Predicted) -> None:
        collected.put(number, first, _compared(first, block, found, wanted))

    with _beside_predictions() as beside:
        for first, block in pieces(split, rows, wanted):
            beside(partial(place, first, block))
            for number, predictor in enumerate(predictors):
                beside(partial(compare, number, first, block, predictor.predict(first, block)))
                listener.advance(len(block.sources))
    return collected.measurements()


def join_parts(
    parts: Iterable[Part],
    num_subjects: int,
    split: Split,
    directory: Path,
    listener: Listener = SILENT,
) -> tuple[Measurement, ...]:
    """Put the parts of a whole split together, as `measure_split` gives them.

    Args:
        parts: The parts, in any order.
        num_subjects: Number of subjects.
        split: The samples.
        directory: Directory for large arrays.
        listener: Receives the number of samples of each part, times the subjects.

    Returns:
        One measurement for each subject.
    """
    collected = _Collected(num_subjects, split, len(split), directory)
    for part in parts:
        collected.put_places(part.first, part.num_sources, part.places)
        for number, one in enumerate(part.of_subjects):
            collected.put(number, part.first, one)
        listener.advance(len(part.num_sources) * num_subjects)
    return collected.measurements()


class PartMeasurement:
    """Measures parts of a split, in any order and in any process."""

    def __init__(
        self, subjects: Sequence[Subject], split: Split, columns: SourceColumns, unit: float
    ) -> None:
        """Predict nothing yet; arguments as of `measure_split`."""
        self._split, self._columns, self._unit = split, columns, unit
        self._rows = samples_per_call(split)
        self._predictors = [_Predictor(subject, split, self._rows) for subject in subjects]

    def parts(self, block: int) -> Iterator[Part]:
        """Measure all parts of a block, each of one call of the subjects."""
        whole = self._split.block(block)
        start = self._split.layout.block_samples(block)[0]
        for first, piece in _cut(whole, start, self._rows):
            found = places(self._columns, piece, self._unit)
            parts = tuple(
                _compared(first, piece, predictor.predict(first, piece), len(self._split))
                for predictor in self._predictors
            )
            yield Part(first, piece.num_sources, found, parts)


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
    block: Block, predicted: PotentialAndField, columns: SourceColumns, unit: float
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
    labels = PotentialAndField(block.potential, block.field)
    potential, field = (
        measure(values, truth) for values, truth in zip(predicted, labels, strict=True)
    )
    pairs = pairs_of(predicted, labels, 0, len(block.sources))
    return Measurement(potential, field, pairs, places(columns, block, unit), block.num_sources)


def pairs_of(
    predicted: PotentialAndField, truth: PotentialAndField, first: int, num_samples: int
) -> Pairs:
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
            PotentialAndField(*(array[chosen].astype(np.float32) for array in values))
            for values in (truth, predicted)
        )
        return Pairs(*kept)


def _joined(parts: Sequence[PotentialAndField]) -> PotentialAndField:
    return PotentialAndField(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def samples_per_call(split: Split) -> int:
    """Number of samples per prediction: a block, or fewer on a large grid."""
    layout = split.layout
    return min(layout.samples_per_grid, max(_VALUES_PER_CALL // layout.num_points, 1))


class _Predicted(NamedTuple):
    """Predictions of some samples."""

    values: PotentialAndField
    seconds: float
    exact_pairs: int
    pairs_in_all: int


class _Predictor:
    """Predicts samples of a split with one subject."""

    def __init__(self, subject: Subject, split: Split, rows: int) -> None:
        self._predict: BlockPredictor = subject.on_split(split, rows)
        self._count, self._rows = subject.exact_pairs, rows
        self._is_compiled = False

    def predict(self, first: int, block: Block) -> _Predicted:
        """Predict some samples, the first of which has that number."""
        if not self._is_compiled:
            self._predict(block, first)  # out of the time measured
            self._is_compiled = True
        start = time.perf_counter()
        values = self._predict(block, first)
        seconds = time.perf_counter() - start
        if self._count is None:
            return _Predicted(values, seconds, 0, 0)
        exact = self._count(block.sources, block.grid, self._rows)
        return _Predicted(values, seconds, exact, int(block.num_sources.sum()) * len(block.grid))


def _compared(first: int, block: Block, found: _Predicted, num_samples: int) -> SubjectPart:
    """Compare predictions of some samples with their labels."""
    labels = PotentialAndField(block.potential, block.field)
    potential, field = (
        measure(predicted, truth) for predicted, truth in zip(found.values, labels, strict=True)
    )
    pairs = pairs_of(found.values, labels, first, num_samples)
    counts = (found.exact_pairs, found.pairs_in_all)
    return SubjectPart(potential, field, pairs, *counts, found.seconds)


class _Collected:
    """Collects the errors of all subjects on the first samples of a split."""

    def __init__(self, num_subjects: int, split: Split, num_samples: int, directory: Path) -> None:
        shape = (num_samples, split.layout.num_points)
        self._places = Places(*(large_array(shape, np.uint8, directory) for _ in range(3)))
        self._num_sources = np.empty(num_samples, np.int32)
        self._errors = [
            (no_errors(shape, directory), no_errors(shape, directory)) for _ in range(num_subjects)
        ]
        self._pairs: list[dict[int, Pairs]] = [{} for _ in range(num_subjects)]
        self._exact_pairs, self._pairs_in_all = [0] * num_subjects, [0] * num_subjects
        self._seconds = [0.0] * num_subjects

    def put_places(
        self, first: int, num_sources: Int[np.ndarray, " samples"], found: Places
    ) -> None:
        """Put the places of the points of some samples."""
        samples = slice(first, first + len(num_sources))
        self._num_sources[samples] = num_sources
        self._places.region[samples] = found.region
        self._places.distance[samples] = found.distance
        self._places.body[samples] = found.body

    def put(self, number: int, first: int, part: SubjectPart) -> None:
        """Put the errors of a subject on some samples."""
        potential, field = self._errors[number]
        put_errors(potential, first, part.potential)
        put_errors(field, first, part.field)
        self._pairs[number][first] = part.pairs
        self._exact_pairs[number] += part.exact_pairs
        self._pairs_in_all[number] += part.pairs_in_all
        self._seconds[number] += part.seconds

    def measurements(self) -> tuple[Measurement, ...]:
        """The errors of all samples that were put."""
        return tuple(map(self._measurement, range(len(self._errors))))

    def _measurement(self, number: int) -> Measurement:
        in_all = self._pairs_in_all[number]
        return Measurement(
            *self._errors[number],
            Pairs.join([pairs for _, pairs in sorted(self._pairs[number].items())]),
            self._places,
            self._num_sources,
            self._exact_pairs[number] / in_all if in_all else None,
            self._seconds[number],
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
        for start, piece in _cut(block, first, rows):
            left = num_samples - start
            if left <= 0:
                return
            yield start, piece if left >= piece.num_samples else _first_of(piece, left)
        first += block.num_samples


def _cut(block: Block, first: int, rows: int) -> Iterator[tuple[int, Block]]:
    """Pieces of a block, each with the number of its first sample."""
    for start in range(0, block.num_samples, rows):
        samples = slice(start, start + rows)
        piece = Block(
            sources=block.sources[samples],
            num_sources=block.num_sources[samples],
            grid=block.grid,
            potential=block.potential[samples],
            field=block.field[samples],
        )
        yield first + start, piece


def _first_of(piece: Block, num_samples: int) -> Block:
    """The first samples of a piece."""
    ((_, cut),) = islice(_cut(piece, 0, num_samples), 1)
    return cut


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

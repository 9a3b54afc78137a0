"""Errors of derivatives of the potential by the sources, measured block by block."""

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from hypermagnetics.data import Block, Split
from hypermagnetics.errors import SourceError
from hypermagnetics.evaluate.measuring.measurement import (
    no_errors,
    pieces,
    put_errors,
    samples_per_call,
)
from hypermagnetics.evaluate.subjects.subject import Slopes
from hypermagnetics.metrics import Errors, measure
from hypermagnetics.sources import Directions, SourceColumns, chosen_columns, derivative_labels

ALL = "all"
"""Name of all columns that vary."""

_NUMBERS_AT_ONCE = 1 << 22
"""Samples times points times directions, which bounds the memory."""


def directions_of(columns: SourceColumns, split: Split, wanted: Sequence[str]) -> Directions:
    """Columns by which is differentiated, in units of their own spread.

    Args:
        columns: Columns of the source tables.
        split: The samples.
        wanted: Names of columns or of their groups, or `ALL`.

    Returns:
        The columns; moments in units of the root mean square of their components, lengths in that
        of the coordinates of the points.

    Raises:
        SourceError: If a column is unknown, or is the same for all sources.
    """
    found, grid = split.statistics("sources"), split.statistics("grid")
    varying = [
        name
        for name, low, high in zip(columns.names, found.min, found.max, strict=True)
        if low < high
    ]
    place = f"--by-sources, split {split.name!r} of {split.directory}"
    if beside := sorted({*wanted} - {ALL}) if ALL in wanted else []:
        raise SourceError(
            f"{ALL!r} must stand alone, as it means all columns that vary; got {beside[0]!r} "
            f"beside it ({place}). Leave one of them out."
        )
    names = chosen_columns(columns, None if ALL in wanted else wanted, varying, place)
    if not names:
        raise SourceError(
            "Derivatives by the sources must be by a column that varies; got samples in which none "
            f"does ({place}). Leave --by-sources out, or evaluate another split."
        )
    dim = columns.dim
    return Directions(
        columns,
        names,
        _rms(found.mean[:dim], found.std[:dim]),
        _rms(grid.mean, grid.std),
    )


def measure_slopes(
    subjects: Sequence[Slopes], split: Split, along: Directions, directory: Path
) -> tuple[Errors, ...]:
    """Differentiate the potential of all subjects by the sources, and compare with exact sums.

    The derivatives of a point by all parameters of all sources of its sample are one vector, whose
    relative error is that of a point. Truth is computed in float64.

    Args:
        subjects: Derivatives of the potentials of the subjects.
        split: The samples.
        along: Columns by which is differentiated, and their units.
        directory: Directory for large arrays.

    Returns:
        One for each subject.
    """
    layout = split.layout
    shape = (layout.num_samples, layout.num_points)
    each = layout.num_points * len(along.parameters) * layout.max_sources
    rows = min(samples_per_call(split), max(_NUMBERS_AT_ONCE // each, 1))
    errors = tuple(no_errors(shape, directory) for _ in subjects)
    for first, block in pieces(split, rows, layout.num_samples):
        truth = _vectors(
            derivative_labels(along.columns, block.sources, change, block.grid)[0]
            for change in _changes(along, block)
        )
        for found, slopes in zip(errors, subjects, strict=True):
            predicted = _vectors(
                _slopes(slopes, block, change, rows) for change in _changes(along, block)
            )
            put_errors(found, first, measure(predicted, truth))
    return errors


def _changes(
    along: Directions, block: Block
) -> Iterator[Float[np.ndarray, "samples sources columns"]]:
    """Changes of one parameter of one source each; those of all sources would not fit."""
    sources = jnp.asarray(block.sources)
    for row in range(sources.shape[1]):
        yield from np.asarray(along.of_row(sources, row))


def _slopes(
    slopes: Slopes, block: Block, change: Float[np.ndarray, "samples sources columns"], rows: int
) -> Float[np.ndarray, "samples points"]:
    return slopes(block.sources, change, block.grid, rows)


def _vectors(parts: Iterable[object]) -> Float[np.ndarray, "samples points components"]:
    """Derivatives in each direction as components of one vector."""
    found: np.ndarray = np.stack([np.asarray(part) for part in parts], axis=-1)
    return found


def _rms(mean: Sequence[float], std: Sequence[float]) -> float:
    """Root mean square of the components of a vector."""
    squares = [m * m + s * s for m, s in zip(mean, std, strict=True)]
    return math.sqrt(sum(squares) / len(squares)) or 1.0

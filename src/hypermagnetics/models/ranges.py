"""The arguments of a model: their shapes, and a warning outside the range of its training."""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array

from hypermagnetics.arrays import Numbers
from hypermagnetics.errors import HypermagneticsWarning
from hypermagnetics.few_sizes import placed
from hypermagnetics.models.inputs import ModelInputs
from hypermagnetics.shapes import Points, SourceTable, SourceTables
from hypermagnetics.sources.arguments import jax_arrays
from hypermagnetics.sources.checks import marked, refuse_bad_points, refuse_bad_tables
from hypermagnetics.table import source_rows

_TOLERANCE = 1e-3
"""Tolerated excess over a range, as a share of its width: samples never fill a range."""


class OutOfRangeWarning(HypermagneticsWarning):
    """A model is evaluated outside the range of its training, where its error is unknown."""


class KnownRange(NamedTuple):
    """Range in training of one kind of value [m]."""

    kind: str
    """Name, as in "positions of sources"."""
    names: tuple[str, ...]
    """Names of its columns, or axes."""
    indices: tuple[int, ...]
    """Indices of these columns, or axes."""
    bounds: tuple[tuple[float, float], ...]
    """Least and largest value of each."""

    def __str__(self) -> str:
        each = zip(self.names, self.bounds, strict=True)
        return ", ".join(f"{name} {low:.4g} to {high:.4g} m" for name, (low, high) in each)


def known_ranges(inputs: ModelInputs, columns: tuple[str, ...]) -> list[KnownRange]:
    """The ranges of training, one for each kind of value: positions, sizes, points.

    Args:
        inputs: Inputs of the model, with its ranges.
        columns: The columns that count.

    Returns:
        None of a kind that does not count; none at all if the ranges are not known.
    """
    trained = inputs.trained
    if trained is None:
        return []
    positions = [name for name in columns if name.startswith("position_")]
    sizes = [name for name in columns if name not in positions]
    kinds = [
        _known(kind, names, [inputs.columns.index(name) for name in names], trained.sources)
        for kind, names in (("positions of sources", positions), ("sizes of sources", sizes))
        if names
    ]
    axes = range(inputs.dim)
    return [*kinds, _known("coordinates of points", "xyz"[: inputs.dim], axes, trained.points)]


def checked_arguments(
    inputs: ModelInputs, columns: tuple[str, ...], sources: Numbers, points: Numbers
) -> tuple[SourceTable, Points]:
    """Check the arguments, as arrays of JAX; warn of values known to be out of range.

    Args:
        inputs: Inputs of the model, with its ranges.
        columns: The columns whose range counts.
        sources: Source table.
        points: Points of evaluation [m].

    Returns:
        The two as arrays of JAX. Inside a transformation of JAX, as under `jit`, a row that is no
        source and has a moment is NaN there, and so are the values of every model.

    Raises:
        SourceError: If one has another number of columns than the model reads, or is no array of
            real numbers, or a row with a moment is no source.
    """
    table, at = jax_arrays(sources=sources, points=points)
    refuse_bad_tables(inputs.columns, table)
    refuse_bad_points(at, inputs.dim)
    warn_out_of_range(inputs, columns, table, at)
    return _some_rows(marked(inputs.columns, table)), at


def checked_block(
    inputs: ModelInputs, sources: Numbers, points: Numbers
) -> tuple[SourceTables, Points]:
    """Check the arguments of a block, as `checked_arguments` does, without a look at ranges.

    Args:
        inputs: Inputs of the model.
        sources: Source tables of samples that share their points.
        points: Points of evaluation [m].

    Returns:
        The two as arrays of JAX.

    Raises:
        SourceError: As `checked_arguments`.
    """
    tables, at = jax_arrays(sources=sources, points=points)
    refuse_bad_tables(inputs.columns, tables, ("sample", "source"))
    refuse_bad_points(at, inputs.dim)
    return _some_rows(marked(inputs.columns, tables)), at


def _some_rows(tables: Array) -> Array:
    """The tables; one row of padding if they have none, so that models need not think of that."""
    if tables.shape[-2] == 0:
        return placed(np.zeros((*tables.shape[:-2], 1, tables.shape[-1]), tables.dtype))
    return tables


def warn_out_of_range(
    inputs: ModelInputs, columns: tuple[str, ...], sources: SourceTable, points: Points
) -> None:
    """Warn of values outside the ranges of training; once for each kind of value.

    Values inside a transformation of JAX, as under `jit`, are not looked at. A source is judged by
    its centre, and by its sizes if they are among the columns that count.

    Args:
        inputs: Inputs of the model, with its ranges.
        columns: The columns that count.
        sources: Source table.
        points: Points of evaluation [m].
    """
    for known in known_ranges(inputs, columns):
        values = points if known.kind.endswith("points") else sources
        if isinstance(values, jax.core.Tracer):
            continue
        rows = jax.device_get(values)
        if values is sources:
            rows = rows[source_rows(rows, inputs.dim)]
        if _leave(rows[:, list(known.indices)], known.bounds):
            # Always the same place and, for one model, the same text: shown once by Python's
            # default.
            warnings.warn(
                f"The {known.kind} must lie where the model was trained, {known}; got values "
                "outside, where its error is unknown. Train on a wider dataset, or filter "
                "OutOfRangeWarning.",
                OutOfRangeWarning,
                stacklevel=1,
            )


def _known(
    kind: str,
    names: Sequence[str],
    indices: Sequence[int],
    bounds: tuple[tuple[float, float], ...],
) -> KnownRange:
    return KnownRange(kind, tuple(names), tuple(indices), tuple(bounds[i] for i in indices))


def _leave(rows: np.ndarray, bounds: tuple[tuple[float, float], ...]) -> bool:
    """Whether a value is outside its bounds."""
    low, high = np.array(bounds, np.float64).T
    slack = _TOLERANCE * (high - low)
    return bool(np.any((rows < low - slack) | (rows > high + slack)))

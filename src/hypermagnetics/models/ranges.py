"""The arguments of a model: their shapes, and a warning outside the range of its training."""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from hypermagnetics.errors import SourceError
from hypermagnetics.few_sizes import placed
from hypermagnetics.models.inputs import ModelInputs
from hypermagnetics.shapes import Points, SourceTable
from hypermagnetics.table import source_rows

_TOLERANCE = 1e-3
"""Tolerated excess over a range, as a share of its width: samples never fill a range."""


class OutOfRangeWarning(UserWarning):
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
    inputs: ModelInputs, columns: tuple[str, ...], sources: SourceTable, points: Points
) -> tuple[SourceTable, Points]:
    """Check the arguments, as arrays of the right shape; warn of values known to be out of range.

    Args:
        inputs: Inputs of the model, with its ranges.
        columns: The columns whose range counts.
        sources: Source table.
        points: Points of evaluation [m].

    Returns:
        The two as arrays of JAX.

    Raises:
        SourceError: If one has another number of columns than the model reads.
    """
    sources, points = placed(sources), placed(points)
    table = inputs.columns
    if sources.ndim != 2 or sources.shape[1] != table.size:
        raise SourceError(
            f"A source table must have {table.size} columns ({', '.join(table.names)}); got an "
            f"array of shape {sources.shape}. Give one row for each source."
        )
    if points.ndim != 2 or points.shape[1] != inputs.dim:
        raise SourceError(
            f"Points must be an array of (points, {inputs.dim}); got one of shape {points.shape}. "
            "Give one row for each point."
        )
    warn_out_of_range(inputs, columns, sources, points)
    return sources, points


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
        rows = np.asarray(values)
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

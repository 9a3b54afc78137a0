"""The arguments of a model: their shapes, and the words for those outside of its domain."""

import warnings
from typing import NamedTuple

import numpy as np
from jaxtyping import Array

from hypermagnetics.arrays import Numbers
from hypermagnetics.errors import HypermagneticsError, HypermagneticsWarning
from hypermagnetics.few_sizes import placed
from hypermagnetics.models.domain import Domain
from hypermagnetics.models.inputs import ModelInputs, Outside
from hypermagnetics.shapes import Points, SourceTable, SourceTables
from hypermagnetics.sources.arguments import jax_arrays
from hypermagnetics.sources.checks import marked, refuse_bad_points, refuse_bad_tables
from hypermagnetics.table import SourceColumns


class OutOfRangeWarning(HypermagneticsWarning):
    """A model is evaluated outside of its domain, where its error is unknown."""


class OutOfRangeError(HypermagneticsError):
    """A model that refuses it is evaluated outside of its domain."""


class KnownRange(NamedTuple):
    """Range of one kind of value in a domain [m]."""

    kind: str
    """Name, as in "positions of sources"."""
    names: tuple[str, ...]
    """Names of its columns, axes or bodies."""
    bounds: tuple[tuple[float, float], ...]
    """Least and largest value of each."""

    def __str__(self) -> str:
        each = zip(self.names, self.bounds, strict=True)
        return ", ".join(f"{name} {low:.4g} to {high:.4g} m" for name, (low, high) in each)


def known_ranges(domain: Domain) -> list[KnownRange]:
    """The ranges of a domain, one for each kind of value: positions, sizes, radii, points.

    Args:
        domain: The domain.
    """
    axes = "xyz"[: len(domain.points)]
    found = [
        KnownRange("positions of sources", tuple(f"position_{a}" for a in axes), domain.positions)
    ]
    if domain.sizes:
        names, bounds = zip(*domain.sizes, strict=True)
        found.append(KnownRange("sizes of sources", names, bounds))
    if domain.radii:
        bodies = tuple(body for body, _ in domain.radii)
        limits = tuple((0.0, largest) for _, largest in domain.radii)
        found.append(KnownRange("outer radii of sources", bodies, limits))
    return [*found, KnownRange("coordinates of points", tuple(axes), domain.points)]


def checked_arguments(
    inputs: ModelInputs, sources: Numbers, points: Numbers
) -> tuple[SourceTable, Points]:
    """Check the arguments, as arrays of JAX.

    Args:
        inputs: Inputs of the model.
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
    return _some_rows(marked(inputs.columns, table)), at


def checked_block(
    inputs: ModelInputs, sources: Numbers, points: Numbers
) -> tuple[SourceTables, Points]:
    """Check the arguments of a block, as `checked_arguments` does.

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


def report_left(
    domain: Domain,
    outside: Outside,
    columns: SourceColumns,
    sources: np.ndarray,
    points: np.ndarray,
) -> None:
    """Warn of values outside of a domain, once for each kind of value, or refuse them.

    Args:
        domain: The domain.
        outside: "raise" to refuse them.
        columns: Columns of the sources.
        sources: Source tables, or one.
        points: Points of evaluation [m].

    Raises:
        OutOfRangeError: If they are refused.
    """
    left = domain.left(columns, sources, points)
    for known, is_left in zip(known_ranges(domain), left, strict=True):
        if not is_left:
            continue
        finding = (
            f"The {known.kind} must lie in the domain of the model, {known}; got values outside, "
            "where its error is unknown"
        )
        if outside == "raise":
            raise OutOfRangeError(
                f"{finding} (outside = 'raise'). Take model.with_outside('exact'), which computes "
                "them exactly, or train on a wider dataset."
            )
        # Always the same place and, for one model, the same text: shown once by Python's default.
        warnings.warn(
            f"{finding}. Take model.with_outside('exact'), which computes them exactly, train on a "
            "wider dataset, or filter OutOfRangeWarning.",
            OutOfRangeWarning,
            stacklevel=1,
        )

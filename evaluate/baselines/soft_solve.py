"""Baselines of soft bodies: the hard magnets alone, and the solve by few cells a side."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from hypermagnetics.data import Split
from hypermagnetics.errors import SourceError
from hypermagnetics.evaluate.baselines.exact_sum import ExactSum
from hypermagnetics.evaluate.measuring.measurement import samples_per_call
from hypermagnetics.evaluate.results.numbers import per_cent, three_digits
from hypermagnetics.evaluate.subjects.subject import (
    PointModel,
    PotentialAndField,
    Subject,
    on_any_split,
)
from hypermagnetics.few_sizes import placed
from hypermagnetics.models import Knowledge
from hypermagnetics.shapes import Field, Points, Potential, SourceTable
from hypermagnetics.sources import SourceColumns
from hypermagnetics.sources.soft.solve import Rows, Settings, solve
from hypermagnetics.table import (
    applied_field,
    hard_table,
    is_body,
    source_rows,
    susceptibility,
)

CELLS = (1, 2, 4, 8)
"""Cells along each side of a body; with 1 its magnetisation is uniform."""

SAMPLES = 8
"""Samples of a split that are solved."""

LONGEST = 2.0
"""Time of a configuration from which on no more cells are tried [s]."""

_TOLERANCE = 1e-6


@dataclass(frozen=True)
class HardMagnets:
    """The exact sum of the hard magnets, as if no body were soft; a `PointModel`."""

    columns: SourceColumns
    """Columns of the source tables, with susceptibilities."""

    def predict(
        self,
        sources: Float[np.ndarray, "samples sources columns"],
        points: Float[np.ndarray, "points dim"],
        num_samples: int,
    ) -> PotentialAndField:
        """Potential and field of samples that share their points; see `PointModel`."""
        hard = hard_table(self.columns, sources)
        return ExactSum(self.columns.hard).predict(hard, points, num_samples)


@dataclass(frozen=True)
class Solve:
    """The self-consistent field by cells, in float64; a `PointModel`."""

    columns: SourceColumns
    """Columns of the source tables, with susceptibilities."""
    cells: int
    """Cells along each side of a body."""

    def predict(
        self,
        sources: Float[np.ndarray, "samples sources columns"],
        points: Float[np.ndarray, "points dim"],
        num_samples: int,
    ) -> PotentialAndField:
        """Potential and field of samples, one after another; see `PointModel`.

        Raises:
            SourceError: If a sample is not solved.
        """
        columns = self.columns
        # Rows that are a soft body in one of the samples, so that one program serves them all.
        is_soft = susceptibility(columns, sources) != 0
        soft = tuple(
            np.flatnonzero((is_soft & is_body(columns, body, sources)).any(axis=0))
            for body in columns.bodies
        )
        rows = Rows(soft, np.flatnonzero((~is_soft & source_rows(columns, sources)).any(axis=0)))
        potentials, fields = [], []
        with jax.enable_x64(True):
            at = placed(points.astype(np.float64))
            for table in sources:
                found = _solved(columns, self.cells, rows, placed(table.astype(np.float64)), at)
                potential, field, residual = map(np.asarray, found)
                if not residual <= _TOLERANCE:
                    raise SourceError(
                        f"A solve of soft bodies must leave a residual of at most {_TOLERANCE:g}; "
                        f"got {residual:.3g} ({self.cells} cells a side). Leave out this dataset, "
                        "or evaluate with --metrics-only."
                    )
                potentials.append(potential.astype(np.float32))
                fields.append(field.astype(np.float32))
        return PotentialAndField(np.stack(potentials), np.stack(fields))


@partial(jax.jit, static_argnames=("columns", "cells"))
def _solved(
    columns: SourceColumns, cells: int, rows: Rows, table: SourceTable, points: Points
) -> tuple[Potential, Field, Float[Array, ""]]:
    found = solve(
        columns.hard,
        hard_table(columns, table),
        susceptibility(columns, table),
        applied_field(columns, table),
        jnp.zeros(len(table)),
        Settings(cells=(cells,) * columns.dim),
        rows,
    )
    return (*found.potential_and_field(points), found.residual)


def hard_magnets(columns: SourceColumns) -> Subject:
    """The hard magnets alone, which leave out the share of the soft bodies."""
    model = HardMagnets(columns)
    place = "the sum over the closed forms of the hard magnets"
    return _subject("no soft bodies", place, model)


def solves(columns: SourceColumns, split: Split) -> Iterator[tuple[Subject, float]]:
    """Solves by more and more cells, until one takes long.

    Args:
        columns: Columns of the source tables.
        split: The split, of which one configuration is timed.

    Yields:
        Each solve, and its seconds for a configuration.
    """
    for cells in CELLS:
        model = Solve(columns, cells)
        name = "solve, 1 cell a body" if cells == 1 else f"solve, {cells} cells a side"
        seconds = _seconds(model, split, 1)
        yield _subject(name, "the self-consistent magnetisation of cells", model), seconds
        if seconds > LONGEST:
            return


def seconds_of(model: PointModel, split: Split) -> float:
    """Time of one of as many configurations as a model predicts at once [s]."""
    return _seconds(model, split, samples_per_call(split))


@dataclass(frozen=True)
class Compared:
    """A subject or a solve on the same samples."""

    name: str
    error: float
    """Median relative error of the field."""
    seconds: float
    """Of one configuration."""


def comparison(split: str, subject: Compared, solved: Sequence[Compared]) -> str:
    """The solve of equal error and that of equal time, in a sentence."""
    exact = next((one for one in solved if one.error <= subject.error), None)
    quick = [one for one in solved if one.seconds <= subject.seconds]
    if exact is None:
        equal = f"none of these is as exact, {solved[-1].name} is off by {_error(solved[-1])}"
    else:
        ratio = three_digits(exact.seconds / subject.seconds)
        equal = f"{exact.name} is as exact, in {ratio} times the time"
    if quick:
        fast = f"{quick[-1].name} is as quick, and off by {_error(quick[-1])}"
    else:
        ratio = three_digits(solved[0].seconds / subject.seconds)
        fast = f"none is as quick, {solved[0].name} takes {ratio} times the time"
    return (
        f"On {split}, {subject.name} is off by {_error(subject)} in the field (median) and takes "
        f"{three_digits(1e3 * subject.seconds)} ms a configuration: {equal}; {fast}."
    )


def _error(one: Compared) -> str:
    return f"{per_cent(one.error)} %"


def _seconds(model: PointModel, split: Split, count: int) -> float:
    block = split.block(0)
    sources = block.sources[: min(count, len(block.sources))]
    for _ in range(2):  # the first call compiles
        start = time.perf_counter()
        model.predict(sources, block.grid, len(sources))
        seconds = time.perf_counter() - start
    return seconds / len(sources)


def _subject(name: str, place: str, model: PointModel) -> Subject:
    return Subject(
        name=name,
        kind="baseline",
        place=place,
        on_split=on_any_split(model),
        model=model,
        knowledge=Knowledge.BASELINE,
    )

"""A subject of an evaluation: its name, its origin and its predictions, and their arrays."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hypermagnetics.data import Block, Split
from hypermagnetics.models import Knowledge
from hypermagnetics.shapes import BlockField, BlockPotential, Points, SourceTables
from hypermagnetics.sources import SourceColumns
from hypermagnetics.sources.conversion import converted

SubjectKind = Literal["run", "model", "export", "function", "predictions", "baseline"]


class TableSize(NamedTuple):
    """Space dimension and number of columns of a source table, if nothing else is known."""

    dim: int
    size: int


class PotentialAndField(NamedTuple):
    """Potential and field at points: of samples that share them, or of one configuration."""

    potential: Float[ndarray, "*samples points"]
    """[A]"""
    field: Float[ndarray, "*samples points dim"]
    """H [A/m]."""


@runtime_checkable
class PointModel(Protocol):
    """Predicts any sources at any points."""

    def predict(
        self,
        sources: Float[ndarray, "samples sources columns"],
        points: Float[ndarray, "points dim"],
        num_samples: int,
    ) -> PotentialAndField:
        """Potential and field of samples that share their points.

        Args:
            sources: Source tables, in float32; rows past a sample's number of sources are zero.
            points: Points of evaluation [m], in float32.
            num_samples: At least the number of samples. A model that compiles for every shape may
                pad to it with empty samples, so that different block sizes need one compilation.

        Returns:
            The values, after all computations have ended.
        """
        ...


BlockPredictor = Callable[[Block, int], PotentialAndField]
"""Predicts consecutive samples of a split, from a block or a part of one and the number of its
first sample. It reads nothing of the block but sources and points."""

Targets = Callable[
    [SourceTables, Points, BlockPotential, BlockField], tuple[BlockPotential, BlockField]
]
"""Maps the labels of a block to target values, as `hypermagnetics.models.NearPart.targets`."""


Slopes = Callable[
    [
        Float[ndarray, "samples sources columns"],
        Float[ndarray, "samples sources columns"],
        Float[ndarray, "points dim"],
        int,
    ],
    Float[ndarray, "samples points"],
]
"""Changes of the predicted potential [A] to first order, from source tables, their changes, points
and the most samples of a call."""

PairCount = Callable[
    [Float[ndarray, "samples sources columns"], Float[ndarray, "points dim"], int], int
]
"""Counts pairs of source and point, from source tables, points and the most samples of a call."""

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Subject:
    """A subject of an evaluation."""

    name: str
    """Name in tables; unique within an evaluation."""
    kind: SubjectKind
    place: str
    """Path or `module:function` of the subject; for a baseline, a description."""
    on_split: Callable[[Split, int], BlockPredictor]
    """Makes a predictor for a split, from the split and the most samples of one call."""
    model: PointModel | None = None
    """Predicts at arbitrary points, for maps, physics and times; None if not available."""
    sha256: str | None = None
    """sha256 of the file or files, if there are any."""
    num_parameters: int | None = None
    table: SourceColumns | TableSize | None = None
    """Source table of its inputs; None if only a call can show it."""
    rank: int | None = None
    """K of a model phi(r) = sum_s w(s).f(r) + exact part with K features f; None if it is no such
    model."""
    targets: Targets | None = None
    """Maps labels to target values of the K features; None if there is no exact part."""
    exact_pairs: PairCount | None = None
    """Counts pairs that are computed exactly, near a source or outside; None if none ever is."""
    slopes: Slopes | None = None
    """Derivatives of its potential by the sources; None if they are not known."""
    learned: PointModel | None = None
    """Predicts without the exact part; None if there is none."""
    learned_part_of: str | None = None
    """Name of the subject of which this is the learned part."""
    knowledge: Knowledge | None = None
    """Origin of its predictions; None if it is not known."""

    @property
    def learned_part(self) -> "Subject | None":
        """The subject without its exact part, for a further row that no gate judges."""
        if self.learned is None:
            return None
        return Subject(
            name=f"{self.name}, learned part",
            kind="baseline",
            place=f"{self.name} without its exact part",
            on_split=on_any_split(self.learned),
            model=self.learned,
            learned_part_of=self.name,
            knowledge=self.knowledge,
        )

    def reading(self, columns: SourceColumns) -> "Subject":
        """The subject for source tables of a dataset, which are converted to its own columns.

        One that says no more of its table than the size, or nothing, reads them as they are.

        Args:
            columns: Columns of the dataset, which those of the subject describe.
        """
        if self.model is None or not isinstance(self.table, SourceColumns):
            return self
        if self.table.names == columns.names:
            return self
        model = _Converting(self.model, columns, self.table)
        learned = None if self.learned is None else _Converting(self.learned, columns, self.table)
        convert = partial(converted, columns, self.table)
        slopes, own = self.slopes, self.table

        def slopes_of(
            sources: ndarray, changes: ndarray, points: ndarray, num_samples: int
        ) -> ndarray:
            assert slopes is not None, "it is there"
            moved = _converted_changes(columns, own, changes)
            return slopes(convert(sources), moved, points, num_samples)

        return replace(
            self,
            on_split=on_any_split(model),
            model=model,
            learned=learned,
            targets=_of_converted(self.targets, convert),
            exact_pairs=_of_converted(self.exact_pairs, convert),
            slopes=None if slopes is None else slopes_of,
        )


def _converted_changes(
    columns: SourceColumns, own: SourceColumns, changes: Float[ndarray, "*rows columns"]
) -> Float[ndarray, "*rows own_columns"]:
    """Changes of source tables in other columns; values that were shared, and codes, stay."""
    zeros = np.zeros_like(changes[..., 0])
    free = [columns.has(name) and name != "body" for name in own.names]
    parts = [
        changes[..., columns.index(name)] if is_free else zeros
        for name, is_free in zip(own.names, free, strict=True)
    ]
    return np.stack(parts, axis=-1)


def _of_converted(
    function: Callable[..., _Result] | None, convert: Callable[[Any], Any]
) -> Callable[..., _Result] | None:
    """A function of source tables, and of more, that gets them converted."""
    if function is None:
        return None
    return lambda sources, *rest: function(convert(sources), *rest)


@dataclass(frozen=True)
class _Converting:
    """A model that reads source tables of other columns than its own."""

    model: PointModel
    columns: SourceColumns
    own: SourceColumns

    def predict(
        self,
        sources: Float[ndarray, "samples sources columns"],
        points: Float[ndarray, "points dim"],
        num_samples: int,
    ) -> PotentialAndField:
        """See `PointModel`."""
        return self.model.predict(converted(self.columns, self.own, sources), points, num_samples)


def on_any_split(model: PointModel) -> Callable[[Split, int], BlockPredictor]:
    """Predictors of splits, from a model that predicts at any points."""

    def on_split(split: Split, num_samples: int) -> BlockPredictor:
        return lambda block, first: model.predict(block.sources, block.grid, num_samples)

    return on_split


def filled_up(
    sources: Float[ndarray, "samples sources columns"], num_samples: int
) -> Float[ndarray, "all_samples sources columns"]:
    """Pad a block of source tables with empty ones, so that one compilation serves all blocks.

    Args:
        sources: Source tables of the samples.
        num_samples: Number of tables after padding, at least the number before.

    Returns:
        The tables; rows of zeros are no sources.
    """
    filled = np.zeros((num_samples, *sources.shape[1:]), sources.dtype)
    filled[: len(sources)] = sources
    return filled


def is_real(dtype: np.dtype[np.generic]) -> bool:
    """Whether values of a type are real numbers: integers, or floats of any size."""
    return dtype.kind in "fiu"


def as_floats(values: ndarray) -> ndarray:
    """Real numbers in float32, or float64 if that is too short for their type.

    Args:
        values: An array whose type `is_real`.

    Returns:
        The same values; the same array if its type is one of the two.
    """
    return values.astype(
        np.float32 if np.can_cast(values.dtype, np.float32) else np.float64, copy=False
    )

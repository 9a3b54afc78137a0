"""A subject of an evaluation: a name, where it came from, and how it is asked for values."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from jaxtyping import Float
from numpy import ndarray

from hypermagnetics.data import Block, Split
from hypermagnetics.shapes import BlockField, BlockPotential, Points, SourceTables
from hypermagnetics.sources import SourceColumns

SubjectKind = Literal["run", "model", "export", "function", "predictions", "baseline"]


class TableSize(NamedTuple):
    """Space dimension and number of columns of a source table, where no more is known of it."""

    dim: int
    size: int


class Values(NamedTuple):
    """Potential and field of samples that share their points."""

    potential: Float[ndarray, "samples points"]
    """[A]"""
    field: Float[ndarray, "samples points dim"]
    """H [A/m]."""


@runtime_checkable
class PointModel(Protocol):
    """Predicts any sources at any points."""

    def predict(
        self,
        sources: Float[ndarray, "samples sources columns"],
        points: Float[ndarray, "points dim"],
        num_samples: int,
    ) -> Values:
        """Potential and field of samples that share their points.

        Args:
            sources: Source tables, in float32; rows past a sample's number of sources are zero.
            points: Points of evaluation [m], in float32.
            num_samples: At least the number of samples. What compiles for every shape may fill up
                to it with empty samples, so that blocks of different sizes need one compilation.

        Returns:
            The values, when they are there: nothing is still being computed.
        """
        ...


BlockPredictor = Callable[[Block, int], Values]
"""Predicts consecutive samples of a split: a block or a piece of one, and the number of its first
sample. It reads nothing of the block but sources and points."""

Targets = Callable[
    [SourceTables, Points, BlockPotential, BlockField], tuple[BlockPotential, BlockField]
]
"""What a model learns of the labels of a block, as `hypermagnetics.models.NearPart.targets`."""


@dataclass(frozen=True)
class Subject:
    """Something to be evaluated."""

    name: str
    """What tables call it; different for each subject of an evaluation."""
    kind: SubjectKind
    place: str
    """The path or `module:function` that was given, or for a baseline what it is."""
    on_split: Callable[[Split, int], BlockPredictor]
    """How samples of a split are predicted, at most the given number at a time."""
    model: PointModel | None = None
    """Asked at points of our choice, for maps, physics and times; None if it cannot be."""
    sha256: str | None = None
    """Of the file or files, if there are any."""
    num_parameters: int | None = None
    table: SourceColumns | TableSize | None = None
    """The source table that it reads; None if only a call shows that."""
    rank: int | None = None
    """K of a model phi(r) = sum_s w(s).f(r) + exact part with K features f; None if it is no such
    model."""
    targets: Targets | None = None
    """What the K features learn of labels; None if there is no exact part."""


def on_any_split(model: PointModel) -> Callable[[Split, int], BlockPredictor]:
    """How a model that predicts at any points predicts the samples of a split."""

    def on_split(split: Split, num_samples: int) -> BlockPredictor:
        return lambda block, first: model.predict(block.sources, block.grid, num_samples)

    return on_split

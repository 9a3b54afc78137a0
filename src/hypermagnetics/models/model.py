"""What every model is: a function of a source table and points."""

import abc
from typing import Annotated

import equinox as eqx
from pydantic import Field

from hypermagnetics.config import Config
from hypermagnetics.shapes import (
    BlockField,
    BlockPotential,
    Points,
    Potential,
    SourceTable,
    SourceTables,
)
from hypermagnetics.shapes import Field as FieldValues

_Positive = Annotated[float, Field(gt=0)]


class Scales(Config):
    """Physical values that are 1 inside a network, so that it works at any scale of length."""

    length: _Positive = 1.0
    """[m]"""
    moment: _Positive = 1.0
    """[A m] in two dimensions."""
    potential: _Positive = 1.0
    """[A]"""


class ModelInputs(Config):
    """What a model reads, fixed by its dataset."""

    dim: Annotated[int, Field(ge=2, le=3)] = 2
    source_size: Annotated[int, Field(ge=4)] = 4
    """Columns of the source table: moment, position, then anything else."""
    scales: Scales = Scales()


class Model(eqx.Module):
    """Potential and field of a configuration at any points.

    Physical values go in and come out. Rows of zero moment contribute nothing, so padding a source
    table changes nothing.
    """

    config: eqx.AbstractVar[Config]
    inputs: eqx.AbstractVar[ModelInputs]

    @abc.abstractmethod
    def __call__(self, sources: SourceTable, points: Points) -> Potential:
        """Potential of one configuration.

        Args:
            sources: Rows [moment, position, ...] in [A m] and [m].
            points: Points of evaluation [m].

        Returns:
            Potential [A] at each point. `jax.vmap` serves many configurations; samples that share
            their points are faster through `block`.
        """

    @abc.abstractmethod
    def field(self, sources: SourceTable, points: Points) -> FieldValues:
        """Field H = -grad phi of one configuration, the exact gradient of the model's potential.

        Args:
            sources: Rows [moment, position, ...] in [A m] and [m].
            points: Points of evaluation [m].

        Returns:
            Field [A/m] at each point.
        """

    @abc.abstractmethod
    def block(self, sources: SourceTables, points: Points) -> tuple[BlockPotential, BlockField]:
        """Potential and field of samples that share their points.

        Args:
            sources: Source tables of the samples.
            points: Points of evaluation [m].

        Returns:
            Potential [A] and field [A/m].
        """

    @property
    @abc.abstractmethod
    def rank(self) -> int | None:
        """K of a model that is additive over sources with K features; None if it is not additive.

        Such a model is a rank-K approximation of the kernel, which bounds its accuracy.
        """

    @property
    def dim(self) -> int:
        """Space dimension."""
        return self.inputs.dim

    @property
    def source_size(self) -> int:
        """Columns of the source table."""
        return self.inputs.source_size

"""What every model is: a function of a source table and points."""

import abc

import equinox as eqx

from hypermagnetics.config import Config
from hypermagnetics.models.inputs import ModelInputs
from hypermagnetics.shapes import (
    BlockField,
    BlockPotential,
    Points,
    Potential,
    SourceTable,
    SourceTables,
)
from hypermagnetics.shapes import Field as FieldValues


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
            sources: Rows [moment, position, ...] with the columns of `inputs`, in [A m²], in two
                dimensions [A m], and [m].
            points: Points of evaluation [m].

        Returns:
            Potential [A] at each point. `jax.vmap` serves many configurations; samples that share
            their points are faster through `block`.
        """

    @abc.abstractmethod
    def field(self, sources: SourceTable, points: Points) -> FieldValues:
        """Field H = -grad phi of one configuration, the exact gradient of the model's potential.

        Args:
            sources: Rows [moment, position, ...] with the columns of `inputs`, in [A m²], in two
                dimensions [A m], and [m].
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

    @property
    def source_columns(self) -> tuple[str, ...]:
        """Names of these columns; none if they are not known."""
        return self.inputs.columns

    @property
    def codes(self) -> tuple[int, ...]:
        """Codes of the bodies it was trained on, if the source table has a column for them."""
        return self.inputs.codes

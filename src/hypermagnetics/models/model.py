"""What every model is: sources in, weights of a function of position out."""

import abc
import math
from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from hypermagnetics.config import Config
from hypermagnetics.errors import SourceError
from hypermagnetics.models.inputs import LENGTHS, ModelInputs
from hypermagnetics.models.ranges import warn_out_of_range
from hypermagnetics.models.steps import over_points, summed_over_sources
from hypermagnetics.shapes import (
    AnyKey,
    BlockField,
    BlockPotential,
    Points,
    Potential,
    SourceTable,
    SourceTables,
)
from hypermagnetics.shapes import Field as FieldValues
from hypermagnetics.sources import magnetisation

MU_0 = 4e-7 * math.pi
"""Permeability of free space [T m/A], to nine digits (CODATA 2018: 1.25663706212e-6)."""

_Model = TypeVar("_Model", bound="Model")


class Model(eqx.Module):
    """Potential and field of a configuration at any points.

    A hypernetwork reads the sources and writes weights, summed over the sources; a function of
    position with these weights is the potential. An architecture defines `weights`, `evaluate` and
    `rank`; whatever it does, physical values go in and come out, and rows of zero moment contribute
    nothing, so that padding a source table changes nothing.
    """

    config: eqx.AbstractVar[Config]
    inputs: eqx.AbstractVar[ModelInputs]

    @abc.abstractmethod
    def weights(self, sources: SourceTable) -> PyTree[Array]:
        """What the hypernetwork makes of a source table: a sum over its rows.

        Args:
            sources: Rows [moment, position, ...] with the columns of `inputs`, in [A m²], in two
                dimensions [A m], and [m]. Rows of zero moment add nothing.

        Returns:
            Arrays, of any number and shape.
        """

    @abc.abstractmethod
    def evaluate(self, weights: PyTree[Array], points: Points) -> tuple[Potential, FieldValues]:
        """Potential, and field H = -grad phi, its exact gradient, for given weights.

        Args:
            weights: What `weights` has made.
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

    def block(self, sources: SourceTables, points: Points) -> tuple[BlockPotential, BlockField]:
        """Potential and field of samples that share their points.

        An architecture whose features depend on the points alone computes them once here.

        Args:
            sources: Source tables of the samples.
            points: Points of evaluation [m].

        Returns:
            Potential [A] and field [A/m].
        """
        values: tuple[BlockPotential, BlockField] = jax.vmap(
            lambda table: self.evaluate(self.weights(table), points)
        )(sources)
        return values

    def errors(
        self,
        sources: SourceTables,
        points: Points,
        potential: BlockPotential,
        field: BlockField,
    ) -> tuple[BlockPotential, BlockField]:
        """What training makes small: predictions minus labels of a block.

        An architecture of which a part is exact compares only what it has to learn.

        Args:
            sources: Source tables of the samples.
            points: Points of evaluation [m].
            potential: Labels [A].
            field: Labels [A/m].

        Returns:
            Errors of potential [A] and field [A/m].
        """
        predicted = self.block(sources, points)
        return predicted[0] - potential, predicted[1] - field

    def fitted(self: _Model, sources: SourceTable, points: Points, key: AnyKey) -> _Model:
        """The model that the first step begins with; itself, unless the architecture has a fit.

        Args:
            sources: Single sources of the training split, one a row.
            points: Points of its grids [m].
            key: Random key.

        Returns:
            The model.
        """
        return self

    def near(
        self, sources: SourceTable, points: Points, capacity: int | None
    ) -> tuple[Potential, FieldValues] | None:
        """A part that no weights make, such as exact values close to sources, if there is one.

        Args:
            sources: Source table.
            points: Points of evaluation [m].
            capacity: The most sources around a point, as `count_near` says; every source meets
                every point if None.

        Returns:
            Potential [A] and field [A/m] to be added, or None.
        """
        return None

    def count_near(self, sources: SourceTable, points: Points) -> int | None:
        """The capacity that `near` needs for these values; None to let all sources meet all points.

        Args:
            sources: Source table.
            points: Points of evaluation [m].

        Returns:
            The capacity.
        """
        return None

    def potential(self, sources: SourceTable, points: Points) -> Potential:
        """Potential of one configuration.

        Time grows with sources plus points, and memory stays bounded for any number of them.
        `jax.vmap` serves many configurations; samples that share their points are faster through
        `block`.

        Args:
            sources: Rows [moment, position, ...] with the columns of `inputs`, in [A m²], in two
                dimensions [A m], and [m].
            points: Points of evaluation [m].

        Returns:
            Potential [A] at each point.

        Raises:
            SourceError: If sources or points have another number of columns than the model reads.
        """
        checked = _checked(self, sources, points)
        capacity = self.count_near(*checked)
        potential: Potential = potential_at(self, *checked, capacity)
        return potential

    def __call__(self, sources: SourceTable, points: Points) -> Potential:
        """The potential; see `potential`."""
        return self.potential(sources, points)

    def field(self, sources: SourceTable, points: Points) -> FieldValues:
        """Field H = -grad phi of one configuration, the exact gradient of the model's potential.

        Args:
            sources: As in `potential`.
            points: Points of evaluation [m].

        Returns:
            Field [A/m] at each point.

        Raises:
            SourceError: If sources or points have another number of columns than the model reads.
        """
        checked = _checked(self, sources, points)
        capacity = self.count_near(*checked)
        field: FieldValues = field_at(self, *checked, capacity)
        return field

    def flux_density(self, sources: SourceTable, points: Points) -> FieldValues:
        """Flux density B = mu_0 (H + M), with the exact magnetisation M inside the bodies.

        Args:
            sources: As in `potential`.
            points: Points of evaluation [m].

        Returns:
            Flux density [T] at each point.

        Raises:
            SourceError: As `field`, or if the model does not know its bodies.
        """
        columns = self.inputs.described
        field = self.field(sources, points)
        inside = magnetisation(columns, jnp.asarray(sources), jnp.asarray(points))
        total: FieldValues = MU_0 * (field + inside)
        return total

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

    @property
    def limited_columns(self) -> tuple[str, ...]:
        """Columns whose range in training bounds where the model can be trusted: all lengths."""
        return tuple(name for name in self.inputs.columns if name in LENGTHS)


@eqx.filter_jit
def potential_at(
    model: Model, sources: SourceTable, points: Points, capacity: int | None
) -> Potential:
    """Potential [A] of checked arguments; see `Model.potential` and `Model.near`."""
    weights = summed_over_sources(model.weights, sources)
    smooth: Potential = over_points(lambda some: model.evaluate(weights, some)[0], points)
    near = model.near(sources, points, capacity)
    return smooth if near is None else smooth + near[0]


@eqx.filter_jit
def field_at(
    model: Model, sources: SourceTable, points: Points, capacity: int | None
) -> FieldValues:
    """Field [A/m] of checked arguments; see `Model.field` and `Model.near`."""
    weights = summed_over_sources(model.weights, sources)
    smooth: FieldValues = over_points(lambda some: model.evaluate(weights, some)[1], points)
    near = model.near(sources, points, capacity)
    return smooth if near is None else smooth + near[1]


def _checked(model: Model, sources: SourceTable, points: Points) -> tuple[SourceTable, Points]:
    """Arrays of the right shape; a warning if values are known to be out of range."""
    sources, points = jnp.asarray(sources), jnp.asarray(points)
    if sources.ndim != 2 or sources.shape[1] != model.source_size:
        names = ", ".join(model.source_columns) or "moment, position, sizes"
        raise SourceError(
            f"A source table must have {model.source_size} columns ({names}); got an array of "
            f"shape {sources.shape}. Give one row for each source."
        )
    if points.ndim != 2 or points.shape[1] != model.dim:
        raise SourceError(
            f"Points must be an array of (points, {model.dim}); got one of shape {points.shape}. "
            "Give one row for each point."
        )
    warn_out_of_range(model.inputs, model.limited_columns, sources, points)
    return sources, points

"""Interface of every model: from sources to the weights of a function of position."""

import abc
import dataclasses
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from hypermagnetics.arrays import Numbers, real_array
from hypermagnetics.config import Config
from hypermagnetics.errors import ExtensionError, SourceError
from hypermagnetics.few_sizes import filled, first_rows, known_values
from hypermagnetics.jax_setup import with_constants
from hypermagnetics.methods import WithMethods
from hypermagnetics.models.domain import Domain, largest_extent
from hypermagnetics.models.inputs import ModelInputs, Outside
from hypermagnetics.models.knowledge import Knowledge
from hypermagnetics.models.near_part import NearPart
from hypermagnetics.models.normalisation import in_own_unit, physical
from hypermagnetics.models.outside import Guard, guarded, guarded_block
from hypermagnetics.models.ranges import checked_arguments, checked_block, report_left
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
from hypermagnetics.sources import Values, magnetisation
from hypermagnetics.sources.arguments import jax_arrays
from hypermagnetics.sources.checks import refuse_bad_rows
from hypermagnetics.table import LENGTHS, source_rows

MU_0 = 4e-7 * math.pi
"""Permeability of free space [T m/A], to nine digits (CODATA 2018: 1.25663706212e-6)."""

_FINAL = (
    *("potential", "__call__", "field", "flux_density", "with_outside"),
    *("block", "inner_block", "learned_block", "errors"),
)
"""Methods that no architecture overrides."""

_GONE = ("targets", "count_near", "learned_rank", "linear_in_weights")
"""Members that are parts of `near`, or follow from `near` and `rank`."""

_TRACED: Mapping[Outside, Guard] = {
    "exact": "exact",
    "warn": "none",
    "raise": "nan",
    "ignore": "none",
}
"""Inside a transformation of JAX, where values are not known."""

_Model = TypeVar("_Model", bound="Model")


class Model(WithMethods):
    """Potential and field of a configuration at any points.

    A hypernetwork reads the sources and writes weights, summed over the sources; a function of
    position with these weights is the potential. An architecture defines `weights`, `evaluate` and
    `rank`; whatever it does, physical values go in and come out, and rows of zero moment contribute
    nothing, so that padding a source table changes nothing. What `inputs` says of the normalisation
    is applied around these three by everything else.
    """

    config: eqx.AbstractVar[Config]
    inputs: eqx.AbstractVar[ModelInputs]

    def __hash__(self) -> int:
        """By identity, as of `Method`; `equinox.tree_equal` compares parameters."""
        return id(self)

    def __eq__(self, other: object) -> bool:
        """Whether both are the same object."""
        return self is other

    def __init_subclass__(cls) -> None:
        """Refuse a class that overrides members reserved for Model.

        Raises:
            ExtensionError: If it does.
        """
        super().__init_subclass__()
        own = [name for name in _FINAL if getattr(cls, name) is not getattr(Model, name)]
        gone = [name for name in _GONE if hasattr(cls, name)]
        if own or gone:
            raise ExtensionError(
                f"A model must inherit {', '.join(_FINAL)} from Model, and have no "
                f"{', '.join(_GONE)}; got {cls.__module__}:{cls.__qualname__}, which defines "
                f"{', '.join(own + gone)}. "
                "Define weights, evaluate, evaluate_block or near instead, see docs/extending.md."
            )

    @property
    def dim(self) -> int:
        """Space dimension."""
        return self.inputs.dim

    @property
    def limited_columns(self) -> tuple[str, ...]:
        """Length columns, whose range in training limits the validity of the model.

        With a near part positions alone, since sizes enter through it.
        """
        names = tuple(name for name in self.inputs.columns.names if name in LENGTHS)
        return names if self.near is None else tuple(n for n in names if n.startswith("position_"))

    @property
    def domain(self) -> Domain | None:
        """Sources and points for which its error is known: the ranges of its training.

        With a near part sizes are judged by the extent of a body alone. None if the ranges are not
        known.
        """
        trained, columns = self.inputs.trained, self.inputs.columns
        if trained is None:
            return None
        sizes = [name for name in self.limited_columns if not name.startswith("position_")]
        return Domain(
            trained.points,
            trained.sources[columns.dim : 2 * columns.dim],
            tuple((name, trained.sources[columns.index(name)]) for name in sizes),
            0.0 if self.near is None else largest_extent(columns, trained.sources),
        )

    def with_outside(self: _Model, outside: Outside) -> _Model:
        """The same model with another treatment of sources and points outside of its domain.

        Args:
            outside: The treatment.
        """
        changed: _Model = object.__new__(type(self))
        for field in dataclasses.fields(self):
            object.__setattr__(changed, field.name, getattr(self, field.name))
        inputs = self.inputs.model_copy(update={"outside": outside})
        object.__setattr__(changed, "inputs", inputs)
        return changed

    @abc.abstractmethod
    def weights(self, sources: SourceTable) -> PyTree[Array]:
        """Make the weights from a source table: a sum over its rows.

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
            weights: Result of `weights`.
            points: Points of evaluation [m].

        Returns:
            Potential [A] and field [A/m], which `physical` makes the final ones of.
        """

    @property
    @abc.abstractmethod
    def rank(self) -> int | None:
        """K if the learned part is additive over sources with K features; None if it is not.

        It is then linear in the weights, and a rank-K approximation of the kernel, which bounds its
        accuracy. A near part comes on top.
        """

    @property
    def near(self) -> NearPart | None:
        """Near part, added to the learned values; None unless the architecture has one."""
        return None

    @property
    def knowledge(self) -> Knowledge:
        """Labels alone, or the kernel too, as with a near part; see `Knowledge`."""
        return Knowledge.LABELS if self.near is None else Knowledge.KERNEL

    def evaluate_block(
        self, sources: SourceTables, points: Points
    ) -> tuple[BlockPotential, BlockField]:
        """`evaluate` for samples that share their points; arguments as of `block`.

        An architecture whose features depend on the points alone computes them once here.
        """
        values: tuple[BlockPotential, BlockField] = jax.vmap(
            lambda table: self.evaluate(self.weights(table), points)
        )(sources)
        return values

    @with_constants
    def learned_block(self, sources: Numbers, points: Numbers) -> tuple[BlockPotential, BlockField]:
        """Learned part of a block, without `near`: physical values, as of `block`."""
        rows, at = checked_block(self.inputs, sources, points)
        tables, units = jax.vmap(partial(in_own_unit, self.inputs))(rows)
        return physical(self.inputs, units, *self.evaluate_block(tables, at))

    @with_constants
    def block(self, sources: Numbers, points: Numbers) -> tuple[BlockPotential, BlockField]:
        """Potential and field of samples that share their points.

        Args:
            sources: Source tables of the samples.
            points: Points of evaluation [m].

        Returns:
            Potential [A] and field [A/m].

        Raises:
            SourceError: As `potential`.
        """
        rows, at = checked_block(self.inputs, sources, points)
        guard = self._guard(rows, at)
        if guard == "none":
            return self.inner_block(rows, at)
        return _guarded_block(self, rows, at, guard)

    @with_constants
    def inner_block(self, sources: Numbers, points: Numbers) -> tuple[BlockPotential, BlockField]:
        """`block` of sources and points that lie in the domain: nothing is looked at."""
        potential, field = self.learned_block(sources, points)
        if self.near is None:
            return potential, field
        exact = self.near.block(*jax_arrays(sources=sources, points=points))
        return potential + exact[0], field + exact[1]

    @with_constants
    def errors(
        self,
        sources: Numbers,
        points: Numbers,
        potential: Numbers,
        field: Numbers,
    ) -> tuple[BlockPotential, BlockField]:
        """Residuals minimised in training: the learned part of a block minus its targets.

        Args:
            sources: Source tables of the samples.
            points: Points of evaluation [m].
            potential: Labels [A].
            field: Labels [A/m].

        Returns:
            Errors of potential [A] and field [A/m].
        """
        learned = self.learned_block(sources, points)
        arguments = jax_arrays(sources=sources, points=points, potential=potential, field=field)
        true = arguments[2:]
        if self.near is not None:
            true = self.near.targets(*arguments)
        return learned[0] - true[0], learned[1] - true[1]

    def fitted(self: _Model, sources: SourceTable, points: Points, key: AnyKey) -> _Model:
        """The model before the first step: this one, or a fit if the architecture has one.

        Args:
            sources: Single sources of the training split, one a row.
            points: Points of its grids [m].
            key: Random key.

        Returns:
            The model.
        """
        return self

    def potential(self, sources: Numbers, points: Numbers) -> Potential:
        """Potential of one configuration.

        Time grows with sources plus points, and with the pairs that `near` takes; memory stays
        bounded for any number of them. `jax.vmap` serves many configurations; samples that share
        their points are faster through `block`. `jax.jit(model.potential)` makes the parameters
        constants of the compiled program; `equinox.filter_jit(model.potential)` passes them, so
        that one program serves all. Called with values, points and sources are filled up to one of
        few sizes, at most a quarter more, so that few programs are compiled.

        Args:
            sources: Rows [moment, position, ...] with the columns of `inputs`, in [A m²], in two
                dimensions [A m], and [m]; rows of zero moment are padding. Any array of numbers;
                JAX rounds it to float32 unless it is set to float64.
            points: Points of evaluation [m], likewise.

        Returns:
            Potential [A] at each point.

        Raises:
            SourceError: If sources or points have another number of columns than the model reads,
                or a row is no source, see `superposition`. Inside a transformation of JAX, as under
                `jit`, such a row makes all values NaN instead.
        """
        potential: Potential = self._of_few_sizes(potential_at, sources, points)
        return potential

    def __call__(self, sources: Numbers, points: Numbers) -> Potential:
        """The potential; see `potential`."""
        return self.potential(sources, points)

    def field(self, sources: Numbers, points: Numbers) -> FieldValues:
        """Field H = -grad phi of one configuration, the exact gradient of the model's potential.

        Args:
            sources: As in `potential`.
            points: Points of evaluation [m].

        Returns:
            Field [A/m] at each point.

        Raises:
            SourceError: As `potential`.
        """
        field: FieldValues = self._of_few_sizes(field_at, sources, points)
        return field

    def flux_density(self, sources: Numbers, points: Numbers) -> FieldValues:
        """Flux density B = mu_0 (H + M), with the exact magnetisation M inside the bodies.

        Args:
            sources: As in `potential`.
            points: Points of evaluation [m].

        Returns:
            Flux density [T] at each point.

        Raises:
            SourceError: As `potential`.
        """
        flux_density: FieldValues = self._of_few_sizes(flux_density_at, sources, points)
        return flux_density

    def plot(self, sources: Numbers) -> Any:
        """Draw exact and predicted potential of one configuration, and their difference.

        Args:
            sources: As in `potential`; rows of zero moment are left out.

        Returns:
            A `hypermagnetics.pictures.picture.Picture`, which a notebook shows, of the region of
            the points in training, or around the sources if that is not known.

        Raises:
            SourceError: If a row is no source, the sources have another number of columns than the
                model reads, or there is none.
        """
        from hypermagnetics.pictures.picture import picture_of  # with matplotlib

        columns, trained = self.inputs.columns, self.inputs.trained
        table = np.asarray(real_array(sources, "Sources"), np.float32)
        if table.ndim == 2 and table.shape[1] == columns.size:
            table = table[source_rows(table, columns.dim)]
        refuse_bad_rows(columns, table)
        if not len(table):
            raise SourceError(
                "A configuration to draw must have a source with a moment; got only rows of zero "
                "moment, or no rows (sources). Give at least one source."
            )
        box = None if trained is None else np.array(trained.points).T
        return picture_of(self, columns, table, box)

    def leaves_domain(self, sources: Numbers, points: Numbers) -> bool:
        """Whether any source or point is outside of the domain; False if there is none.

        Args:
            sources: Source tables, or one.
            points: Points of evaluation [m].
        """
        if self.domain is None:
            return False
        rows, at = real_array(sources, "Sources"), real_array(points, "Points")
        return self.domain.leaves(self.inputs.columns, rows, at)

    @property
    def traced_guard(self) -> Guard:
        """Guard of a program that is compiled before the values are known."""
        return "none" if self.domain is None else _TRACED[self.inputs.outside]

    def _guard(self, sources: SourceTables | SourceTable, points: Points) -> Guard:
        """Guard of a program for some arguments; known values that are inside need none.

        Raises:
            OutOfRangeError: If known values are outside, and are to be refused.
        """
        domain, outside = self.domain, self.inputs.outside
        if domain is None or outside == "ignore":
            return "none"
        known = known_values(sources, points)
        if known is None:
            return self.traced_guard
        if outside == "exact":
            return "exact" if domain.leaves(self.inputs.columns, *known) else "none"
        report_left(domain, outside, self.inputs.columns, *known)
        return "none"

    def _of_few_sizes(
        self, values_at: Callable[..., Array], sources: Numbers, points: Numbers
    ) -> Array:
        """Values at points, by programs for few numbers of sources and of points."""
        table, at = checked_arguments(self.inputs, sources, points)
        guard = self._guard(table, at)
        filled_table, filled_points = filled(table, at, self)
        near = self.near
        capacity = None if near is None else near.count(filled_table, filled_points)
        values = values_at(self, filled_table, filled_points, capacity, guard)
        return first_rows(values, len(at))


@eqx.filter_jit
def potential_at(
    model: Model, sources: SourceTable, points: Points, capacity: int | None, guard: Guard
) -> Potential:
    """Potential [A] of checked arguments; see `Model.potential`, `NearPart` and `Guard`."""

    def within(sources: SourceTable, points: Points) -> Potential:
        learned = _learned(model, sources)
        smooth: Potential = over_points(lambda some: learned(some)[0], points)
        if model.near is None:
            return smooth
        return smooth + model.near.values(sources, points, capacity)[0]

    return _guarded(model, guard, within, lambda far: far.potential, sources, points)


@eqx.filter_jit
def field_at(
    model: Model, sources: SourceTable, points: Points, capacity: int | None, guard: Guard
) -> FieldValues:
    """Field [A/m] of checked arguments; see `Model.field`, `NearPart` and `Guard`."""

    def within(sources: SourceTable, points: Points) -> FieldValues:
        learned = _learned(model, sources)
        smooth: FieldValues = over_points(lambda some: learned(some)[1], points)
        if model.near is None:
            return smooth
        return smooth + model.near.values(sources, points, capacity)[1]

    def field_of(far: Values) -> FieldValues:
        return jnp.stack(far.field, axis=-1)

    return _guarded(model, guard, within, field_of, sources, points)


@eqx.filter_jit
def flux_density_at(
    model: Model, sources: SourceTable, points: Points, capacity: int | None, guard: Guard
) -> FieldValues:
    """Flux density [T] of checked arguments; see `Model.flux_density`, `NearPart` and `Guard`."""
    field = field_at(model, sources, points, capacity, guard)
    total: FieldValues = MU_0 * (field + magnetisation(model.inputs.columns, sources, points))
    return total


def _guarded(
    model: Model,
    guard: Guard,
    within: Callable[[SourceTable, Points], Array],
    part: Callable[[Values], Array],
    sources: SourceTable,
    points: Points,
) -> Array:
    domain = model.domain
    if guard == "none" or domain is None:
        return within(sources, points)
    return guarded(domain, model.inputs.columns, guard, within, part, sources, points)


@eqx.filter_jit
def _guarded_block(
    model: Model, sources: SourceTables, points: Points, guard: Guard
) -> tuple[BlockPotential, BlockField]:
    domain = model.domain
    assert domain is not None, "there is nothing to guard"
    columns = model.inputs.columns
    return guarded_block(domain, columns, guard, model.inner_block, sources, points)


def _learned(
    model: Model, sources: SourceTable
) -> Callable[[Points], tuple[Potential, FieldValues]]:
    """Learned part of one configuration, as a function of the points."""
    # The unit is that of the whole table, whose rows are then read a few at a time.
    table, unit = in_own_unit(model.inputs, sources)
    weights = summed_over_sources(model.weights, table)
    return lambda points: physical(model.inputs, unit, *model.evaluate(weights, points))

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
from jaxtyping import Array, Int, PyTree

from hypermagnetics.arrays import Numbers, real_array
from hypermagnetics.errors import ExtensionError, SourceError
from hypermagnetics.few_sizes import filled, first_rows, known_values, placed
from hypermagnetics.jax_setup import with_constants
from hypermagnetics.models.domain import Domain, largest_radii
from hypermagnetics.models.inputs import (
    ModelInputs,
    Outside,
    refuse_exact_pairs,
    refuse_sums_of_soft_bodies,
)
from hypermagnetics.models.knowledge import Knowledge
from hypermagnetics.models.near_part import NearPart
from hypermagnetics.models.network import Network
from hypermagnetics.models.normalisation import in_own_unit, physical
from hypermagnetics.models.outside import (
    Guard,
    exact_points,
    guarded,
    guarded_block,
    inside_domain,
)
from hypermagnetics.models.ranges import checked_arguments, checked_block, report_left
from hypermagnetics.models.steps import (
    RowsAtOnce,
    over_points,
    steps_of_platform,
    summed_over_sources,
)
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
    *("potential", "__call__", "field", "potential_and_field", "flux_density", "with_outside"),
    *("block", "learned_block", "errors", "exact_points", "program_guard"),
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
_Chosen = TypeVar("_Chosen")


class Model(Network):
    """Potential and field of a configuration at any points.

    A hypernetwork reads the sources and writes weights, summed over the sources; a function of
    position with these weights is the potential. An architecture defines `weights`, `evaluate` and
    `rank`; whatever it does, physical values go in and come out, and rows of zero moment contribute
    nothing, so that padding a source table changes nothing. What `inputs` says of the normalisation
    is applied around these three by everything else.
    """

    inputs: eqx.AbstractVar[ModelInputs]

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

        With a near part sizes are judged by the outer radius of a body alone. None if the ranges
        are not known.
        """
        trained, columns, near = self.inputs.trained, self.inputs.columns, self.near
        if trained is None:
            return None
        sizes = [name for name in self.limited_columns if not name.startswith("position_")]
        radii = {} if near is None else largest_radii(columns, trained.sources, near.spread)
        return Domain(
            trained.points,
            trained.sources[columns.dim : 2 * columns.dim],
            tuple((name, trained.sources[columns.index(name)]) for name in sizes),
            tuple(radii.items()),
        )

    def __check_init__(self) -> None:
        if self.inputs.columns.is_soft and (self.rank is not None or self.near is not None):
            refuse_sums_of_soft_bodies(self.inputs.columns, type(self).__name__)

    def with_outside(self: _Model, outside: Outside) -> _Model:
        """The same model with another treatment of sources and points outside of its domain.

        Args:
            outside: The treatment.

        Raises:
            RecipeError: If exact values are wanted of a model of soft bodies.
        """
        if self.inputs.columns.is_soft:
            refuse_exact_pairs(outside)
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
    def settled_columns(self) -> tuple[str, ...]:
        """Columns of sources whose derivatives of the learned part are right as soon as it is.

        Such as moments, if the potential is linear in them; learning these derivatives teaches
        nothing. None, unless an architecture says so.
        """
        return ()

    @property
    def near(self) -> NearPart | None:
        """Near part, added to the learned values; None unless the architecture has one."""
        return None

    @property
    def optional_packages(self) -> tuple[str, ...]:
        """Packages beside JAX that its functions call, by the names that are imported."""
        return ()

    @property
    def solves_for_sources(self) -> bool:
        """Whether a system of equations has a row for each source, whose number it must know."""
        return False

    @property
    def rows_at_once(self) -> RowsAtOnce:
        """Sources, and points, whose learned part is computed at a time."""
        return steps_of_platform()

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
        return self._learned_block(*checked_block(self.inputs, sources, points))

    def _learned_block(
        self, sources: SourceTables, points: Points
    ) -> tuple[BlockPotential, BlockField]:
        tables, units = jax.vmap(partial(in_own_unit, self.inputs))(sources)
        return physical(self.inputs, units, *self.evaluate_block(tables, points))

    @with_constants
    def block(
        self, sources: Numbers, points: Numbers, guard: Guard | None = None
    ) -> tuple[BlockPotential, BlockField]:
        """Potential and field of samples that share their points.

        Args:
            sources: Source tables of the samples.
            points: Points of evaluation [m].
            guard: Treatment of what lies outside of the domain, see `program_guard`; as values and
                `inputs.outside` say if None.

        Returns:
            Potential [A] and field [A/m].

        Raises:
            SourceError: As `potential`.
        """
        rows, at = checked_block(self.inputs, sources, points)
        self._refuse_unknown(rows)
        return _block_at(self, rows, at, self._guard(rows, at) if guard is None else guard)

    def _block_within(
        self, sources: SourceTables, points: Points
    ) -> tuple[BlockPotential, BlockField]:
        potential, field = self._learned_block(sources, points)
        if self.near is None:
            return potential, field
        exact = self.near.block(sources, points)
        return potential + exact[0], field + exact[1]

    def exact_points(self, sources: SourceTable, points: Points) -> Int[Array, " sources"]:
        """Number of points at which each source is computed exactly: near it, or outside.

        Args:
            sources: Source table; rows of zero moment have none.
            points: Points of evaluation [m].

        Returns:
            The numbers.
        """
        near, domain = self.near, self.domain

        def of_near(sources: SourceTable, points: Points) -> Int[Array, " sources"]:
            if near is None:
                return jnp.zeros(len(sources), int)
            return near.exact_points(sources, points)

        if domain is None or self.traced_guard != "exact":
            return of_near(sources, points)
        return exact_points(domain, self.inputs.columns, of_near, sources, points)

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

    def refuse_unknown(self, sources: SourceTables) -> None:
        """Refuse sources that its parameters do not cover; none unless an architecture says so.

        It is asked where the values are known. Inside a transformation of JAX such sources must
        make all values NaN instead.

        Args:
            sources: Source tables of samples.

        Raises:
            SourceError: If there is one.
        """

    def magnetisation_at(self, sources: SourceTable, points: Points) -> FieldValues:
        """Magnetisation M [A/m] at points; the exact one of hard magnets unless overridden.

        Args:
            sources: Source table.
            points: Points of evaluation [m].
        """
        return magnetisation(self.inputs.columns, sources, points)

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

    def potential_and_field(
        self, sources: Numbers, points: Numbers
    ) -> tuple[Potential, FieldValues]:
        """Potential and field of one configuration, in hardly more time than one of them takes.

        Args:
            sources: As in `potential`.
            points: Points of evaluation [m].

        Returns:
            Potential [A] and field [A/m] at each point.

        Raises:
            SourceError: As `potential`.
        """
        found: tuple[Potential, FieldValues] = self._of_few_sizes(
            potential_and_field_at, sources, points
        )
        return found

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

        Of soft bodies the exact one is that of a solve, by 16 cells a side in two dimensions and 6
        in three.

        Args:
            sources: As in `potential`; padding is left out.

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
            table = table[source_rows(columns, table)]
        refuse_bad_rows(columns, table)
        if not len(table):
            raise SourceError(
                "A configuration to draw must have a source with a moment; got only rows of zero "
                "moment, or no rows (sources). Give at least one source."
            )
        box = None if trained is None else np.array(trained.points).T
        return picture_of(self, columns, table, box)

    @property
    def traced_guard(self) -> Guard:
        """Guard of a program that is compiled before the values are known."""
        return "none" if self.domain is None else _TRACED[self.inputs.outside]

    def program_guard(self, sources: Numbers, points: Numbers) -> Guard:
        """Guard of a program for some arguments: that of unknown values only if some are outside.

        Args:
            sources: Source tables, or one; values, for numpy.
            points: Points of evaluation [m], likewise.
        """
        domain, guard = self.domain, self.traced_guard
        if domain is None or guard == "none":
            return "none"
        rows, at = real_array(sources, "Sources"), real_array(points, "Points")
        return guard if domain.leaves(self.inputs.columns, rows, at) else "none"

    def _guard(self, sources: SourceTables | SourceTable, points: Points) -> Guard:
        """Guard of a call; values outside that are known are warned of, or refused, as asked.

        Raises:
            OutOfRangeError: If they are refused.
        """
        domain, outside = self.domain, self.inputs.outside
        known = None if domain is None else known_values(sources, points)
        if domain is None or known is None:
            return self.traced_guard
        if outside in ("warn", "raise"):
            report_left(domain, outside, self.inputs.columns, *known)
            return "none"
        return self.program_guard(*known)

    def _refuse_unknown(self, sources: SourceTable | SourceTables) -> None:
        if type(self).refuse_unknown is not Model.refuse_unknown:
            known = known_values(sources)
            if known is not None:
                (tables,) = known
                self.refuse_unknown(placed(tables if tables.ndim == 3 else tables[None]))

    def _of_few_sizes(
        self, values_at: Callable[..., _Chosen], sources: Numbers, points: Numbers
    ) -> _Chosen:
        """Values at points, by programs for few numbers of sources and of points."""
        table, at = checked_arguments(self.inputs, sources, points)
        self._refuse_unknown(table)
        guard = self._guard(table, at)
        filled_table, filled_points = filled(table, at, self)
        near, counted = self.near, (filled_table, filled_points)
        if self.domain is not None and guard == "exact":
            counted = inside_domain(self.domain, self.inputs.columns, *counted)
        capacity = None if near is None else near.count(*counted)
        values = values_at(self, filled_table, filled_points, capacity, guard)
        found: _Chosen = jax.tree.map(lambda each: first_rows(each, len(at)), values)
        return found


@eqx.filter_jit
def potential_at(
    model: Model, sources: SourceTable, points: Points, capacity: int | None, guard: Guard
) -> Potential:
    """Potential [A] of checked arguments; see `Model.potential`, `NearPart` and `Guard`."""
    return _chosen_at(lambda both: both[0], model, sources, points, capacity, guard)


@eqx.filter_jit
def field_at(
    model: Model, sources: SourceTable, points: Points, capacity: int | None, guard: Guard
) -> FieldValues:
    """Field [A/m] of checked arguments; see `Model.field`, `NearPart` and `Guard`."""
    return _chosen_at(lambda both: both[1], model, sources, points, capacity, guard)


@eqx.filter_jit
def potential_and_field_at(
    model: Model, sources: SourceTable, points: Points, capacity: int | None, guard: Guard
) -> tuple[Potential, FieldValues]:
    """Potential [A] and field [A/m] of checked arguments; see `Model.potential_and_field`."""
    return _chosen_at(lambda both: both, model, sources, points, capacity, guard)


def _chosen_at(
    choose: Callable[[tuple[Potential, FieldValues]], _Chosen],
    model: Model,
    sources: SourceTable,
    points: Points,
    capacity: int | None,
    guard: Guard,
) -> _Chosen:
    """Potential, field, or both."""
    step = model.rows_at_once.points

    def within(sources: SourceTable, points: Points) -> _Chosen:
        learned = _learned(model, sources)
        smooth = over_points(lambda some: choose(learned(some)), points, step)
        if model.near is None:
            return smooth
        near = choose(model.near.values(sources, points, capacity))
        total: _Chosen = jax.tree.map(jnp.add, smooth, near)
        return total

    def part(far: Values) -> _Chosen:
        return choose((far.potential, jnp.stack(far.field, axis=-1)))

    columns = model.inputs.columns
    return guarded(model.domain, columns, guard, within, part, sources, points)


@eqx.filter_jit
def flux_density_at(
    model: Model, sources: SourceTable, points: Points, capacity: int | None, guard: Guard
) -> FieldValues:
    """Flux density [T] of checked arguments; see `Model.flux_density`, `NearPart` and `Guard`."""
    field = field_at(model, sources, points, capacity, guard)
    total: FieldValues = MU_0 * (field + model.magnetisation_at(sources, points))
    return total


@eqx.filter_jit
def _block_at(
    model: Model, sources: SourceTables, points: Points, guard: Guard
) -> tuple[BlockPotential, BlockField]:
    """Potential [A] and field [A/m] of checked arguments; see `Model.block` and `Guard`."""
    columns = model.inputs.columns
    return guarded_block(model.domain, columns, guard, model._block_within, sources, points)


def _learned(
    model: Model, sources: SourceTable
) -> Callable[[Points], tuple[Potential, FieldValues]]:
    """Learned part of one configuration, as a function of the points."""
    # The unit is that of the whole table, whose rows are then read a few at a time.
    table, unit = in_own_unit(model.inputs, sources)
    weights = summed_over_sources(model.weights, table, model.rows_at_once.sources)
    return lambda points: physical(model.inputs, unit, *model.evaluate(weights, points))

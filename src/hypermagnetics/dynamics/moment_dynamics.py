"""Interface of the dynamics of moments, which answer to the field of the others."""

import abc
from collections.abc import Callable
from typing import Annotated, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int
from pydantic import Field

from hypermagnetics.config import Config, Positive
from hypermagnetics.dynamics.others import Moments, Tables, with_moments
from hypermagnetics.dynamics.runge_kutta import MethodName, integrated
from hypermagnetics.table import SourceColumns

FieldOfOthers = Callable[[Tables], Moments]
"""Field at the centre of each body of a table of all others [A/m]: exact, or of a model."""

MU_0 = 1.25663706127e-6
"""Magnetic constant [N/A²], CODATA 2022."""

_FieldVector = Annotated[tuple[float, ...], Field(min_length=2, max_length=3)]


class MomentDynamics(Config, abc.ABC):
    """How the moments of bodies go on, which stay where they are.

    A new kind is one file: a class that answers all of this, and its name in `AnyDynamics`.
    """

    kind: str
    applied_field: _FieldVector | None = None
    """Applied field [A/m], the same everywhere and always; null for none."""
    num_steps: Annotated[int, Field(ge=1, le=100_000)] = 40
    """Steps of a trajectory; the state before them is stored as well."""

    keeps_magnitude: ClassVar[bool]
    """Whether each moment keeps its magnitude."""
    dimensions: ClassVar[tuple[int, ...]]
    """Space dimensions in which it exists."""
    needs_volume: ClassVar[bool]
    """Whether it means nothing for points."""
    num_kept: ClassVar[int]
    """Vectors of each body beside the source table that decide how it goes on, and stay."""

    @property
    @abc.abstractmethod
    def seconds(self) -> float | None:
        """Time between two states [s]; None if they are no times."""

    @abc.abstractmethod
    def next_moments(
        self,
        table: Tables,
        columns: SourceColumns,
        field_of_others: FieldOfOthers,
        substeps: int | Int[Array, ""],
        method: MethodName = "dop853",
    ) -> Moments:
        """The next state of a trajectory.

        Args:
            table: Source tables with the present moments, and the columns of `begun` behind.
            columns: Columns of the source tables.
            field_of_others: Field in which the moments are.
            substeps: Steps of the method between the two states.
            method: Method of the steps.

        Returns:
            The moments, in the float type of the tables.
        """

    @abc.abstractmethod
    def residual(
        self,
        moments: Moments,
        table: Tables,
        columns: SourceColumns,
        field_of_others: FieldOfOthers,
    ) -> Moments:
        """Violation of the law between two states, 0 of an exact solution in the limit of steps.

        Args:
            moments: The state after a step.
            table: That before it, as of `next_moments`.
            columns: Columns of the source tables.
            field_of_others: Field in which the moments are.

        Returns:
            A vector for each body, in the unit of the moments.
        """

    def begun(self, table: Tables, dim: int) -> Float[Array, "*shape sources wider"]:
        """Source tables at the start of a trajectory, with the vectors that are kept behind."""
        return jnp.concatenate([table, *[table[..., :dim]] * self.num_kept], axis=-1)

    @staticmethod
    def used(table: Tables) -> Bool[Array, "*shape sources 1"]:
        """Mask of the rows that are bodies: those that fill up a table are zeros throughout."""
        return jnp.any(table != 0, axis=-1, keepdims=True)

    def total_field(self, table: Tables, field_of_others: FieldOfOthers) -> Moments:
        """Field of all others and the applied one [A/m]."""
        found = field_of_others(table)
        if self.applied_field is None:
            return found
        return found + jnp.broadcast_to(jnp.asarray(self.applied_field, found.dtype), found.shape)


class Flow(MomentDynamics):
    """Dynamics by a rate of change that keeps the magnitude of each moment."""

    damping: Annotated[float, Field(ge=0, le=1e6)] = 0.1
    """Gilbert's damping alpha, a number."""
    gamma: Positive = 2.2127616e5
    """mu_0 times the gyromagnetic ratio [m/(A s)]; that of the electron if left out."""
    time_step: Positive
    """Time between stored states [s]."""
    tolerance: Annotated[float, Field(ge=1e-13, le=1e-2)] = 1e-8
    """Error of a stored step, relative to the moments. It decides the number of substeps of each
    sample, which the dataset holds."""

    keeps_magnitude = True
    needs_volume = False
    num_kept = 0

    @property
    def seconds(self) -> float:
        """Time between two states [s]."""
        return self.time_step

    @abc.abstractmethod
    def rate(self, moments: Moments, field: Moments) -> Moments:
        """Rate of change of the moments [A m²/s] in a field [A/m]."""

    def next_moments(
        self,
        table: Tables,
        columns: SourceColumns,
        field_of_others: FieldOfOthers,
        substeps: int | Int[Array, ""],
        method: MethodName = "dop853",
    ) -> Moments:
        """The next state; each substep ends with the magnitudes of `table`."""
        moments = table[..., : columns.dim]
        wanted = magnitudes(moments)

        def rate(moments: Moments) -> Moments:
            field = self.total_field(with_moments(table, moments), field_of_others)
            return self.rate(moments, field)

        def project(moments: Moments) -> Moments:
            found = magnitudes(moments)
            return moments * jnp.where(found > 0, wanted / jnp.where(found > 0, found, 1), 0)

        return integrated(rate, moments, self.time_step, substeps, method, project)

    def residual(
        self,
        moments: Moments,
        table: Tables,
        columns: SourceColumns,
        field_of_others: FieldOfOthers,
    ) -> Moments:
        """Violation of the implicit midpoint rule, of order 2, which keeps magnitudes."""
        before = table[..., : columns.dim]
        middle = (before + moments) / 2
        field = self.total_field(with_moments(table, middle), field_of_others)
        return moments - before - self.time_step * self.rate(middle, field)


def towards(moments: Moments, field: Moments) -> Moments:
    """The part of a field across each moment times the magnitude: -m x (m x H) / |m|."""
    magnitude = magnitudes(moments)
    unit = moments / jnp.where(magnitude > 0, magnitude, 1)
    along = jnp.sum(unit * field, axis=-1, keepdims=True)
    return magnitude * (field - along * unit)


def magnitudes(vectors: Moments) -> Float[Array, "*shape sources 1"]:
    """Lengths, with a derivative of 0 of vectors of length 0."""
    # Over the largest component, as squares of the moments of atoms are below all of float32.
    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(vectors), axis=-1, keepdims=True))
    is_some = largest > 0
    unit = jnp.where(is_some, largest, 1)
    square = jnp.sum((vectors / unit) ** 2, axis=-1, keepdims=True)
    return jnp.where(is_some, unit * jnp.sqrt(jnp.where(is_some, square, 1)), 0)


def energy(
    dynamics: MomentDynamics, table: Tables, dim: int, field_of_others: FieldOfOthers
) -> Float[Array, " *shape"]:
    """Energy of moments in the applied field and that of each other.

    E = -mu_0 sum m_i.(H_applied + H_others / 2), which precession keeps and damping lowers.

    Args:
        dynamics: The dynamics.
        table: Source tables.
        dim: Space dimension.
        field_of_others: Field in which the moments are.

    Returns:
        The energy [J]; in two dimensions [J/m].
    """
    moments, of_others = table[..., :dim], field_of_others(table)
    field = dynamics.total_field(table, lambda _: of_others / 2)
    return -MU_0 * jnp.sum(moments * field, axis=(-2, -1))

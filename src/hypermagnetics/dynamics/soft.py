"""Linear soft discs and balls: iterates of self-consistent moments, each one dipole."""

from typing import ClassVar, Literal

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from hypermagnetics.config import Positive
from hypermagnetics.dynamics.moment_dynamics import FieldOfOthers, MomentDynamics
from hypermagnetics.dynamics.others import Moments, Tables, with_moments
from hypermagnetics.dynamics.runge_kutta import MethodName
from hypermagnetics.sources.geometry import by_kind
from hypermagnetics.table import SourceColumns


class Soft(MomentDynamics):
    """m' = m_rem / (1 + chi / d) + V kappa H, with kappa = d chi / (d + chi) in d dimensions.

    A ball of susceptibility chi in the uniform field H of all others has M = chi (H - M / d) +
    M_rem, as 1 / d is its demagnetising factor; V is its volume. The states are the iterates of
    this map, which begin at the remanent moments of the source table; their limit is
    self-consistent in the dipole approximation.
    """

    kind: Literal["soft"]
    """Kind of dynamics: linear soft bodies magnetise each other, step by step; the moments of the
    sources are remanent. Each body is one dipole."""
    susceptibility: Positive
    """Susceptibility chi of all bodies, a number: magnetisation over the field inside."""

    keeps_magnitude = False
    dimensions: ClassVar[tuple[int, ...]] = (2, 3)
    needs_volume = True
    num_kept = 1

    @property
    def seconds(self) -> None:
        """None: the states are iterates."""

    def next_moments(
        self,
        table: Tables,
        columns: SourceColumns,
        field_of_others: FieldOfOthers,
        substeps: int | Int[Array, ""] = 1,
        method: MethodName = "dop853",
    ) -> Moments:
        """The next iterate, in one step whatever the method; see `MomentDynamics`."""
        dim, chi = columns.dim, self.susceptibility
        remanent = table[..., columns.size : columns.size + dim]
        field = self.total_field(table, field_of_others)
        strength = dim * chi / (dim + chi) * _volumes(table, columns)
        found = remanent / (1 + chi / dim) + strength[..., None] * field
        return jnp.where(self.used(table), found, 0)

    def residual(
        self,
        moments: Moments,
        table: Tables,
        columns: SourceColumns,
        field_of_others: FieldOfOthers,
    ) -> Moments:
        """Moments minus those that their own field gives: 0 at the fixed point."""
        return moments - self.next_moments(with_moments(table, moments), columns, field_of_others)


def _volumes(table: Tables, columns: SourceColumns) -> Float[Array, "*shape sources"]:
    total = jnp.zeros(table.shape[:-1], table.dtype)
    for kind, is_kind, shape in by_kind(columns, table, jnp.ones(table.shape[:-1], bool)):
        total = jnp.where(is_kind, kind.volume(shape), total)
    return total

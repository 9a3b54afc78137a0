"""Directions in which bodies change: their moments, positions, sizes and rotations."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from hypermagnetics.config import nearest
from hypermagnetics.errors import SourceError
from hypermagnetics.shapes import (
    AnyKey,
    BlockField,
    BlockPotential,
    NumSources,
    Points,
    SourceTables,
)
from hypermagnetics.sources.superposition import block_sum
from hypermagnetics.table import (
    QUATERNION,
    ROTATION_COLUMNS,
    SHAPES,
    SIZES,
    BodyName,
    SourceColumns,
    is_body,
    refuse_soft,
    source_rows,
    vectors,
)

GroupName = Literal["moment", "position", "size", "rotation"]
GROUPS: tuple[GroupName, ...] = get_args(GroupName)
"""Groups of columns, by which a recipe may name them."""

_TURNS = ("turn_x", "turn_y", "turn_z")
"""Rotations about the axes of space, in place of the four columns of a quaternion [rad]."""


@dataclass(frozen=True)
class Directions:
    """Parameters by which the bodies of a source table change, and the unit of each.

    Each column is one parameter, but the four of a quaternion q, which stays of norm 1: three small
    rotations w about the axes of space change it by (0, w) q / 2.
    """

    columns: SourceColumns
    names: tuple[str, ...]
    """Columns that change."""
    moment: float
    """Unit of changes of moments [A m²]; in two dimensions [A m]."""
    length: float
    """Unit of changes of positions and sizes [m]; that of rotations is 1 rad."""

    def __post_init__(self) -> None:
        refuse_soft(self.columns, "Derivatives of a sum by its sources")

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters of a body."""
        turns = _TURNS if QUATERNION[0] in self.names else ()
        return (*(name for name in self.names if name not in QUATERNION), *turns)

    def changes(
        self,
        sources: Float[Array, "*tables sources columns"],
        amounts: Float[Array, "*tables sources parameters"],
    ) -> Float[Array, "*tables sources columns"]:
        """Changes of source tables for given changes of the parameters.

        Args:
            sources: The tables.
            amounts: Changes of the parameters of each row, in their units.

        Returns:
            The changes of the columns; zero in padding, and where a body has no such parameter.
        """
        found = jnp.zeros_like(sources)
        given = dict(zip(self.parameters, jnp.moveaxis(amounts, -1, 0), strict=True))
        if QUATERNION[0] in self.names:
            quaternion = [sources[..., self.columns.index(name)] for name in QUATERNION]
            turned = _turned(quaternion, [given.pop(name) for name in _TURNS])
            given |= dict(zip(QUATERNION, turned, strict=True))
        for name, amount in given.items():
            change = jnp.where(self._has(name, sources), self._unit(name) * amount, 0)
            found = found.at[..., self.columns.index(name)].set(change.astype(found.dtype))
        return found

    def random(
        self, key: AnyKey, sources: Float[Array, "sources columns"], count: int
    ) -> Float[Array, "count sources columns"]:
        """Directions of independent normal changes of all parameters, of variance 1 in their units.

        Args:
            key: Random key.
            sources: A source table.
            count: Number of directions.

        Returns:
            The changes of the table.
        """
        shape = (count, len(sources), len(self.parameters))
        amounts = jax.random.normal(key, shape, sources.dtype)
        return self.changes(jnp.broadcast_to(sources, (count, *sources.shape)), amounts)

    def single(
        self, sources: Float[Array, "*tables sources columns"]
    ) -> Float[Array, "count *tables sources columns"]:
        """Directions in which one parameter of one body changes by its unit, one for each.

        Args:
            sources: Source tables.

        Returns:
            The changes of the tables, body by body.
        """
        rows = range(sources.shape[-2])
        return jnp.concatenate([self.of_row(sources, row) for row in rows])

    def of_row(
        self, sources: Float[Array, "*tables sources columns"], row: int
    ) -> Float[Array, "parameters *tables sources columns"]:
        """Directions in which one parameter of the body of one row changes by its unit.

        Args:
            sources: Source tables.
            row: Number of the row.

        Returns:
            The changes of the tables, one for each parameter.
        """
        each = len(self.parameters)
        shape = (each, *sources.shape[:-1], each)
        one = jnp.eye(each, dtype=sources.dtype).reshape(each, *(1,) * (sources.ndim - 2), each)
        amounts = jnp.zeros(shape, sources.dtype).at[..., row, :].set(one)
        return self.changes(jnp.broadcast_to(sources, (each, *sources.shape)), amounts)

    def _unit(self, name: str) -> float:
        if name in ROTATION_COLUMNS:
            return 1.0
        return self.moment if name.startswith("moment_") else self.length

    def _has(
        self, name: str, sources: Float[Array, "*tables sources columns"]
    ) -> Bool[Array, "*tables sources"]:
        """Mask of the sources whose body has this parameter."""
        is_source: Array = source_rows(self.columns, sources)
        if name in vectors(self.columns.dim):
            return is_source
        bodies = [body for body in self.columns.bodies if name in SHAPES[body]]
        has: Array = reduce(or_, (is_body(self.columns, body, sources) for body in bodies))
        return is_source & has


def block_derivative(
    columns: SourceColumns,
    sources: SourceTables,
    changes: SourceTables,
    points: Points,
    num_sources: NumSources | None = None,
) -> tuple[BlockPotential, BlockField]:
    """Derivatives of the exact potential and field as the bodies change: of `block_superposition`.

    d phi = sum over rows s and columns c of dphi/dx_sc changes_sc, by forward differentiation of
    the closed forms.

    Args:
        columns: Columns of `sources`.
        sources: Source tables of samples that share their points.
        changes: Change of each entry, in its unit.
        points: Points of evaluation [m].
        num_sources: Rows of each table that are sources, those of zero moment too; None for all up
            to the last one with a moment.

    Returns:
        Change of the potential [A], and of the field [A/m], to first order.
    """
    if num_sources is None:
        rows = jnp.arange(1, sources.shape[1] + 1, dtype=jnp.int32)
        # The last row with a moment: those of no moment before it add nothing.
        count = jnp.max(jnp.where(source_rows(columns, sources), rows, 0), axis=-1, initial=0)
    else:
        count = num_sources

    def total(tables: SourceTables) -> tuple[BlockPotential, BlockField]:
        found: tuple[BlockPotential, BlockField] = block_sum(columns, tables, count, points)
        return found

    derivative: tuple[BlockPotential, BlockField] = jax.jvp(total, (sources,), (changes,))[1]
    return derivative


def chosen_columns(
    columns: SourceColumns, wanted: Sequence[str] | None, varying: Collection[str], where: str
) -> tuple[str, ...]:
    """The columns that are named, alone or by a group, in the order of the table.

    Args:
        columns: Columns of source tables.
        wanted: Names of columns and of groups; None for all columns that vary.
        varying: Names of the columns that are not the same for all sources.
        where: Place of the names, for messages.

    Returns:
        Names of columns; of a quaternion all four, or none.

    Raises:
        SourceError: If a name is unknown, its columns are the same for all sources, or bodies are
            soft.
    """
    refuse_soft(columns, "Derivatives of a sum by its sources")
    may_change = [name for name in columns.names if name != "body"]
    free = {name for name in may_change if name in varying}
    if free & set(QUATERNION):
        free |= set(QUATERNION)
    if wanted is None:
        return tuple(name for name in may_change if name in free)
    found: set[str] = set()
    for name in wanted:
        found |= _named(columns, name, free, where)
    return tuple(name for name in may_change if name in found)


def _named(columns: SourceColumns, name: str, free: set[str], where: str) -> set[str]:
    dim, constants = columns.dim, dict(columns.constants)
    groups: dict[str, list[str]] = {
        "moment": [*vectors(dim)[:dim]],
        "position": [*vectors(dim)[dim:]],
        "size": [one for one in (*columns.shape_names, *constants) if one in SIZES],
        "rotation": [one for one in (*columns.shape_names, *constants) if one in ROTATION_COLUMNS],
    }
    single = {one for names in groups.values() for one in names}
    rule = "Columns of derivatives must be columns of the source table that vary, or groups of them"
    if name in single and name in QUATERNION:
        raise SourceError(
            f"{rule}, and a quaternion changes as a whole; got {name!r} ({where}). Write "
            '"rotation".'
        )
    if name not in single and name not in GROUPS:
        known = sorted({*single - {*QUATERNION}, *GROUPS})
        raise SourceError(f"{rule}; got {name!r} ({where}). {nearest(name, known)}")
    names = groups.get(name, [name])
    if not names:
        raise SourceError(
            f"{rule}; got {name!r}, which {_listed(columns.bodies)} do not have ({where}). "
            "Leave it out."
        )
    found = free & set(names)
    if not found:
        same = ", ".join(
            f"{one} = {constants[one]:g}" if one in constants else one for one in names
        )
        raise SourceError(
            f"{rule}; got {name!r}, where {same} is the same for all sources ({where}). Leave it "
            "out, or generate a dataset in which it varies."
        )
    return found


def _listed(bodies: Sequence[BodyName]) -> str:
    return ", ".join(f"{body}s" for body in bodies)


def _turned(quaternion: Sequence[Any], turn: Sequence[Any]) -> tuple[Any, ...]:
    """(0, w) q / 2, the change of the quaternion q by a small rotation w."""
    (w, x, y, z), (a, b, c) = quaternion, turn
    return (
        -(a * x + b * y + c * z) / 2,
        (a * w + b * z - c * y) / 2,
        (b * w + c * x - a * z) / 2,
        (c * w + a * y - b * x) / 2,
    )

"""Hard magnets beside soft bodies: rows of a table of their own, and their field."""

import functools
import operator
from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from hypermagnetics.grids import components
from hypermagnetics.shapes import Field, Points, SourceTable
from hypermagnetics.sources.geometry import OfKind, by_kind, rounding_unit
from hypermagnetics.sources.kinds import KINDS
from hypermagnetics.sources.kinds.rounding import rounding_of
from hypermagnetics.sources.superposition import field_of
from hypermagnetics.table import BODIES, QUATERNION, SIZES, SourceColumns

_Magnets = Float[Array, "magnets hard_columns"]
"""Source table of the hard magnets alone."""


def hard_rows(
    columns: SourceColumns,
    full: SourceColumns,
    rows: SourceTable,
    is_hard: Bool[Array, " sources"],
) -> Float[Array, "sources hard_columns"]:
    """Hard magnets as rows with a column for each size, all of them bodies.

    Args:
        columns: Columns of `rows`.
        full: Columns of the result.
        rows: Rows of a source table; those of zeros are padding.
        is_hard: Mask of the hard rows.

    Returns:
        A row for each, without a moment where it is not a hard magnet.
    """
    dim = columns.dim
    used = is_hard & (rows != 0).any(axis=-1)
    kinds = list(by_kind(columns, rows, used))
    return bodies_table(full, rows[:, :dim], rows[:, dim : 2 * dim], kinds)


def bodies_table(
    columns: SourceColumns,
    moments: Float[Array, "rows dim"],
    positions: Float[Array, "rows dim"],
    kinds: Sequence[OfKind],
) -> Float[Array, "rows columns"]:
    """Rows of a source table; those of no kind are a body of size 1 and no moment.

    Args:
        columns: Columns with one for each size and rotation.
        moments: Moment of each row.
        positions: Position of each row [m].
        kinds: Mask and shape of each kind of body.

    Returns:
        The table.
    """
    used = functools.reduce(operator.or_, (each.is_kind for each in kinds))
    parts = jnp.where(used[:, None], jnp.concatenate([moments, positions], -1), 0)
    # No dipole, whose field is not finite in its own position, also without a moment.
    (padding, *_) = sorted(columns.bodies, key=lambda body: KINDS[body].is_point)
    extra = []
    for name in columns.shape_names:
        start = float(name in SIZES or name == QUATERNION[0])
        first = float(BODIES.index(padding)) if name == "body" else start
        value = jnp.full(len(moments), first, parts.dtype)
        for kind, is_kind, shape in kinds:
            own = BODIES.index(kind.name) if name == "body" else shape.get(name, start)
            value = jnp.where(is_kind, own, value)
        extra.append(value)
    return jnp.concatenate([parts, *(value[:, None] for value in extra)], -1)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def field_of_hard(
    columns: SourceColumns, hard: Float[Array, "magnets hard_columns"], points: Points
) -> Field:
    """Field of hard magnets, exact at any distance.

    Its derivatives are those of the plain forms of the kinds, which are the same but for roundings
    of the magnetisation, and compile in seconds where those of `superposition` take minutes.

    Args:
        columns: Columns of `hard`.
        hard: Hard magnets, from `hard_rows`.
        points: Points that are not on a surface [m].

    Returns:
        Field [A/m].
    """
    return field_of(columns, hard, points)


@field_of_hard.defjvp
def _field_of_hard_jvp(
    columns: SourceColumns,
    primals: tuple[SourceTable, Points],
    tangents: tuple[SourceTable, Points],
) -> tuple[Field, Field]:
    exact = field_of_hard(columns, *primals)
    _, tangent = jax.jvp(partial(_plain_field, columns), primals, tangents)
    return exact, tangent


def _plain_field(
    columns: SourceColumns, hard: Float[Array, "magnets hard_columns"], points: Points
) -> Field:
    dim, unit = columns.dim, rounding_unit(hard, points)

    @jax.checkpoint
    def of_row(row: Float[Array, " columns"]) -> Field:
        total = jnp.zeros_like(points)
        for kind, is_kind, shape in by_kind(columns, row, jnp.asarray(True)):
            offset = points - row[dim : 2 * dim][None]
            moment = jnp.where(is_kind, row[:dim], 0)
            tensor = kind.demagnetising_tensor(jnp.where(is_kind, offset, 0), shape)
            if tensor is not None:
                total -= (tensor * moment[None, None]).sum(-1) / kind.volume(shape)
                continue
            where = components(points)
            position = [row[dim + i] for i in range(dim)]
            rounding = rounding_of(
                where, kind.outer_radius(shape), kind.size(shape), position, unit
            )
            away = [jnp.where(is_kind, axis, 1) for axis in components(offset)]
            found = kind.values([moment[i] for i in range(dim)], away, shape, rounding)
            total += jnp.stack(found.field, axis=-1)
        return total

    def add(total: Field, row: Float[Array, " columns"]) -> tuple[Field, None]:
        return total + of_row(row), None

    total, _ = jax.lax.scan(add, jnp.zeros_like(points), hard)
    return total

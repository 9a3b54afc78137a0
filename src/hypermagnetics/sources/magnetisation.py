"""The magnetisation at points: what B = mu_0 (H + M) needs inside bodies."""

import math
from typing import assert_never

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from hypermagnetics.grids import components
from hypermagnetics.shapes import Field, Points, SourceTable
from hypermagnetics.sources.box import Axes, axes_of_shape
from hypermagnetics.sources.values import Components, Scalars, dot
from hypermagnetics.table import BODIES, SHAPES, BodyName, SourceColumns, source_rows


@jax.jit(static_argnames="columns")
def magnetisation(columns: SourceColumns, sources: SourceTable, points: Points) -> Field:
    """Magnetisation M = moment / volume inside bodies, zero outside; where they overlap, the sum.

    A point on a surface belongs to the inside. Dipoles have no inside. Each source is compared with
    each point.

    Args:
        columns: What the columns of `sources` are.
        sources: Source table; rows of no moment are padding.
        points: Points [m].

    Returns:
        Magnetisation [A/m] at each point; in two dimensions moment [A m] per area is [A/m] too.
    """
    dim, where = columns.dim, components(points)
    zero = jnp.zeros(points.shape[0], jnp.result_type(sources, points))

    def add(
        total: tuple[Array, ...], row: Float[Array, " columns"]
    ) -> tuple[tuple[Array, ...], None]:
        offset = [axis - row[dim + i] for i, axis in enumerate(where)]
        is_source = source_rows(row, dim)
        for body in columns.bodies:
            is_body = is_source
            if columns.has("body"):
                is_body = is_source & (row[columns.index("body")] == BODIES.index(body))
            shape = {name: _value(columns, row, name, is_body) for name in SHAPES[body]}
            if (found := _inside(body, shape, offset)) is None:
                continue
            inside, volume = found
            share = jnp.where(is_body & inside, 1 / volume, 0)
            total = tuple(part + row[i] * share for i, part in enumerate(total))
        return total, None

    total, _ = jax.lax.scan(add, (zero,) * dim, sources)
    return jnp.stack(total, axis=-1)


def _value(
    columns: SourceColumns, row: Float[Array, " columns"], name: str, is_body: Bool[Array, ""]
) -> Float[Array, ""]:
    """A size or a rotation; 1 where the row is another body, so that nothing is divided by zero."""
    if columns.has(name):
        return jnp.where(is_body, row[columns.index(name)], 1)
    return jnp.asarray(columns.constant(name), row.dtype)


def _inside(
    body: BodyName, shape: dict[str, Float[Array, ""]], offset: Components
) -> tuple[Bool[Array, " points"], Scalars] | None:
    """Which points are inside a body, and its volume [m³], in two dimensions its area [m²].

    None for a dipole, which has no inside.
    """
    match body:
        case "dipole":
            return None
        case "disc":
            return dot(offset, offset) <= shape["radius"] ** 2, math.pi * shape["radius"] ** 2
        case "sphere":
            volume = 4 / 3 * math.pi * shape["radius"] ** 3
            return dot(offset, offset) <= shape["radius"] ** 2, volume
        case "rectangle" | "cuboid":
            return _inside_box(axes_of_shape(shape), shape, offset)
        case _:
            assert_never(body)


def _inside_box(
    axes: Axes, shape: dict[str, Float[Array, ""]], offset: Components
) -> tuple[Bool[Array, " points"], Scalars]:
    sides = [shape[name] for name in ("dimension_x", "dimension_y", "dimension_z") if name in shape]
    inside = jnp.stack(
        [jnp.abs(dot(along, offset)) <= side / 2 for along, side in zip(axes, sides, strict=True)]
    )
    return jnp.all(inside, axis=0), math.prod(sides)

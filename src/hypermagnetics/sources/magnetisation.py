"""The magnetisation at points: what B = mu_0 (H + M) needs inside bodies."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from hypermagnetics.grids import components
from hypermagnetics.shapes import Field, Points, SourceTable
from hypermagnetics.sources.box import axes_of_angle, axes_of_quaternion
from hypermagnetics.sources.columns import BODIES, QUATERNION, SHAPES, BodyName, SourceColumns
from hypermagnetics.sources.values import Components, Scalars, dot


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
        is_source = jnp.any(row[:dim] != 0)
        for body in columns.bodies:
            if body == "dipole":
                continue
            is_body = is_source
            if columns.has("body"):
                is_body = is_source & (row[columns.index("body")] == BODIES.index(body))
            shape = {name: _value(columns, row, name, is_body) for name in SHAPES[body]}
            inside, volume = _inside(body, shape, offset)
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
) -> tuple[Bool[Array, " points"], Scalars]:
    """Which points are inside a body, and its volume [m³], in two dimensions its area [m²]."""
    if body in ("disc", "sphere"):
        radius = shape["radius"]
        volume = math.pi * radius**2 if body == "disc" else 4 / 3 * math.pi * radius**3
        return dot(offset, offset) <= radius**2, volume
    sides = [shape[name] for name in ("dimension_x", "dimension_y", "dimension_z") if name in shape]
    if body == "rectangle":
        axes = axes_of_angle(shape["angle"])
    else:
        axes = axes_of_quaternion([shape[name] for name in QUATERNION])
    inside = jnp.stack(
        [jnp.abs(dot(along, offset)) <= side / 2 for along, side in zip(axes, sides, strict=True)]
    )
    return jnp.all(inside, axis=0), math.prod(sides)

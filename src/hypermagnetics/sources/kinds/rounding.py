"""Rounding of the distance between points and the surface of a body."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from hypermagnetics.sources.values import Components, Rounding, Scalars

ROUNDINGS = 4
"""Rounding units of the coordinates within which a point is on a surface: those of point, position
and half a side add up to less than two, and what turns them to the edges of a body adds to that."""

_AT_EDGE = ROUNDINGS * float(np.finfo(np.float64).eps)
"""Distance from an edge at which H is taken there, relative to that from the origin, whatever the
float type. It depends on the point alone: what diverges cancels between bodies that touch."""

_SHARE_OF_SIZE = 1 / 64
"""Share of the size of a body that the rounding may be, however far from the origin it is."""


def rounding_of(
    where: Components,
    outer_radius: Scalars,
    size: Scalars,
    position: Components = (),
    unit: float | None = None,
) -> Rounding:
    """Rounding of the distance between points and the surface of a body.

    Args:
        where: Components of the points [m].
        outer_radius: Radius of the smallest ball around the body [m].
        size: Radius of the largest ball inside it [m].
        position: Components of its centre [m]; the origin if empty.
        unit: Rounding unit of the coordinates, relative to them; that of their float type if None.

    Returns:
        Lengths [m], without gradient.
    """
    float_type = np.finfo(jnp.result_type(where[0]))
    unit = float(float_type.eps) if unit is None else unit
    # No coordinate of the surface is larger. It does not depend on the point, so it costs nothing.
    reach = sum((jnp.abs(axis) for axis in position), jnp.asarray(outer_radius))
    distance = sum((jnp.abs(axis) for axis in where[1:]), jnp.abs(where[0]))
    # The closed forms divide by the square of the distance from an edge.
    least = float(float_type.tiny) ** 0.45
    at_edge = jnp.maximum(_AT_EDGE * distance, least * outer_radius)
    most = _SHARE_OF_SIZE * size
    rounding: Rounding = jax.lax.stop_gradient(
        Rounding(jnp.minimum(ROUNDINGS * unit * reach, most), jnp.minimum(at_edge, most))
    )
    return rounding


def by_side(
    beyond: Float[Array, "..."],
    rounding: Float[Array, "..."],
    outside: Float[Array, "..."] | float,
    inside: Float[Array, "..."] | float,
) -> Float[Array, "..."]:
    """One of two values, by the side of a surface on which a point lies; on it their mean.

    Args:
        beyond: Distance of the point beyond the surface, negative on this side of it.
        rounding: Bound of the rounding of the distance; within it the point is on the surface.
        outside: Value beyond the surface.
        inside: Value on this side.

    Returns:
        The value, in the float type of the distance.
    """
    mean = 0.5 * (outside + inside)
    found = jnp.where(beyond > rounding, outside, jnp.where(beyond < -rounding, inside, mean))
    return found.astype(beyond.dtype)

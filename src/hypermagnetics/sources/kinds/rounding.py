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
    where: Components, outer_radius: Scalars, size: Scalars, unit: float | None = None
) -> Rounding:
    """Rounding of the distance between points and the surface of a body.

    Args:
        where: Components of the points [m].
        outer_radius: Radius of the smallest ball around the body [m].
        size: Radius of the largest ball inside it [m].
        unit: Rounding unit of the coordinates, relative to them; that of their float type if None.

    Returns:
        Lengths [m], without gradient.
    """
    distance = sum((jnp.abs(axis) for axis in where[1:]), jnp.abs(where[0]))
    float_type = np.finfo(distance.dtype)
    unit = float(float_type.eps) if unit is None else unit
    # The closed forms divide by the square of the distance from an edge.
    least = float(float_type.tiny) ** 0.45
    within = ROUNDINGS * unit * jnp.maximum(distance, outer_radius)
    at_edge = jnp.maximum(_AT_EDGE * distance, least * outer_radius)
    most = _SHARE_OF_SIZE * size
    rounding: Rounding = jax.lax.stop_gradient(
        Rounding(jnp.minimum(within, most), jnp.minimum(at_edge, most))
    )
    return rounding


def outside_share(
    beyond: Float[Array, "..."], rounding: Float[Array, "..."]
) -> Float[Array, "..."]:
    """Share of a small ball around a point that lies beyond a surface.

    Args:
        beyond: Distance of the point beyond the surface, negative on this side of it.
        rounding: Bound of the rounding of the distance; within it the point is on the surface.

    Returns:
        0, 1/2 on the surface, or 1.
    """
    return jnp.where(beyond > rounding, 1.0, jnp.where(beyond < -rounding, 0.0, 0.5)).astype(
        beyond.dtype
    )

"""Uniformly magnetised disc: the cross-section of a cylinder magnetised across its axis."""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from hypermagnetics.sources.dipole import Components, Values


def disc(
    moment: Components, displacement: Components, radius: Float[Array, "..."] | float | int
) -> Values:
    """Potential and field of a disc.

    Outside (d > R) the dipole, phi = m.d / (2 pi d²); inside phi = m.d / (2 pi R²), so that H is
    uniform. The potential is continuous at d = R, where the point belongs to the inside; H jumps.
    Gradients with respect to every argument are finite everywhere.

    Args:
        moment: Components of m, magnetisation times pi R², per length [A m].
        displacement: Components of d, point minus position [m]; shapes broadcast with `moment`.
        radius: R [m], greater than 0.

    Returns:
        Potential [A] and field [A/m].

    References:
        Jackson, Classical Electrodynamics, 3rd ed., section 5.10, in two dimensions.
    """
    (mx, my), (dx, dy) = moment, displacement
    distance2, radius2 = dx * dx + dy * dy, radius * radius
    inverse = 1 / jnp.maximum(distance2, radius2)
    scale = inverse / (2 * math.pi)
    along = mx * dx + my * dy
    twice_projection = jnp.where(distance2 > radius2, 2 * along * inverse, 0)
    return Values(
        along * scale,
        ((twice_projection * dx - mx) * scale, (twice_projection * dy - my) * scale),
    )

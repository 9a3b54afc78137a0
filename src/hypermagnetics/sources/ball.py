"""Uniformly magnetised ball: a disc in two dimensions, a sphere in three.

The disc is the cross-section of a long cylinder that is magnetised across its axis.
"""

import jax.numpy as jnp

from hypermagnetics.sources.values import Components, Scalars, Values, dot, full_angle


def ball(moment: Components, displacement: Components, radius: Scalars) -> Values:
    """Potential and field of a disc (n = 2) or a sphere (n = 3).

    Outside (d > R) the dipole, phi = m.d / (A d^n) with A = 2 pi or 4 pi; inside
    phi = m.d / (A R^n), so that H is uniform. The potential is continuous at d = R, where the point
    belongs to the inside; H jumps. Gradients with respect to every argument are finite everywhere.

    Args:
        moment: Components of m, magnetisation times volume [A m²]; in two dimensions magnetisation
            times area, per length [A m].
        displacement: Components of d, point minus position [m]; shapes broadcast with `moment`.
        radius: R [m], greater than 0.

    Returns:
        Potential [A] and field [A/m].

    References:
        Jackson, Classical Electrodynamics, 3rd ed., section 5.10.
    """
    dim = len(displacement)
    distance2, radius2 = dot(displacement, displacement), radius * radius
    is_outside = distance2 > radius2
    # Not a maximum: on the surface its gradient would be the mean of both sides.
    inverse2 = 1 / jnp.where(is_outside, distance2, radius2)
    scale = inverse2 if dim == 2 else inverse2 * jnp.sqrt(inverse2)
    scale = scale / full_angle(dim)
    along = dot(moment, displacement)
    radial = jnp.where(is_outside, dim * along * inverse2, 0)
    return Values(
        along * scale,
        tuple((radial * d - m) * scale for m, d in zip(moment, displacement, strict=True)),
    )

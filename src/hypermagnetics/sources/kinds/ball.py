"""Uniformly magnetised ball: a disc in two dimensions, a sphere in three.

The disc is the cross-section of a long cylinder that is magnetised across its axis.
"""

import math
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Float64

from hypermagnetics.sources.kinds.kind import Kind, Offset, Shape
from hypermagnetics.sources.sampling import directions
from hypermagnetics.sources.values import (
    Components,
    Scalars,
    Values,
    dot,
    full_angle,
    namespace,
)
from hypermagnetics.table import BodyName


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


class BallKind(Kind):
    """Common part of discs and spheres: all but the name and the volume."""

    is_point = False
    is_dipole_outside = True
    sources_per_step = 4
    values_per_step = 1 << 13

    def values(self, moment: Components, displacement: Components, shape: Shape) -> Values:
        """See `ball`."""
        return ball(moment, displacement, shape["radius"])

    def gap(self, offset: Offset, shape: Shape) -> Float[Any, "..."]:
        """|d| - R."""
        return namespace(*offset).sqrt(dot(offset, offset)) - shape["radius"]

    def is_inside(self, offset: Offset, shape: Shape) -> Bool[Any, "..."]:
        """d² <= R²."""
        return dot(offset, offset) <= shape["radius"] ** 2

    def size(self, shape: Shape) -> Scalars:
        """The radius."""
        return shape["radius"]

    def outer_radius(self, shape: Shape) -> Scalars:
        """The radius."""
        return shape["radius"]

    def surface_point(
        self, shape: Shape, uniform: Float64[np.ndarray, "points numbers"]
    ) -> tuple[Float64[np.ndarray, "points dim"], Float64[np.ndarray, "points dim"]]:
        """A point in a random direction, which is its normal."""
        normal = directions(uniform[:, 1:])
        return shape["radius"][:, None] * normal, normal

    def corners(self, shape: Shape) -> None:
        """None: it is drawn as a circle or a sphere."""

    def nodes(self, shape: Shape, places: Float64[np.ndarray, "nodes dim"]) -> None:
        """None: it is a dipole in its centre, whatever the radius, by the shell theorem."""


class DiscKind(BallKind):
    """Discs, in two dimensions."""

    name: ClassVar[BodyName] = "disc"
    seconds_per_pair = 1e-9

    def volume(self, shape: Shape) -> Scalars:
        """Pi R²."""
        return math.pi * shape["radius"] ** 2


class SphereKind(BallKind):
    """Spheres."""

    name: ClassVar[BodyName] = "sphere"
    seconds_per_pair = 2e-9

    def volume(self, shape: Shape) -> Scalars:
        """4/3 pi R³."""
        return 4 / 3 * math.pi * shape["radius"] ** 3

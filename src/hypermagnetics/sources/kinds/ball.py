"""Uniformly magnetised ball: a disc in two dimensions, a sphere in three.

The disc is the cross-section of a long cylinder that is magnetised across its axis.
"""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

from hypermagnetics.sources.kinds.kind import Kind, Offset, Shape
from hypermagnetics.sources.kinds.rounding import by_side, rounding_of
from hypermagnetics.sources.kinds.units import Unit
from hypermagnetics.sources.sampling import directions
from hypermagnetics.sources.values import (
    Components,
    Rounding,
    Scalars,
    Values,
    dot,
    full_angle,
    namespace,
)
from hypermagnetics.table import BodyName


def ball(
    moment: Components,
    displacement: Components,
    radius: Float[Array, "..."],
    rounding: Rounding | None = None,
) -> Values:
    """Potential and field of a disc (n = 2) or a sphere (n = 3).

    Outside (d > R) the dipole, phi = m.d / (A d^n) with A = 2 pi or 4 pi; inside
    phi = m.d / (A R^n), so that H is uniform. The potential is continuous at d = R; H jumps, and is
    the mean of both sides there. Gradients with respect to every argument are finite everywhere.

    Args:
        moment: Components of m, magnetisation times volume [A m²]; in two dimensions magnetisation
            times area, per length [A m].
        displacement: Components of d, point minus position [m]; shapes broadcast with `moment`.
        radius: R [m], greater than 0.
        rounding: Rounding of the distance from the surface; that of the displacement if None.

    Returns:
        Potential [A] and field [A/m].

    References:
        Jackson, Classical Electrodynamics, 3rd ed., section 5.10.
    """
    rounding = rounding or rounding_of(displacement, radius, radius)
    dim, unit = len(displacement), Unit.above(radius)
    moment, displacement = unit.moments(moment), unit.lengths(displacement)
    radius, within = unit.lengths([radius, rounding.within])
    distance2, radius2 = dot(displacement, displacement), radius * radius
    side = (distance2 - radius2, 2 * radius * within)
    # On the surface both are alike but for rounding, and the gradient is the mean of both sides.
    inverse2 = 1 / by_side(*side, distance2, radius2)
    along = dot(moment, displacement)
    radial = by_side(*side, float(dim), 0.0) * (along * inverse2)
    scale = inverse2 / full_angle(dim)
    values = [along, *(radial * d - m for m, d in zip(moment, displacement, strict=True))]
    values = [value * scale for value in values]
    if dim == 3:
        # Not one product d^-3 before: it leaves float32 before the field does.
        values = [value * jnp.sqrt(inverse2) for value in values]
    return unit.potential(Values(values[0], tuple(values[1:])))


class BallKind(Kind):
    """Common part of discs and spheres: all but the name and the volume."""

    is_point = False
    is_dipole_outside = True
    sources_per_step = 4
    values_per_step = 1 << 13
    pairs_per_tile = 1 << 26

    def values(
        self,
        moment: Components,
        displacement: Components,
        shape: Shape,
        rounding: Rounding,
    ) -> Values:
        """See `ball`."""
        return ball(moment, displacement, shape["radius"], rounding)

    def gap(self, offset: Offset, shape: Shape) -> Float[Any, "..."]:
        """|d| - R."""
        return namespace(*offset).sqrt(dot(offset, offset)) - shape["radius"]

    def inside_share(self, offset: Offset, shape: Shape, rounding: Rounding) -> Float[Array, "..."]:
        """1 where d² < R², 1/2 where they are equal."""
        radius = shape["radius"]
        beyond = dot(offset, offset) - radius * radius
        return by_side(beyond, 2 * radius * rounding.within, 0.0, 1.0)

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

    def half_edges(self, shape: Shape) -> None:
        """None: it is round."""

    def nodes(self, shape: Shape, places: Float64[np.ndarray, "nodes dim"]) -> None:
        """None: it is a dipole in its centre, whatever the radius, by the shell theorem."""

    def cells(self, shape: Shape, division: Sequence[int]) -> None:
        """None: a ball has no parts that are balls."""

    def demagnetising_tensor(self, displacement: Float[Array, "*points dim"], shape: Shape) -> None:
        """None: the closed form is short."""


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

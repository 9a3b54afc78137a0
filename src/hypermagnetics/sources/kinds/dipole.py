"""Point dipole: the far field of every body."""

from collections.abc import Sequence
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

from hypermagnetics.sources.kinds.distance import (
    directions_of,
    inverse_distance,
    over_distance,
)
from hypermagnetics.sources.kinds.kind import Kind, Offset, Shape
from hypermagnetics.sources.values import (
    Components,
    Rounding,
    Scalars,
    Values,
    dot,
    namespace,
)
from hypermagnetics.table import BodyName


def dipole(moment: Components, displacement: Components) -> Values:
    """Potential and field of a point dipole in n = 2 or 3 dimensions.

    phi = m.d / (A d^n), H = -grad phi = (n (m.d) d / d² - m) / (A d^n), with A = 2 pi or 4 pi.

    Args:
        moment: Components of the dipole moment m [A m²]; in two dimensions per length [A m].
        displacement: Components of d, point minus position [m]; shapes broadcast with `moment`.

    Returns:
        Potential [A] and field [A/m]. Both are singular, and NaN or infinite, at d = 0.

    References:
        Jackson, Classical Electrodynamics, 3rd ed., section 5.6; in two dimensions section 4.1.
    """
    dim = len(displacement)
    inverse = inverse_distance(displacement)
    towards = directions_of(displacement, inverse)
    along = dot(moment, towards)
    field = [dim * along * n - m for m, n in zip(moment, towards, strict=True)]
    return over_distance(along, field, inverse)


class DipoleKind(Kind):
    """Point dipoles, in two or three dimensions."""

    name: ClassVar[BodyName] = "dipole"
    is_point = True
    is_dipole_outside = True
    sources_per_step = 4
    values_per_step = 1 << 13
    pairs_per_tile = 1 << 26
    seconds_per_pair = 1e-9

    def values(
        self,
        moment: Components,
        displacement: Components,
        shape: Shape,
        rounding: Rounding,
    ) -> Values:
        """See `dipole`."""
        return dipole(moment, displacement)

    def gap(self, offset: Offset, shape: Shape) -> Float[Any, "..."]:
        """Distance from the position."""
        return namespace(*offset).sqrt(dot(offset, offset))

    def inside_share(self, offset: Offset, shape: Shape, rounding: Rounding) -> Float[Array, "..."]:
        """0: a point has no inside."""
        return jnp.zeros_like(offset[0])

    def size(self, shape: Shape) -> Scalars:
        """0."""
        return 0.0

    def outer_radius(self, shape: Shape) -> Scalars:
        """0."""
        return 0.0

    def volume(self, shape: Shape) -> Scalars:
        """0."""
        return 0.0

    def surface_point(self, shape: Shape, uniform: Float64[np.ndarray, "points numbers"]) -> None:
        """None: a point has no surface."""

    def corners(self, shape: Shape) -> None:
        """None: a point has no corners."""

    def half_edges(self, shape: Shape) -> None:
        """None: a point has no edges."""

    def nodes(self, shape: Shape, places: Float64[np.ndarray, "nodes dim"]) -> None:
        """None: it is a dipole."""

    def cells(self, shape: Shape, division: Sequence[int]) -> None:
        """None: a point has no parts."""

    def demagnetising_tensor(self, displacement: Float[Array, "*points dim"], shape: Shape) -> None:
        """None: the closed form is short."""

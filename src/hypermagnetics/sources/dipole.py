"""Point dipole in two dimensions: the field of every body, far away."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from jaxtyping import Array, Float

Components = Sequence[Float[Array, "..."]]


class Values(NamedTuple):
    """Potential [A] and the components of the field H [A/m], as separate arrays."""

    potential: Float[Array, "..."]
    field: Components


def dipole(moment: Components, displacement: Components) -> Values:
    """Potential and field of a point dipole.

    phi = m.d / (2 pi d²), H = -grad phi = (2 (m.d) d / d² - m) / (2 pi d²).

    Args:
        moment: Components of m, dipole moment per length [A m].
        displacement: Components of d, point minus position [m]; shapes broadcast with `moment`.

    Returns:
        Potential [A] and field [A/m]. Both are singular, and NaN or infinite, at d = 0.

    References:
        Jackson, Classical Electrodynamics, 3rd ed., section 4.1, in two dimensions.
    """
    (mx, my), (dx, dy) = moment, displacement
    inverse = 1 / (dx * dx + dy * dy)
    projection = (mx * dx + my * dy) * inverse
    scale = inverse / (2 * math.pi)
    return Values(
        (mx * dx + my * dy) * scale,
        ((2 * projection * dx - mx) * scale, (2 * projection * dy - my) * scale),
    )

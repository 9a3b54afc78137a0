"""Smooth part of a dipole: the moment spread over a ball of smoothly falling density."""

from typing import Any

import numpy as np
from jaxtyping import Float64

from hypermagnetics.models.split.density import Density, share_polynomial
from hypermagnetics.sources.values import Components, Values, dot, full_angle


def smooth_dipole(
    moment: Components, displacement: Components, cutoff: float, density: Density
) -> Values:
    """Potential and field of a moment spread over a ball.

    By the shell theorem phi = m.d v / (A d^n), where v is the share of the density within d, A is
    2 pi or 4 pi, and n the dimension: beyond R exactly the dipole. Inside, v = (d/R)^n P(u) with
    u = 1 - d²/R² and a polynomial P, see `share_polynomial`.

    Args:
        moment: Components of m [A m²]; in two dimensions [A m].
        displacement: Components of d, point minus position [m].
        cutoff: R [m].
        density: Density of the ball.

    Returns:
        Potential [A] and field [A/m].
    """
    along = dot(moment, displacement)
    dim = len(displacement)
    g, slope = radial(dot(displacement, displacement), dim, cutoff, density)
    turned = 2 * along * slope
    return Values(
        along * g,
        tuple(-(m * g + turned * d) for m, d in zip(moment, displacement, strict=True)),
    )


def radial(distance2: Any, dim: int, cutoff: float, density: Density) -> tuple[Any, Any]:
    """Factor g of phi = m.d g, and its derivative by d²; of arrays of numpy or of JAX.

    Args:
        distance2: d² [m²].
        dim: Space dimension n.
        cutoff: R [m].
        density: Density of the ball.

    Returns:
        g [1/m^n] and its derivative [1/m^(n+2)].
    """
    xp = distance2.__array_namespace__()
    u = xp.maximum(1 - distance2 / cutoff**2, 0)
    inside, slope = _polynomial(u, share_polynomial(density, dim))
    is_inside = distance2 < cutoff**2
    inverse2 = 1 / xp.where(is_inside, cutoff**2, distance2)
    scale = inverse2 if dim == 2 else inverse2 * xp.sqrt(inverse2)
    scale = scale / full_angle(dim)
    return inside * scale, xp.where(is_inside, -slope, -0.5 * dim) * inverse2 * scale


def smooth_charge(
    distance2: Float64[np.ndarray, "*shape"], dim: int, cutoff: float, density: Density
) -> Float64[np.ndarray, "*shape"]:
    """Potential G of a unit charge spread over a ball, of which a dipole has -m.grad G.

    Beyond the cutoff 1 / (4 pi d), or -ln d / (2 pi) in the plane; inside that value at the cutoff,
    and the integral of d g from d on, see `radial`.

    Args:
        distance2: d², in any unit.
        dim: Space dimension n.
        cutoff: R.
        density: Density of the ball.

    Returns:
        G [1 / length^(n-2)].
    """
    far = np.sqrt(np.maximum(distance2, cutoff**2))
    outside = -np.log(far) if dim == 2 else 1 / far
    inside = np.polynomial.polynomial.polyint(share_polynomial(density, dim))
    u = np.maximum(1 - distance2 / cutoff**2, 0)
    added = 0.5 * cutoff ** (2 - dim) * np.polynomial.polynomial.polyval(u, inside)
    found: np.ndarray = (outside + added) / full_angle(dim)
    return found


def _polynomial(u: Any, coefficients: tuple[float, ...]) -> tuple[Any, Any]:
    """A polynomial and its derivative."""
    first, *rest = reversed(coefficients)
    value, slope = first + 0 * u, 0 * u
    for coefficient in rest:
        slope = slope * u + value
        value = value * u + coefficient
    return value, slope

"""Smooth part of a dipole: the moment spread over a ball of smoothly falling density."""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from hypermagnetics.sources.values import Components, Values, dot, full_angle


def smooth_dipole(
    moment: Components, displacement: Components, cutoff: float, smoothness: int
) -> Values:
    """Potential and field of a moment spread over a ball, with density ~ (1 - s²/R²)^p.

    By the shell theorem phi = m.d v / (A d^n), where v is the share of the density within d, A is
    2 pi or 4 pi, and n the dimension: beyond R exactly the dipole. Inside, v = (d/R)^n P(u) with
    u = 1 - d²/R² and a polynomial P of degree p without negative coefficients, so that nothing
    cancels; at R, p derivatives are continuous.

    Args:
        moment: Components of m [A m²]; in two dimensions [A m].
        displacement: Components of d, point minus position [m].
        cutoff: R [m].
        smoothness: p.

    Returns:
        Potential [A] and field [A/m].
    """
    dim = len(displacement)
    distance2 = dot(displacement, displacement)
    u = jnp.maximum(1 - distance2 / cutoff**2, 0)
    inside, slope = _polynomial(u, dim, smoothness)
    is_inside = distance2 < cutoff**2
    inverse2 = 1 / jnp.where(is_inside, cutoff**2, distance2)
    scale = inverse2 if dim == 2 else inverse2 * jnp.sqrt(inverse2)
    scale = scale / full_angle(dim)
    along = dot(moment, displacement)
    # d g / d(d²) for phi = m.d g
    slope = jnp.where(is_inside, -slope, -0.5 * dim) * inverse2
    radial = 2 * along * slope * scale
    g = inside * scale
    return Values(
        along * g,
        tuple(-(m * g + radial * d) for m, d in zip(moment, displacement, strict=True)),
    )


def _polynomial(
    u: Float[Array, "..."], dim: int, smoothness: int
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """P(u) and its derivative; P(0) = 1."""
    first, *rest = reversed(_coefficients(dim, smoothness))
    value, slope = jnp.full_like(u, first), jnp.zeros_like(u)
    for coefficient in rest:
        slope = slope * u + value
        value = value * u + coefficient
    return value, slope


def _coefficients(dim: int, smoothness: int) -> list[float]:
    """Coefficients of P in rising order, from 1 - x² t² = (1 - t²) + u t² at d = x R, s = t d.

    P(u) ~ integral of (1 - x² t²)^p t^(n-1) over t from 0 to 1, whose terms are beta functions.
    """
    found = [
        math.comb(smoothness, j)
        * math.gamma(j + dim / 2)
        * math.gamma(smoothness - j + 1)
        / math.gamma(smoothness + 1 + dim / 2)
        for j in range(smoothness + 1)
    ]
    return [coefficient / found[0] for coefficient in found]

"""Densities of the ball over which a dipole is spread, as polynomials of the share within."""

import math
from dataclasses import dataclass
from functools import cache

_NEGLIGIBLE = 1e-17
"""Share of the sum below which a term of a series does not count."""


@dataclass(frozen=True)
class PowerDensity:
    """(1 - s²/R²)^p: p derivatives are continuous at R."""

    power: int
    """p."""


@dataclass(frozen=True)
class KaiserBesselDensity:
    """I_0(b sqrt(1 - s²/R²)): the spectrum falls as fast as that of any ball can.

    Beyond the wave number b/R nearly nothing is left of it, some exp(-b).

    References:
        Kaiser, Schafer, On the use of the I0-sinh window for spectrum analysis (1980).
    """

    shape: float
    """b."""


Density = PowerDensity | KaiserBesselDensity


@cache
def share_polynomial(density: Density, dim: int) -> tuple[float, ...]:
    """Coefficients of P, in rising order, where (d/R)^n P(1 - d²/R²) is the share within d.

    None is negative, so that nothing cancels, and P(0) = 1: all of it is within R. A Kaiser-Bessel
    density is a sum of powers, I_0(b sqrt(u)) = sum_j (b²/4)^j u^j / j!², each with its polynomial.

    Args:
        density: The density.
        dim: Space dimension n.

    Returns:
        The coefficients.
    """
    if isinstance(density, PowerDensity):
        return _normalised(_of_power(density.power, dim))
    total: list[float] = []
    weight, power = 1.0, 0
    while True:
        added = [weight * coefficient for coefficient in _of_power(power, dim)]
        total = [a + b for a, b in zip([*total, 0.0], added, strict=True)]
        if added[0] < _NEGLIGIBLE * total[0] and power > 0.5 * density.shape:
            return _normalised(total)
        power += 1
        weight *= (0.5 * density.shape / power) ** 2


def _of_power(power: int, dim: int) -> list[float]:
    """Coefficients for (1 - s²)^p, from 1 - x² t² = (1 - t²) + u t² at d = x R, s = t d.

    The integral of (1 - x² t²)^p t^(n-1) over t from 0 to 1, whose terms are beta functions.
    """
    return [
        math.comb(power, j)
        * math.gamma(j + dim / 2)
        * math.gamma(power - j + 1)
        / math.gamma(power + 1 + dim / 2)
        for j in range(power + 1)
    ]


def _normalised(coefficients: list[float]) -> tuple[float, ...]:
    return tuple(coefficient / coefficients[0] for coefficient in coefficients)

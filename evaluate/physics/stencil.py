"""Fourth-order central differences of predictions in float32.

    f'(x) = (8 (f(x + h) - f(x - h)) - (f(x + 2h) - f(x - 2h))) / (12 h) + h⁴ f⁽⁵⁾ / 30

Values are rounded to eps = 6e-8 of their size, which leaves about eps |f| / h in the derivative.
In potentials and fields of sources at a distance d, f⁽⁵⁾ is at most some hundred f / d⁵: in parts
of f / d the errors are eps d / h and some (h / d)⁴ of 10. They are equal near h = d / 60, where
both are some 1e-6. So h is between 1/128 and 1/64 of the distance g to the nearest surface, where
the field may have a kink, or a dipole.

Two things keep the rounding of positions out. h is a power of two, and points are moved to
multiples of it, by less than h: all that is added is exact in float32. And points with g below 1/32
of the extent of all points are left out: h / extent is at least 2⁻¹², for values rounded in parts
of their coordinates, or varying over the extent alone, at most 2e-4.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hypermagnetics.evaluate.physics.probe import NUM_POINTS, Configuration, Points, Probe
from hypermagnetics.evaluate.subjects.subject import PotentialAndField

_OFFSETS = (1.0, -1.0, 2.0, -2.0)
_WEIGHTS = (8.0, -8.0, -1.0, 1.0)
_DIVISOR = 12.0
_GAP_PER_STEP = 64.0
_LEAST_GAP = 1 / 32


@dataclass(frozen=True)
class Derivatives:
    """Predictions at some points of a configuration, and their derivatives there."""

    at_points: PotentialAndField
    gradient: Float[np.ndarray, "points dim"]
    """Gradient of the potential [A/m]."""
    divergence: Float[np.ndarray, " points"]
    """Divergence of the field [A/m²]."""
    gap: Float[np.ndarray, " points"]
    """Distance from the nearest surface or dipole [m]."""


def derivatives(probe: Probe, configuration: Configuration) -> Derivatives | None:
    """Differentiate predictions at points of a configuration.

    Args:
        probe: Predicts with the model.
        configuration: The configuration; its first points are taken, as many as fit into one
            prediction.

    Returns:
        The derivatives; None if all points are close to surfaces.
    """
    dim = configuration.columns.dim
    points, gap = _far_points(configuration, NUM_POINTS // (1 + len(_OFFSETS) * dim))
    if not len(points):
        return None
    step = 2.0 ** np.floor(np.log2(gap / _GAP_PER_STEP))
    centres = step[:, None] * np.round(points / step[:, None])
    moves = np.multiply.outer(np.eye(dim), _OFFSETS).swapaxes(1, 2)  # (axis, offset, dim)
    around = centres + step[:, None] * moves[:, :, None]
    answer = probe(configuration.rows, np.concatenate([centres, around.reshape(-1, dim)]))
    count, shape = len(centres), around.shape[:3]
    with np.errstate(invalid="ignore", over="ignore"):
        potential = answer.potential[count:].reshape(shape)
        field = answer.field[count:].reshape(*shape, dim)
        gradient = np.einsum("o,aop->pa", _WEIGHTS, potential) / (_DIVISOR * step[:, None])
        divergence = np.einsum("o,aopa->p", _WEIGHTS, field) / (_DIVISOR * step)
    at_points = PotentialAndField(answer.potential[:count], answer.field[:count])
    return Derivatives(at_points, gradient, divergence, configuration.gap(centres))


def _far_points(
    configuration: Configuration, most: int
) -> tuple[Points, Float[np.ndarray, " points"]]:
    """The first points far from every surface, and their distances."""
    points = configuration.points
    extent = float(np.ptp(points, axis=0).max())
    gap = configuration.gap(points)
    chosen = np.flatnonzero((gap >= _LEAST_GAP * extent) & np.isfinite(gap) & (gap > 0))[:most]
    return points[chosen], gap[chosen]

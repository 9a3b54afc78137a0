"""Laplace's equation: no charges in free space, nor inside bodies of uniform magnetisation."""

from collections.abc import Sequence

import numpy as np

from hypermagnetics.evaluate.physics.probe import property_of, relative
from hypermagnetics.evaluate.physics.stencil import Derivatives
from hypermagnetics.evaluate.results.records import Property


def laplace(found: Sequence[Derivatives]) -> Property:
    """Div H = 0 away from surfaces: g |div H| / |H|, one check for each point.

    The length g is the distance to the nearest surface or dipole: on the way there, a charge of
    this density would change H by about as much.

    Args:
        found: Predictions and their derivatives in each configuration.

    Returns:
        The errors; the rounding of float32 leaves some 1e-5 of them.
    """
    checks = [np.zeros(0)]
    for part in found:
        with np.errstate(invalid="ignore", over="ignore"):
            error = part.gap * np.abs(part.divergence)
            checks.append(relative(error, np.linalg.norm(part.at_points.field, axis=-1)))
    return property_of("laplace", np.concatenate(checks))

"""The field is the gradient of the potential."""

from collections.abc import Sequence

import numpy as np

from hypermagnetics.evaluate.physics.probe import property_of, relative
from hypermagnetics.evaluate.physics.stencil import Derivatives
from hypermagnetics.evaluate.results.records import Property


def gradient(found: Sequence[Derivatives]) -> Property:
    """H = -grad phi: |H + grad phi| / |H|, one check for each point.

    Args:
        found: Predictions and their derivatives in each configuration.

    Returns:
        The errors; the rounding of float32 leaves some 1e-5 of them, more where the fields of
        sources cancel.
    """
    checks = [np.zeros(0)]
    for part in found:
        field = part.at_points.field
        with np.errstate(invalid="ignore", over="ignore"):
            error = np.linalg.norm(field + part.gradient, axis=-1)
            checks.append(relative(error, np.linalg.norm(field, axis=-1)))
    return property_of("gradient", np.concatenate(checks))

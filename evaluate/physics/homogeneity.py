"""Homogeneity: values are proportional to the moments and applied fields."""

from collections.abc import Sequence

import numpy as np

from hypermagnetics.evaluate.physics.probe import Configuration, Probe, property_of, relative_l2
from hypermagnetics.evaluate.results.records import Property
from hypermagnetics.evaluate.subjects.subject import PotentialAndField
from hypermagnetics.table import applied_names

FACTORS = (-1.0, 0.0, 0.25, 3.0)
"""Factors c: reversed, zero, smaller and larger moments."""


def homogeneity(probe: Probe, configurations: Sequence[Configuration]) -> Property:
    """phi(c m) = c phi(m), and the same for H; soft bodies answer to moments and applied fields.

    One check for each configuration and each c: the L2 error over its points, of potential or
    field, whichever is larger, relative to c phi(m), and for c = 0 to phi(m).

    Args:
        probe: Predicts with the model.
        configurations: The configurations.

    Returns:
        The errors.
    """
    checks = []
    for configuration in configurations:
        columns, points = configuration.columns, configuration.points
        causes = [*range(columns.dim), *map(columns.index, applied_names(columns))]
        once = probe(configuration.rows, points)
        for factor in FACTORS:
            rows = configuration.rows.copy()
            rows[:, causes] *= factor
            expected = PotentialAndField(factor * once.potential, factor * once.field)
            found = probe(rows, points)
            checks.append(relative_l2(found, expected, expected if factor else once))
    return property_of("homogeneity", np.array(checks))

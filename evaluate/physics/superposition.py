"""Superposition: values add up over sources."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from hypermagnetics.evaluate.physics.probe import Configuration, Probe, property_of, relative_l2
from hypermagnetics.evaluate.results.records import Property
from hypermagnetics.evaluate.subjects.subject import PotentialAndField
from hypermagnetics.sources.geometry import Rows


def superposition(probe: Probe, configurations: Sequence[Configuration]) -> Property:
    """phi(A and B) = phi(A) + phi(B), and the same for H.

    One check for each configuration: the relative L2 error over its points, relative to A and B
    together, of potential or field, whichever is larger. A and B are every other source of the
    sample; a single source is A, and the first of the next sample B.

    Args:
        probe: Predicts with the model; two rows at least.
        configurations: The configurations.

    Returns:
        The errors.
    """
    checks = []
    for number, configuration in enumerate(configurations):
        following = configurations[(number + 1) % len(configurations)]
        first, second = _halves(configuration.rows, following.rows)
        points = configuration.points
        whole = probe(np.concatenate([first, second]), points)
        apart = [probe(part, points) for part in (first, second)]
        added = PotentialAndField(
            apart[0].potential + apart[1].potential, apart[0].field + apart[1].field
        )
        checks.append(relative_l2(added, whole, whole))
    return property_of("superposition", np.array(checks))


def _halves(
    rows: Rows, following: Float[np.ndarray, "others columns"]
) -> tuple[Float[np.ndarray, "first columns"], Float[np.ndarray, "second columns"]]:
    if len(rows) > 1:
        return rows[::2], rows[1::2]
    return rows, following[:1]

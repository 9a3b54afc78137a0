"""Configurations of the physics checks: some samples of a split."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hypermagnetics.data import Split
from hypermagnetics.evaluate.physics.probe import NUM_POINTS, Points, Rows
from hypermagnetics.sources import SourceColumns, signed_distance

_NUM_SAMPLES = 8
_SEED = 0
_PAIRS_PER_STEP = 1 << 20


@dataclass(frozen=True)
class Configuration:
    """The sources of a sample, without padding, and some points of its grid."""

    columns: SourceColumns
    rows: Rows
    points: Points
    """At most `NUM_POINTS` [m]."""

    def gap(self, points: Points) -> Float[np.ndarray, " points"]:
        """Unsigned distance of each point from the nearest surface or dipole [m]."""
        nearest = np.full(len(points), np.inf)
        step = max(_PAIRS_PER_STEP // max(len(points), 1), 1)
        for first in range(0, len(self.rows), step):
            some = signed_distance(self.columns, self.rows[first : first + step], points)
            nearest = np.minimum(nearest, np.abs(some).min(axis=0))
        return nearest


def configurations(columns: SourceColumns, split: Split) -> tuple[Configuration, ...]:
    """Eight samples of a split, or all if there are fewer, drawn with a fixed seed.

    Args:
        columns: Columns of the source tables.
        split: The split.

    Returns:
        The configurations, in float64.
    """
    random = np.random.default_rng(_SEED)
    found = []
    for number in np.sort(random.permutation(len(split))[:_NUM_SAMPLES]):
        sample = split[int(number)]
        chosen = random.permutation(len(sample.grid))[:NUM_POINTS]
        rows, points = sample.sources.astype(np.float64), sample.grid[chosen].astype(np.float64)
        found.append(Configuration(columns, rows, points))
    return tuple(found)

"""Physics checks of a model: configurations, predictions of them, and relative violations."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hypermagnetics.data import Split
from hypermagnetics.evaluate.results.records import Property
from hypermagnetics.evaluate.subjects.subject import PointModel, PotentialAndField
from hypermagnetics.metrics import quantiles
from hypermagnetics.sources import SourceColumns, signed_distance
from hypermagnetics.sources.geometry import Rows

NUM_POINTS = 256
"""Points of each prediction, so that a model that compiles for every shape compiles once."""

_NUM_SAMPLES = 8
_SEED = 0
_PAIRS_PER_STEP = 1 << 20

Points = Float[np.ndarray, "points dim"]


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


@dataclass(frozen=True)
class Probe:
    """Predicts with a model, always in the same array shapes."""

    model: PointModel
    num_sources: int
    """Rows of every source table, padding included."""

    def __call__(self, rows: Rows, points: Points) -> PotentialAndField:
        """Potential and field of one configuration.

        Args:
            rows: Its sources, `num_sources` at most.
            points: Points of evaluation, `NUM_POINTS` at most [m].

        Returns:
            The values in float64.
        """
        table = np.zeros((1, self.num_sources, rows.shape[1]), np.float32)
        table[0, : len(rows)] = rows
        # Filled up with points that are there: any others might be singular.
        filled = np.resize(points, (NUM_POINTS, points.shape[1])).astype(np.float32)
        potential, field = self.model.predict(table, filled, 1)
        count = len(points)
        return PotentialAndField(
            potential[0, :count].astype(np.float64), field[0, :count].astype(np.float64)
        )


def relative(
    error: Float[np.ndarray, "..."], size: Float[np.ndarray, "..."]
) -> Float[np.ndarray, "..."]:
    """Error / size; 0 where both are 0, and infinite where either is not finite.

    Args:
        error: Norms of errors.
        size: Norms of the reference values.

    Returns:
        The ratios.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = np.where(error == 0, 0.0, error / size)
    finite = np.isfinite(error) & np.isfinite(size) & ~np.isnan(ratio)
    return np.where(finite, ratio, np.inf)


def relative_l2(
    found: PotentialAndField, expected: PotentialAndField, size: PotentialAndField
) -> float:
    """||found - expected||₂ / ||size||₂ of potential or field, whichever is larger."""
    with np.errstate(invalid="ignore", over="ignore"):
        ratios: list[float] = [
            float(relative(norm(ours - theirs), norm(of)).item())
            for ours, theirs, of in zip(found, expected, size, strict=True)
        ]
    return max(ratios)


def norm(values: Float[np.ndarray, "..."]) -> Float[np.ndarray, " 1"]:
    """The L2 norm over all axes."""
    root: np.ndarray = np.sqrt(np.square(values.reshape(1, -1)).sum(axis=1))
    return root


def property_of(law: str, checks: Float[np.ndarray, " checks"]) -> Property:
    """Median and worst of some checks; NaN if there are none."""
    median, worst = quantiles(checks, (0.5, 1.0))
    return Property(law, float(median), float(worst), len(checks))

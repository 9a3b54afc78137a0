"""Models that break one law each, and no other."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from hypermagnetics.evaluate.baselines.exact_sum import ExactSum
from hypermagnetics.evaluate.subjects.subject import PotentialAndField
from hypermagnetics.sources import SourceColumns

Added = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From moments (samples, sources, dim) and points (points, dim) to potential and field."""


@dataclass(frozen=True)
class Changed:
    """The exact sum and something else."""

    columns: SourceColumns
    added: Added
    shapes: set[tuple[int, ...]] = field(default_factory=set, compare=False)
    """Of all questions."""

    def predict(
        self, sources: np.ndarray, points: np.ndarray, num_samples: int
    ) -> PotentialAndField:
        """See `PointModel`."""
        self.shapes.add((*sources.shape, *points.shape, num_samples))
        exact = ExactSum(self.columns).predict(sources, points, num_samples)
        moments = sources[..., : self.columns.dim].astype(np.float64)
        potential, values = self.added(moments, points.astype(np.float64))
        return PotentialAndField(
            (exact.potential + potential).astype(np.float32),
            (exact.field + values).astype(np.float32),
        )


def _uniform(field_of: Callable[[np.ndarray], np.ndarray]) -> Added:
    """A uniform field, which obeys all laws but what its dependence on the moments breaks."""

    def added(moments: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        uniform = 0.1 * field_of(moments)
        return -uniform @ points.T, np.repeat(uniform[:, None], len(points), axis=1)

    return added


def _grows_with_the_number(moments: np.ndarray) -> np.ndarray:
    count = np.any(moments != 0, axis=-1).sum(axis=1, keepdims=True)
    total: np.ndarray = (count - 1) * moments.sum(axis=1)
    return total


def _quadratic(moments: np.ndarray) -> np.ndarray:
    total: np.ndarray = (np.linalg.norm(moments, axis=-1, keepdims=True) * moments).sum(axis=1)
    return total


def _field_alone(moments: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    potential, values = _uniform(lambda found: found.sum(axis=1))(moments, points)
    return 0 * potential, values


def _charged(moments: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    density = 0.1 * moments.sum(axis=1)[:, :1]
    values = np.zeros((*moments.shape[:1], *points.shape))
    values[..., 0] = density * points[:, 0]
    return -density * points[:, 0] ** 2 / 2, values


def _nothing(moments: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((1, 1)), np.zeros((1, 1, 1))


def broken_model(law: str, columns: SourceColumns) -> Changed:
    """A model that breaks a law; none if `law` is "none"."""
    if law == "flux":  # no surfaces at all: smooth, and singular in the centres
        return Changed(SourceColumns.of("dipole", dim=columns.dim), _nothing)
    added: dict[str, Added] = {
        "none": _nothing,
        "superposition": _uniform(_grows_with_the_number),
        "homogeneity": _uniform(_quadratic),
        "gradient": _field_alone,
        "laplace": _charged,
    }
    return Changed(columns, added[law])

"""Predictions of one configuration at a time, always in the same array shapes."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hypermagnetics.evaluate.subjects.subject import PointModel

NUM_POINTS = 256
"""Points of each prediction, so that a model that compiles for every shape compiles once."""

Rows = Float[np.ndarray, "sources columns"]
Points = Float[np.ndarray, "points dim"]


@dataclass(frozen=True)
class Answer:
    """Prediction of one configuration."""

    potential: Float[np.ndarray, " points"]
    """[A]"""
    field: Float[np.ndarray, "points dim"]
    """H [A/m]."""

    @property
    def parts(self) -> tuple[np.ndarray, np.ndarray]:
        """Potential and field."""
        return self.potential, self.field


@dataclass(frozen=True)
class Probe:
    """Predicts with a model, always in the same array shapes."""

    model: PointModel
    num_sources: int
    """Rows of every source table, padding included."""

    def __call__(self, rows: Rows, points: Points) -> Answer:
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
        return Answer(potential[0, :count].astype(np.float64), field[0, :count].astype(np.float64))

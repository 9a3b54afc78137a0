"""A model, asked about one configuration at a time, always at as many points."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hypermagnetics.evaluate.subjects.subject import PointModel

NUM_POINTS = 256
"""Of each question: a model that compiles a program for every shape compiles one."""

Rows = Float[np.ndarray, "sources columns"]
Points = Float[np.ndarray, "points dim"]


@dataclass(frozen=True)
class Answer:
    """What a model says of one configuration."""

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
    """Asks a model in questions of one shape."""

    model: PointModel
    num_sources: int
    """Rows that every source table is filled up to."""

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

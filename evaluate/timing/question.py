"""Inputs of timed predictions: sources and points like those of a split."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from hypermagnetics.data import Split
from hypermagnetics.evaluate.measuring.measurement import samples_per_call
from hypermagnetics.sources import SourceColumns

_SHIFT = 0.05
"""Largest shift along each axis, in extents of the points."""
_SEED = 0


@dataclass(frozen=True)
class Question:
    """Inputs of one prediction: samples that share their points."""

    sources: Float32[np.ndarray, "samples sources columns"]
    points: Float32[np.ndarray, "points dim"]


@dataclass(frozen=True)
class Material:
    """The sources and the points of the first block of a split."""

    block: Question
    """The samples of one prediction."""
    rows: Float32[np.ndarray, "rows columns"]
    """All sources of the block, without padding."""
    dim: int

    def one_configuration(self, num_sources: int, num_points: int) -> Question:
        """A single sample of any size.

        The sources are those of the block. When they are used up they come again, in other places:
        shifted at random by a twentieth of the extent of the points at most, so that they stay in
        the region and as close together as their number makes them. The points likewise.

        Args:
            num_sources: Number of sources.
            num_points: Number of points.

        Returns:
            The sample.
        """
        random, points = np.random.default_rng(_SEED), self.block.points
        reach = _SHIFT * np.ptp(points, axis=0)
        table = _repeated(self.rows, num_sources)
        copies = len(table) - len(self.rows)
        if copies > 0:
            positions = slice(self.dim, 2 * self.dim)
            table[len(self.rows) :, positions] += random.uniform(-reach, reach, (copies, self.dim))
        where = _repeated(points, num_points)
        copies = len(where) - len(points)
        if copies > 0:
            where[len(points) :] += random.uniform(-reach, reach, (copies, self.dim))
        return Question(table[None], where)


def material(columns: SourceColumns, split: Split) -> Material:
    """Sources and points for timed predictions.

    Args:
        columns: Columns of the source tables.
        split: The split.

    Returns:
        The sources and points of its first block.
    """
    block = split.block(0)
    samples = samples_per_call(split)
    used = np.arange(block.sources.shape[1]) < block.num_sources[:, None]
    whole = Question(block.sources[:samples], block.grid)
    return Material(whole, block.sources[used], columns.dim)


def _repeated(
    values: Float32[np.ndarray, "some width"], count: int
) -> Float32[np.ndarray, "count width"]:
    """The first `count` rows, repeated from the first one when they are used up."""
    return values[np.arange(count) % len(values)].copy()

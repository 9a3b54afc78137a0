"""What a model is asked while the clock runs: sources and points like those of a split."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from hypermagnetics.data import Split
from hypermagnetics.evaluate.measuring.measurement import samples_per_call
from hypermagnetics.sources import SourceColumns

_SHIFT = 0.05
"""Of the extent of the points, at most, along each axis."""
_SEED = 0


@dataclass(frozen=True)
class Question:
    """Samples that share their points."""

    sources: Float32[np.ndarray, "samples sources columns"]
    points: Float32[np.ndarray, "points dim"]


@dataclass(frozen=True)
class Material:
    """The sources and the points of the first block of a split."""

    block: Question
    """As many samples as are predicted at a time."""
    rows: Float32[np.ndarray, "rows columns"]
    """All its sources, without padding."""
    dim: int

    def one_configuration(self, num_sources: int, num_points: int) -> Question:
        """A single sample of any size.

        The sources are those of the block. When they are used up they come again, in other places:
        shifted at random by a twentieth of the extent of the points at most, so that they stay in
        the region and as close together as their number makes them. The points likewise.

        Args:
            num_sources: Sources.
            num_points: Points.

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
    """What questions are made of.

    Args:
        columns: What the columns of the source tables are.
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
    """The rows one after another, from the first one again when they are used up."""
    return values[np.arange(count) % len(values)].copy()

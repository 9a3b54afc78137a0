"""Batches of whole blocks: which blocks belong to a step, and their values in one piece.

A batch is a pure function of (seed, step), so a training resumes from one integer.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hypermagnetics.data.split import Split

_ORDER, _POINTS = 1, 2
"""What a random stream serves, so that no two share their numbers."""


@dataclass(frozen=True)
class BatchSchedule:
    """Which blocks each step reads.

    The blocks of each epoch come in an order of their own, and the epochs follow each other
    without a gap: step s reads places s n to (s + 1) n - 1 of that endless sequence. Every block,
    and so every sample, comes exactly once an epoch, and no tail is left over.
    """

    num_blocks: int
    blocks_per_batch: int
    seed: int
    num_points: int
    points_per_step: int | None = None
    """Points of the grids that a step looks at; all if None."""

    def blocks(self, step: int) -> tuple[int, ...]:
        """The blocks of one step, counted from 0."""
        first = step * self.blocks_per_batch
        places = range(first, first + self.blocks_per_batch)
        return tuple(
            int(_epoch_order(self.seed, place // self.num_blocks, self.num_blocks)[within])
            for place in places
            for within in (place % self.num_blocks,)
        )

    def points(self, step: int) -> np.ndarray | None:
        """The points of one step, ascending, drawn without replacement; None for all."""
        if self.points_per_step is None or self.points_per_step >= self.num_points:
            return None
        generator = _generator(self.seed, _POINTS, step)
        return np.sort(generator.choice(self.num_points, self.points_per_step, replace=False))


def _generator(seed: int, purpose: int, index: int) -> np.random.Generator:
    words = np.array([seed, purpose << 56 | index], np.uint64)
    return np.random.Generator(np.random.Philox(key=words))


@lru_cache(maxsize=4)
def _epoch_order(seed: int, epoch: int, num_blocks: int) -> np.ndarray:
    return _generator(seed, _ORDER, epoch).permutation(num_blocks)


@dataclass(frozen=True)
class Batch:
    """Some blocks with a leading axis of blocks; all have the same number of samples.

    A block with fewer samples is filled up with zeros; `num_samples` says where they begin.
    Shapes: `sources` (blocks, samples, max_sources, source_size), `num_sources`
    (blocks, samples), `num_samples` (blocks,), `grid` (blocks, points, dim) [m], `potential`
    (blocks, samples, points) [A], `field` (blocks, samples, points, dim) [A/m].
    """

    sources: np.ndarray
    num_sources: np.ndarray
    num_samples: np.ndarray
    grid: np.ndarray
    potential: np.ndarray
    field: np.ndarray


def read_batch(split: Split, blocks: tuple[int, ...], points: np.ndarray | None = None) -> Batch:
    """Gather blocks of a split.

    Args:
        split: Where from.
        blocks: Which blocks, in this order.
        points: Which points of each grid; all if None.

    Returns:
        The batch. One whole block with all its points is a view of the mapped files; anything
        else is copied once.
    """
    rows = split.layout.samples_per_grid
    read = [split.block(block) for block in blocks]
    return Batch(
        sources=_gather([block.sources for block in read], rows),
        num_sources=_gather([block.num_sources for block in read], rows),
        num_samples=np.array([len(block.potential) for block in read], np.int32),
        grid=_gather([block.grid for block in read], split.layout.num_points, points, axis=0),
        potential=_gather([block.potential for block in read], rows, points, axis=1),
        field=_gather([block.field for block in read], rows, points, axis=1),
    )


def _gather(
    parts: list[np.ndarray], rows: int, points: np.ndarray | None = None, axis: int = 0
) -> np.ndarray:
    """Put arrays of up to `rows` rows behind each other, each filled up with zeros."""
    shape = [rows, *parts[0].shape[1:]]
    if points is not None:
        shape[axis] = len(points)
    elif len(parts) == 1 and len(parts[0]) == rows:
        return parts[0][None]
    gathered = np.empty((len(parts), *shape), parts[0].dtype)
    for target, part in zip(gathered, parts, strict=True):
        filled = target[: len(part)]
        if points is None:
            filled[...] = part
        else:
            np.take(part, points, axis=axis, out=filled, mode="clip")
        target[len(filled) :] = 0
    return gathered

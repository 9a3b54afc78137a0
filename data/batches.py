"""Batches of whole blocks: which blocks belong to a step, and their values in one piece.

A batch is a pure function of (seed, step), so a training resumes from one integer.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hypermagnetics.data.dataset import Split
from hypermagnetics.data.layout import ArrayName


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

    def blocks(self, step: int) -> tuple[int, ...]:
        """The blocks of one step, counted from 0."""
        first = step * self.blocks_per_batch
        places = range(first, first + self.blocks_per_batch)
        return tuple(
            int(_epoch_order(self.seed, place // self.num_blocks, self.num_blocks)[within])
            for place in places
            for within in (place % self.num_blocks,)
        )


@lru_cache(maxsize=4)
def _epoch_order(seed: int, epoch: int, num_blocks: int) -> np.ndarray:
    generator = np.random.Generator(np.random.Philox(key=np.array([seed, epoch], np.uint64)))
    return generator.permutation(num_blocks)


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


def read_batch(split: Split, blocks: tuple[int, ...]) -> Batch:
    """Gather blocks of a split.

    Args:
        split: Where from.
        blocks: Which blocks, in this order.

    Returns:
        The batch. One whole block is a view of the mapped files; more are copied once.
    """
    counts = np.array([len(split.layout.block_samples(block)) for block in blocks], np.int32)
    return Batch(
        sources=_gather(split, blocks, "sources"),
        num_sources=_gather(split, blocks, "num_sources"),
        num_samples=counts,
        grid=_gather(split, blocks, "grid"),
        potential=_gather(split, blocks, "potential"),
        field=_gather(split, blocks, "field"),
    )


def _gather(split: Split, blocks: tuple[int, ...], name: ArrayName) -> np.ndarray:
    layout = split.layout
    spec = layout.array(name)
    rows = layout.num_points if name == "grid" else layout.samples_per_grid
    parts: list[np.ndarray] = [getattr(split.block(block), name) for block in blocks]
    if len(parts) == 1 and len(parts[0]) == rows:
        return parts[0][None]
    inner = spec.shape[2:] if name == "grid" else spec.shape[1:]
    gathered = np.empty((len(parts), rows, *inner), spec.dtype)
    for target, part in zip(gathered, parts, strict=True):
        target[: len(part)] = part
        target[len(part) :] = 0
    return gathered

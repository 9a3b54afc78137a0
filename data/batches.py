"""Batches: several blocks in one set of arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hypermagnetics.data.layout import Block
from hypermagnetics.data.split import Split


@dataclass(frozen=True)
class Batch:
    """Several blocks in arrays with a leading axis of blocks, all padded to the same size.

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


def read_batch(
    split: Split, blocks: Sequence[int | None], points: np.ndarray | None = None
) -> Batch:
    """Gather blocks of a split.

    Args:
        split: The split.
        blocks: Numbers of the blocks, in order; None for an empty one.
        points: Points of each grid, (points,) or (blocks, points); all if None.

    Returns:
        The batch. One whole block with all its points is a view of the mapped files; anything
        else is copied once.
    """
    read = iter(split.read([block for block in blocks if block is not None]))
    found = [_EMPTY if block is None else next(read) for block in blocks]
    each: list[np.ndarray] | None = None
    if points is not None:
        each = list(points) if points.ndim == 2 else [points] * len(blocks)
    layout = split.layout
    samples, total = layout.samples_per_grid, layout.num_points
    tables = (samples, layout.max_sources, layout.source_size)
    return Batch(
        sources=_gather([block.sources for block in found], tables),
        num_sources=_gather([block.num_sources for block in found], (samples,), np.int32),
        num_samples=np.array([len(block.num_sources) for block in found], np.int32),
        grid=_gather_points([block.grid for block in found], (total, layout.dim), each, 0),
        potential=_gather_points([block.potential for block in found], (samples, total), each, 1),
        field=_gather_points(
            [block.field for block in found], (samples, total, layout.dim), each, 1
        ),
    )


_NOTHING = np.empty(0, np.float32)
_EMPTY = Block(_NOTHING, _NOTHING, _NOTHING, _NOTHING, _NOTHING)


def _gather(
    parts: list[np.ndarray], shape: tuple[int, ...], dtype: type[np.generic] = np.float32
) -> np.ndarray:
    """Stack arrays, each padded with zeros to a shape."""
    if len(parts) == 1 and parts[0].shape == shape:
        return parts[0][None]
    gathered = np.empty((len(parts), *shape), dtype)
    for target, part in zip(gathered, parts, strict=True):
        if len(part):
            target[: len(part)] = part
        target[len(part) :] = 0
    return gathered


def _gather_points(
    parts: list[np.ndarray], shape: tuple[int, ...], points: list[np.ndarray] | None, axis: int
) -> np.ndarray:
    """Stack arrays as `_gather` does, with some of their points along an axis."""
    if points is None:
        return _gather(parts, shape)
    shape = (*shape[:axis], len(points[0]), *shape[axis + 1 :])
    gathered = np.empty((len(parts), *shape), np.float32)
    for target, part, chosen in zip(gathered, parts, points, strict=True):
        count = shape[0] if axis == 0 and len(part) else len(part)
        if count:
            np.take(part, chosen, axis=axis, out=target[:count], mode="clip")
        target[count:] = 0
    return gathered

"""Values on the maps of the chosen samples."""

from collections.abc import Iterator

import numpy as np

from hypermagnetics.data import Block, Split
from hypermagnetics.errors import SourceError
from hypermagnetics.evaluate.measuring.detail import RANKS, Evaluated, Rank
from hypermagnetics.evaluate.subjects.subject import PointModel
from hypermagnetics.pictures import (
    Drawing,
    draw_plane,
    draw_points,
    equally_long,
    extent,
    one_sample,
    plane_of,
)
from hypermagnetics.sources import SourceColumns

_RESOLUTION = 112
"""Points along a side: enough to see surfaces, and half of the bytes of 160."""


def drawings(evaluated: Evaluated) -> Iterator[tuple[Rank, Drawing | str]]:
    """The chosen samples in a plane; in three dimensions the median one in three planes.

    Args:
        evaluated: The subject, the split, and the numbers of the samples.

    Yields:
        The rank of a sample, and its drawing or a sentence on why there is none.
    """
    model, columns, split = evaluated.subject.model, evaluated.columns, evaluated.split
    blocks = {rank: one_sample(split, evaluated.chosen[rank]) for rank in RANKS}
    if model is None:
        yield from _from_points(evaluated, blocks)
    elif columns.dim == 2:
        yield from _in_the_plane(model, columns, split, blocks)
    else:
        for rank, block in blocks.items():
            low, high = extent(columns, block)
            for across in (2, 1, 0) if rank == "median" else (2,):
                plane = plane_of(columns, block, low, high, across=across, resolution=_RESOLUTION)
                values = model.predict(equally_long(block.sources), plane.points, 1)
                yield rank, draw_plane(plane, columns, block, *values)


def _from_points(
    evaluated: Evaluated, blocks: dict[Rank, Block]
) -> Iterator[tuple[Rank, Drawing | str]]:
    """Drawings from predictions at the points of the samples alone."""
    predict = evaluated.subject.on_split(evaluated.split, 1)
    for rank, block in blocks.items():
        values = predict(block, evaluated.chosen[rank])
        try:
            yield rank, draw_points(*values, evaluated.columns, block, resolution=_RESOLUTION)
        except SourceError as error:
            yield rank, str(error)


def _in_the_plane(
    model: PointModel, columns: SourceColumns, split: Split, blocks: dict[Rank, Block]
) -> Iterator[tuple[Rank, Drawing]]:
    """Drawings of all samples from one prediction at the same points."""
    low, high = _box(split)
    first = next(iter(blocks.values()))
    if (low == high).any():
        low, high = extent(columns, first)
    plane = plane_of(columns, first, low, high, resolution=_RESOLUTION)
    tables = equally_long(np.concatenate([block.sources for block in blocks.values()]))
    potential, field = model.predict(tables, plane.points, len(tables))
    for row, (rank, block) in enumerate(blocks.items()):
        one = slice(row, row + 1)
        yield rank, draw_plane(plane, columns, block, potential[one], field[one])


def _box(split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest coordinates of all points of a split [m]."""
    found = split.statistics("grid")
    return np.asarray(found.min), np.asarray(found.max)

"""Places of points among bodies: region, distance to a surface, and nearest body.

Potentials have a kink, and fields a jump, at every surface; a single number over all points hides
where a model fails.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int, UInt8

from hypermagnetics.data import Block, Dataset
from hypermagnetics.sources import (
    BODIES,
    REGIONS,
    SourceColumns,
    body_size,
    region_of,
    signed_distance,
)

DISTANCES = (-0.5, -0.25, -0.1, -0.03, 0.0, 0.03, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Upper ends of the intervals of signed distance [length units] for errors by distance; the last
interval has none. A surface belongs to the inside."""

_EXTENTS = 20
"""Length units along the longest side of the grid, for datasets of dipoles only."""


@dataclass(frozen=True)
class Places:
    """Region, distance interval and nearest body of each point of each sample."""

    region: UInt8[np.ndarray, "samples points"]
    """Index into `REGIONS`."""
    distance: UInt8[np.ndarray, "samples points"]
    """Index of the interval of `DISTANCES`."""
    body: UInt8[np.ndarray, "samples points"]
    """Index into `BODIES` of the body whose surface is nearest."""


def length_unit(dataset: Dataset, columns: SourceColumns) -> float:
    """The unit of distances to surfaces: the median size of the bodies in a dataset [m].

    A size is a radius, or half the shortest side of a box. Those of the first block of the first
    split count; if it has dipoles only, a twentieth of the longest side of its grid is taken.
    """
    block = dataset.split(dataset.splits[0]).block(0)
    used = np.arange(block.sources.shape[1]) < block.num_sources[:, None]
    sizes = body_size(columns, block.sources[used])
    if sizes.any():
        return float(np.median(sizes[sizes > 0]))
    return float(np.ptp(block.grid, axis=0).max() / _EXTENTS) or 1.0


def places(columns: SourceColumns, block: Block, unit: float) -> Places:
    """Places of the points of a block, from their distances to the surfaces of the bodies.

    Inside: in a body or on its surface, as `superposition` has it. Near: outside all, and at most
    half the size of a body from its surface, the size being the radius, half the shortest side of
    a box, or 0 for a dipole. Beyond: anything else. The surface of a dipole is its position.

    Args:
        columns: Columns of the source tables.
        block: The samples.
        unit: Length unit of the distances [m].

    Returns:
        The places.
    """
    shape = (len(block.sources), len(block.grid))
    region = np.full(shape, REGIONS.index("beyond"), np.uint8)
    nearest = np.full(shape, np.inf, np.float32)
    body = np.zeros(shape, np.uint8)
    # One source of all samples at a time: no array of (samples, sources, points).
    for row in range(block.sources.shape[1]):
        used = block.num_sources > row
        rows = block.sources[used, row]
        gap = signed_distance(columns, rows, block.grid)
        code = region_of(gap, body_size(columns, rows)[:, None])
        region[used] = np.minimum(region[used], code)
        away = np.abs(gap).astype(np.float32)
        closer = away < nearest[used]
        nearest[used] = np.where(closer, away, nearest[used])
        body[used] = np.where(closer, _codes(columns, rows)[:, None], body[used])
    inside = region == REGIONS.index("inside")
    return Places(region, _intervals(np.where(inside, -nearest, nearest), unit), body)


def _codes(
    columns: SourceColumns, rows: Float[np.ndarray, "rows columns"]
) -> UInt8[np.ndarray, " rows"]:
    if columns.has("body"):
        return rows[:, columns.index("body")].astype(np.uint8)
    return np.full(len(rows), BODIES.index(columns.bodies[0]), np.uint8)


def _intervals(
    distance: Float32[np.ndarray, "samples points"], unit: float
) -> UInt8[np.ndarray, "samples points"]:
    ends = np.asarray(DISTANCES, np.float32) * np.float32(unit)
    found: Int[np.ndarray, "samples points"] = np.searchsorted(ends, distance)
    return found.astype(np.uint8)

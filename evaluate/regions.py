"""Where a point lies: inside a body, near one, or beyond.

Potentials have a kink, and fields a jump, at every surface; a single number over all points hides
where a model fails.
"""

import numpy as np
from jaxtyping import Float, Int, UInt8

from hypermagnetics.sources import NEAR, SourceColumns, body_size, signed_distance
from hypermagnetics.sources import REGIONS as REGIONS
from hypermagnetics.sources import RegionName as RegionName


def regions(
    columns: SourceColumns,
    sources: Float[np.ndarray, "samples sources columns"],
    num_sources: Int[np.ndarray, " samples"],
    points: Float[np.ndarray, "points dim"],
) -> UInt8[np.ndarray, "samples points"]:
    """The region of each point, from its distances to the surfaces of the bodies.

    Inside: in a body or on its surface, as `superposition` has it. Near: outside all, and at most
    half the size of a body from its surface, the size being the radius, half the shortest side of
    a box, or 0 for a dipole. Beyond: anything else.

    Args:
        columns: What the columns of `sources` are.
        sources: Source tables.
        num_sources: Rows of each table that are sources.
        points: Points of evaluation [m].

    Returns:
        Indices into `REGIONS`.
    """
    codes = np.full((len(sources), len(points)), REGIONS.index("beyond"), np.uint8)
    # One source of all samples at a time: no array of (samples, sources, points).
    for row in range(sources.shape[1]):
        used = num_sources > row
        rows = sources[used, row]
        gap = signed_distance(columns, rows, points)
        reach = NEAR * body_size(columns, rows)[:, None]
        codes[used] = np.minimum(codes[used], (gap > 0).astype(np.uint8) + (gap > reach))
    return codes

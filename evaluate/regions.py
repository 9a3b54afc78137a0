"""Where a point lies: inside a source, near one, or beyond.

Potentials have a kink, and fields a jump, at every surface; a single number over all points hides
where a model fails.
"""

from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Int, UInt8

RegionName = Literal["inside", "near", "beyond"]
REGIONS: tuple[RegionName, ...] = get_args(RegionName)
"""Names of the regions, in the order of their codes."""

_NEAR = 0.5
"""A point is near when it is within this many radii of a surface."""


def regions(
    sources: Float[np.ndarray, "samples sources columns"],
    num_sources: Int[np.ndarray, " samples"],
    points: Float[np.ndarray, "points dim"],
    radius: float | None,
) -> UInt8[np.ndarray, "samples points"]:
    """The region of each point, from its distance to the nearest surface of a source.

    With d the distance to the nearest centre and R the radius: inside d <= R, near R < d <= 1.5 R,
    beyond otherwise. A point on a surface is inside, as in `hypermagnetics.sources.disc`.

    Args:
        sources: Source tables, rows [moment, position] in [A m] and [m].
        num_sources: Rows of each table that are sources.
        points: Points of evaluation [m].
        radius: R [m]; None for a dipole, which counts as radius 0.

    Returns:
        Indices into `REGIONS`.
    """
    dim = points.shape[1]
    where = points.astype(np.float64).T
    nearest = np.full((len(sources), len(points)), np.inf)
    # One source of all samples at a time: no array of (samples, sources, points).
    for row in range(sources.shape[1]):
        used = num_sources > row
        position = sources[used, row, dim : 2 * dim].astype(np.float64)
        distance = sum(np.square(axis - position[:, i, None]) for i, axis in enumerate(where))
        nearest[used] = np.minimum(nearest[used], distance)
    limits = np.square(np.array([1, 1 + _NEAR]) * (radius or 0.0))
    return np.searchsorted(limits, nearest).astype(np.uint8)

"""Random points on the surfaces of bodies, and close to them."""

import numpy as np
from jaxtyping import Float32, Float64

from hypermagnetics.sources.geometry import Rows, outer_radii, rows_by_kind, shape_of
from hypermagnetics.sources.sampling import directions, whole_numbers
from hypermagnetics.table import SourceColumns

_ROUNDING = 2.0**-22
"""Margin to the requested distance, as a share of the coordinates, so that points are within it
also when rounded to float32, by 2^-24 for each axis."""


def numbers_per_point(dim: int) -> int:
    """Uniform random numbers per point: source, face, place on the surface, offset."""
    return 3 + dim


def points_near_surfaces(
    columns: SourceColumns,
    rows: Rows,
    uniform: Float64[np.ndarray, "points numbers"],
    distance: float | int,
) -> Float32[np.ndarray, "points dim"]:
    """Points within a distance of a surface, on either side of it.

    Each takes a source, all equally probable, a point on its surface, uniformly, and goes from
    there along the normal, as far as the distance at most and uniformly. About a dipole, which has
    no surface, the points are uniform in the ball of that radius.

    Args:
        columns: Columns of `rows`.
        rows: The sources of one sample, no padding.
        uniform: `numbers_per_point` numbers between 0 and 1 for each point.
        distance: Largest distance of a point from a surface [m].

    Returns:
        Points [m].
    """
    dim = columns.dim
    chosen = rows[whole_numbers(uniform[:, 0], len(rows))]
    centres = chosen[:, dim : 2 * dim].astype(np.float64)
    extent = np.abs(centres).max(axis=1) + outer_radii(columns, chosen) + distance
    reach = np.maximum(distance - _ROUNDING * extent, 0)[:, None]
    points = np.empty(centres.shape, np.float32)
    for kind, own, bodies in rows_by_kind(columns, chosen):
        numbers = uniform[own]
        found = kind.surface_point(shape_of(columns, kind, bodies), numbers[:, 1:-1])
        if found is None:
            offset = reach[own] * numbers[:, -1:] ** (1 / dim) * directions(numbers[:, 2 : 2 + dim])
        else:
            place, normal = found
            offset = place + reach[own] * (2 * numbers[:, -1:] - 1) * normal
        points[own] = centres[own] + offset
    return points


def points_on_surfaces(
    columns: SourceColumns, rows: Rows, uniform: Float64[np.ndarray, "points numbers"]
) -> tuple[Float64[np.ndarray, "points dim"], Float64[np.ndarray, "points dim"]]:
    """Points on surfaces, and the outward normals there.

    Each takes a source, all equally probable, and a point on its surface, uniformly.

    Args:
        columns: Columns of `rows`.
        rows: The sources of one sample; at least one, no padding, and no dipoles.
        uniform: `numbers_per_point` - 1 numbers between 0 and 1 for each point.

    Returns:
        Points [m], and unit vectors.
    """
    dim = columns.dim
    chosen = rows[whole_numbers(uniform[:, 0], len(rows))]
    points = chosen[:, dim : 2 * dim].astype(np.float64)
    normals = np.empty_like(points)
    for kind, own, bodies in rows_by_kind(columns, chosen):
        found = kind.surface_point(shape_of(columns, kind, bodies), uniform[own, 1:])
        assert found is not None, "dipoles have no surface"
        place, normals[own] = found
        points[own] += place
    return points, normals

"""Random points on the surfaces of bodies, and close to them."""

from typing import assert_never

import numpy as np
from jaxtyping import Float, Float32, Float64

from hypermagnetics.sources.distributions import directions
from hypermagnetics.sources.extents import Rows, Shape, axes, by_body, outer_radii, shape_of, sides
from hypermagnetics.sources.sampling import whole_numbers
from hypermagnetics.table import BodyName, SourceColumns, form_of

_ROUNDING = 2.0**-22
"""Points keep this share of their coordinates away from the distance asked for, so that they are
within it also when rounded to float32, by 2^-24 for each axis."""


def numbers_per_point(dim: int) -> int:
    """Uniform random numbers that one point takes: source, face, place on the surface, offset."""
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
        columns: What the columns of `rows` are.
        rows: The sources of one sample, no padding.
        uniform: `numbers_per_point` numbers between 0 and 1 for each point.
        distance: How far from a surface a point may be [m].

    Returns:
        Points [m].
    """
    dim = columns.dim
    chosen = rows[whole_numbers(uniform[:, 0], len(rows))]
    centres = chosen[:, dim : 2 * dim].astype(np.float64)
    extent = np.abs(centres).max(axis=1) + outer_radii(columns, chosen) + distance
    reach = np.maximum(distance - _ROUNDING * extent, 0)[:, None]
    points = np.empty(centres.shape, np.float32)
    for body, own in by_body(columns, chosen):
        shape, numbers = shape_of(columns, chosen[own]), uniform[own]
        if (found := _surface_point(body, shape, numbers[:, 1:-1])) is None:
            offset = reach[own] * numbers[:, -1:] ** (1 / dim) * directions(numbers[:, 2 : 2 + dim])
        else:
            place, normal = found
            offset = place + reach[own] * (2 * numbers[:, -1:] - 1) * normal
        points[own] = centres[own] + offset
    return points


def points_on_surfaces(
    columns: SourceColumns, rows: Rows, uniform: Float64[np.ndarray, "points numbers"]
) -> tuple[Float64[np.ndarray, "points dim"], Float64[np.ndarray, "points dim"]]:
    """Points on surfaces, and the normals there, outward.

    Each takes a source, all equally probable, and a point on its surface, uniformly.

    Args:
        columns: What the columns of `rows` are.
        rows: The sources of one sample; at least one, no padding, and no dipoles.
        uniform: `numbers_per_point` - 1 numbers between 0 and 1 for each point.

    Returns:
        Points [m], and unit vectors.
    """
    dim = columns.dim
    chosen = rows[whole_numbers(uniform[:, 0], len(rows))]
    points = chosen[:, dim : 2 * dim].astype(np.float64)
    normals = np.empty_like(points)
    for body, own in by_body(columns, chosen):
        if own.any():
            found = _surface_point(body, shape_of(columns, chosen[own]), uniform[own, 1:])
            assert found is not None, "dipoles have no surface"
            place, normals[own] = found
            points[own] += place
    return points, normals


def _surface_point(
    body: BodyName, shape: Shape, numbers: Float[np.ndarray, "points numbers"]
) -> tuple[Float64[np.ndarray, "points dim"], Float64[np.ndarray, "points dim"]] | None:
    """A point of the surface, seen from the centre, and the normal there; None for a dipole."""
    match form_of(body):
        case "point":
            return None
        case "ball":
            normal = directions(numbers[:, 1:])
            return shape["radius"][:, None] * normal, normal
        case "box":
            return _face_point(shape, numbers)
        case form:
            assert_never(form)


def _face_point(
    shape: Shape, numbers: Float[np.ndarray, "points numbers"]
) -> tuple[Float64[np.ndarray, "points dim"], Float64[np.ndarray, "points dim"]]:
    # A point of the box, moved along one axis to the face on its side of the centre. The area of
    # the faces across an axis is the volume over the side along it.
    lengths = sides(shape)
    inside = numbers[:, 1:] - 0.5
    shares = np.cumsum(1 / lengths, axis=1)
    axis = (numbers[:, :1] * shares[:, -1:] >= shares[:, :-1]).sum(axis=1)
    point, of_face = np.arange(len(axis)), np.zeros_like(inside)
    of_face[point, axis] = np.copysign(1.0, inside[point, axis])
    inside[point, axis] = 0.5 * of_face[point, axis]
    edges = axes(shape)
    return (
        np.einsum("pe,ped->pd", inside * lengths, edges),
        np.einsum("pe,ped->pd", of_face, edges),
    )

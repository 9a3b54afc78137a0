"""How far points are from the surfaces of bodies; by numpy, in float64."""

from typing import assert_never

import numpy as np
from jaxtyping import Float, Float64

from hypermagnetics.sources.extents import Rows, axes, by_body, shape_of, sides
from hypermagnetics.table import SourceColumns, form_of


def signed_distance(
    columns: SourceColumns, rows: Rows, points: Float[np.ndarray, "points dim"]
) -> Float64[np.ndarray, "rows points"]:
    """Distance of each point from the surface of each body, negative inside it.

    |d| for a dipole, |d| - R for a disc or a sphere. For a box with half sides h, in whose frame
    the point is x, |max(q, 0)| + min(max_i q_i, 0) with q_i = |x_i| - h_i.

    Args:
        columns: What the columns of `rows` are.
        rows: One row for each body, no padding. The arrays made are of (rows, points): go through
            a large table in steps.
        points: Points [m].

    Returns:
        Distances [m].

    Examples:
        >>> disc = SourceColumns.of("disc", constants={"radius": 2.0})
        >>> row, points = np.array([[1.0, 0, 0, 0]]), np.array([[0.0, 0], [2, 0], [0, -3]])
        >>> signed_distance(disc, row, points)
        array([[-2.,  0.,  1.]])
    """
    distance = np.empty((len(rows), len(points)))
    where = points.astype(np.float64).T[:, None]
    for body, own in by_body(columns, rows):
        centres = rows[own, columns.dim : 2 * columns.dim].astype(np.float64).T[:, :, None]
        offset = where - centres  # (dim, rows, points)
        shape = shape_of(columns, rows[own])
        match form_of(body):
            case "point":
                distance[own] = _norm(offset)
            case "ball":
                distance[own] = _norm(offset) - shape["radius"][:, None]
            case "box":
                distance[own] = _box_distance(offset, sides(shape), axes(shape))
            case form:
                assert_never(form)
    return distance


def body_size(columns: SourceColumns, rows: Rows) -> Float64[np.ndarray, " rows"]:
    """How large each body is: its radius, half the shortest side of a box, 0 for a dipole.

    Args:
        columns: What the columns of `rows` are.
        rows: One row for each body.

    Returns:
        Sizes [m], the radii of the largest balls inside the bodies.
    """
    size = np.zeros(len(rows))
    for body, own in by_body(columns, rows):
        shape = shape_of(columns, rows[own])
        match form_of(body):
            case "point":
                pass
            case "ball":
                size[own] = shape["radius"]
            case "box":
                size[own] = sides(shape).min(axis=-1) / 2
            case form:
                assert_never(form)
    return size


def box_vertices(
    columns: SourceColumns, row: Float[np.ndarray, " columns"]
) -> Float64[np.ndarray, "corners dim"] | None:
    """The corners of a box; None if the body is none.

    Args:
        columns: What the columns of `row` are.
        row: One row of a source table.

    Returns:
        The corners [m]; that of lower coordinates along the edges first, and the last edge fastest.
    """
    for body, own in by_body(columns, row[None]):
        match form_of(body):
            case "point" | "ball":
                pass
            case "box" if own.any():
                return _corners(columns, row)
            case "box":
                pass
            case form:
                assert_never(form)
    return None


def _corners(
    columns: SourceColumns, row: Float[np.ndarray, " columns"]
) -> Float64[np.ndarray, "corners dim"]:
    dim, shape = columns.dim, shape_of(columns, row[None])
    signs = np.stack(np.meshgrid(*[(-0.5, 0.5)] * dim, indexing="ij"), -1).reshape(-1, dim)
    edges = (axes(shape) * sides(shape)[:, :, None])[0]
    corners: np.ndarray = signs @ edges + row[dim : 2 * dim].astype(np.float64)
    return corners


def _box_distance(
    offset: Float64[np.ndarray, "dim rows points"],
    sides: Float64[np.ndarray, "rows dim"],
    axes: Float64[np.ndarray, "rows dim dim"],
) -> Float64[np.ndarray, "rows points"]:
    beyond = []
    for edge in range(len(offset)):
        along = sum(axes[:, edge, i, None] * part for i, part in enumerate(offset))
        beyond.append(np.abs(along) - sides[:, edge, None] / 2)
    outside = _norm([np.maximum(part, 0) for part in beyond])
    farthest: np.ndarray = np.maximum.reduce(beyond)
    return np.where(farthest > 0, outside, farthest)


def _norm(components: np.ndarray | list[np.ndarray]) -> np.ndarray:
    total = np.square(components[0])
    for part in components[1:]:
        total += np.square(part)
    root: np.ndarray = np.sqrt(total, out=total)
    return root

"""Bodies as lines in a plane: outlines or cuts, and arrows for the moments."""

import numpy as np
from jaxtyping import Bool, Float, Float64

from hypermagnetics.sources import SourceColumns, body_size, vertices

_LONGEST, _SHORTEST = 1.4, 0.6
"""Lengths of the arrows of moments, in sizes of the bodies."""

_CORNERS = 128
"""Corners of the polygon for a circle."""


def bodies_in_plane(
    columns: SourceColumns,
    sources: Float[np.ndarray, "sources columns"],
    height: float | None,
    dipole_size: float,
    across: int = 2,
) -> tuple[tuple[np.ndarray, ...], Float64[np.ndarray, "bodies 2 2"]]:
    """Outlines of bodies, and an arrow along the moment in the middle of each.

    Args:
        columns: Columns of `sources`.
        sources: Rows of the bodies.
        height: Height of the plane [m], where bodies that it does not cut are left out; None in two
            dimensions.
        dipole_size: Size that dipoles are drawn with, and how near to the plane they must be [m].
        across: The coordinate that is `height` everywhere in the plane, 2 for z.

    Returns:
        Polygons (corners, 2), and tails and heads of the arrows [m].
    """
    sizes = body_size(columns, sources)
    drawn_sizes = np.where(sizes > 0, sizes, dipole_size)
    moments = sources[:, : columns.dim].astype(np.float64)
    # Of the arrows the plane sees the components in it.
    along = [axis for axis in range(columns.dim) if axis != across]
    halves = _half_arrows(moments, drawn_sizes, sizes > 0)[:, along]
    outlines, arrows = [], []
    for row, half, size in zip(sources, halves, sizes, strict=True):
        position = row[columns.dim : 2 * columns.dim].astype(np.float64)
        middle = position[along]
        outline = _outline(columns, row, height, across) if size else None
        if outline is not None:
            outlines.append(outline)
            middle = outline.mean(axis=0)
        elif size or (height is not None and abs(position[across] - height) > dipole_size):
            continue
        arrows.append((middle - half, middle + half))
    return tuple(outlines), np.array(arrows).reshape(-1, 2, 2)


def _half_arrows(
    moments: Float64[np.ndarray, "bodies dim"],
    sizes: Float64[np.ndarray, " bodies"],
    extended: Bool[np.ndarray, " bodies"],
) -> Float64[np.ndarray, "bodies dim"]:
    """Half arrows along the moments.

    The arrow of the strongest body, by its moment for its size, is the longest for that size;
    others are shorter as they are weaker, but long enough to show where they point.
    """
    norms = np.maximum(np.linalg.norm(moments, axis=1), np.finfo(np.float32).tiny)
    strength = norms / sizes ** moments.shape[1]
    for kind in (extended, ~extended):  # a dipole is not weaker or stronger than a body
        strength[kind] /= strength[kind].max(initial=0.0) or 1.0
    length = sizes * np.maximum(_LONGEST * strength, _SHORTEST)
    halves: np.ndarray = moments * (length / norms / 2)[:, None]
    return halves


def _outline(
    columns: SourceColumns,
    row: Float[np.ndarray, " columns"],
    height: float | None,
    across: int,
) -> Float64[np.ndarray, "corners 2"] | None:
    """Polygon cut from a body by the plane; None if there is none."""
    corners = vertices(columns, row)
    if corners is not None:
        return _convex_polygon(corners if height is None else _cut(corners, height, across))
    radius, dim = float(body_size(columns, row[None])[0]), columns.dim
    centre = row[dim : 2 * dim].astype(np.float64)
    above = 0.0 if height is None else centre[across] - height
    if abs(above) >= radius:
        return None
    angle = np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    along = [axis for axis in range(dim) if axis != across]
    outline: np.ndarray = centre[along] + np.sqrt(radius**2 - above**2) * circle
    return outline


def _cut(
    corners: Float64[np.ndarray, "8 3"], height: float, across: int
) -> Float64[np.ndarray, "points 2"]:
    """Intersections of the edges of a cuboid with the plane."""
    ends = [(i, i | bit) for i in range(8) for bit in (1, 2, 4) if not i & bit]
    start, end = (corners[list(indices)] for indices in zip(*ends, strict=True))
    first, last = start[:, across] - height, end[:, across] - height
    crosses = (first > 0) != (last > 0)
    share = (first[crosses] / (first - last)[crosses])[:, None]
    crossings = (1 - share) * start[crosses] + share * end[crosses]
    return np.delete(crossings, across, axis=1)


def _convex_polygon(
    points: Float64[np.ndarray, "points 2"],
) -> Float64[np.ndarray, "points 2"] | None:
    """Corners of a convex polygon in their order around it; None if there are fewer than three."""
    if len(points) < 3:
        return None
    away = points - points.mean(axis=0)
    ordered: np.ndarray = points[np.argsort(np.arctan2(away[:, 1], away[:, 0]))]
    return ordered

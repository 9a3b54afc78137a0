"""Overlaps of soft bodies with others; touching ones do not overlap."""

import itertools
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from hypermagnetics.sources.geometry import shape_of
from hypermagnetics.sources.kinds import KINDS, Kind, Shape
from hypermagnetics.table import SourceColumns, is_body

_ROUNDING = 1e-9
"""Depth of an overlap, relative to the smaller body, that is a rounding of bodies that touch."""


class _Placed(NamedTuple):
    kind: Kind
    shape: Shape
    centre: Float64[np.ndarray, " dim"]
    outer: float
    size: float


def overlap_with_soft(
    columns: SourceColumns,
    table: Float64[np.ndarray, "sources columns"],
    is_soft: np.ndarray,
    is_used: np.ndarray,
) -> tuple[int, int] | None:
    """The first soft row that overlaps another body, and the row of that one.

    Args:
        columns: Columns of `table`.
        table: Source table.
        is_soft: Mask of the soft rows.
        is_used: Mask of the rows that are bodies.

    Returns:
        Their numbers; None if there are none.
    """
    dim = columns.dim
    rows = np.flatnonzero(is_used)
    placed = [_placed(columns, table[row]) for row in rows]
    centres = table[rows, dim : 2 * dim]
    outer = np.array([each.outer for each in placed])
    for here in np.flatnonzero(is_soft[rows]):
        distance = np.linalg.norm(centres - centres[here], axis=1)
        for other in np.flatnonzero(distance < outer + outer[here]):
            is_new = other != here and not (is_soft[rows[other]] and other < here)
            if is_new and _overlap(placed[here], placed[other]):
                return int(rows[here]), int(rows[other])
    return None


def _placed(columns: SourceColumns, row: Float64[np.ndarray, " columns"]) -> _Placed:
    (kind,) = (KINDS[body] for body in columns.bodies if is_body(columns, body, row))
    shape = shape_of(columns, kind, row)
    centre = row[columns.dim : 2 * columns.dim]
    return _Placed(kind, shape, centre, float(kind.outer_radius(shape)), float(kind.size(shape)))


def _overlap(first: _Placed, second: _Placed) -> bool:
    if first.kind.is_dipole_outside:
        first, second = second, first
    within = _ROUNDING * (min(first.size, second.size) or first.size)
    if second.kind.is_dipole_outside:  # a ball, or a point
        offset = [np.asarray(part) for part in second.centre - first.centre]
        return bool(first.kind.gap(offset, first.shape) < second.size - within)
    return all(
        _depth(axis, first, second) > within
        for axis in _separating_axes(_edges(first), _edges(second))
    )


def _edges(body: _Placed) -> Float64[np.ndarray, "edges dim"]:
    """Edges of a parallelepiped: the steps of a lattice of one cell."""
    cells = body.kind.cells(body.shape, (1,) * len(body.centre))
    if cells is None:
        raise TypeError(
            "A kind that is no ball must be divided into cells; got "
            f"{body.kind.name}. Implement cells."
        )
    return np.asarray(cells.steps)


def _separating_axes(
    first: Float64[np.ndarray, "edges dim"], second: Float64[np.ndarray, "edges dim"]
) -> list[Float64[np.ndarray, " dim"]]:
    """Directions one of which separates two parallelepipeds, unless they overlap."""
    edges = [edge / np.linalg.norm(edge) for edge in (*first, *second)]
    if len(edges[0]) == 2:
        return [np.array([-edge[1], edge[0]]) for edge in edges]
    normals = [np.cross(a, b) for a, b in itertools.combinations(edges, 2)]
    lengths = [np.linalg.norm(normal) for normal in normals]
    return [n / length for n, length in zip(normals, lengths, strict=True) if length > _ROUNDING]


def _depth(axis: Float64[np.ndarray, " dim"], first: _Placed, second: _Placed) -> float:
    """Length in a direction in which both bodies are."""
    reach = 0.5 * sum(np.abs(_edges(body) @ axis).sum() for body in (first, second))
    return float(reach - abs(axis @ (second.centre - first.centre)))

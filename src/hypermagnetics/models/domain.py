"""The domain of a model: sources and points for which its error is known."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from hypermagnetics.shapes import Points
from hypermagnetics.sources.geometry import by_kind, rows_by_kind, shape_of
from hypermagnetics.sources.kinds import KINDS
from hypermagnetics.table import QUATERNION, SourceColumns, source_rows

_TOLERANCE = 1e-3
"""Tolerated excess over a range, as a share of its width: samples never fill a range."""

Range = tuple[float, float]
"""Least and largest value [m]."""


class Domain(NamedTuple):
    """Ranges of sources and points; whatever lies in all of them is inside."""

    points: tuple[Range, ...]
    """Coordinates of points along each axis."""
    positions: tuple[Range, ...]
    """Positions of sources along each axis."""
    sizes: tuple[tuple[str, Range], ...] = ()
    """Columns of sizes that are limited, with their ranges."""
    largest_extent: float | None = None
    """Largest outer radius of bodies whose field is not that of a dipole outside [m]; None if there
    are none, or none is too large."""

    def far_sources(
        self, columns: SourceColumns, sources: Float[Array, "*samples sources columns"]
    ) -> Bool[Array, "*samples sources"]:
        """Mask of the sources that are outside; by JAX."""
        far = self._far_rows(columns, sources)
        if self.largest_extent is not None:
            is_source = source_rows(columns, sources)
            for kind, is_kind, shape in by_kind(columns, sources, is_source):
                if not kind.is_dipole_outside:
                    far |= is_kind & (kind.outer_radius(shape) > _limit(self.largest_extent))
        found: Array = far & source_rows(columns, sources)
        return found

    def far_points(self, points: Points) -> Bool[Array, " points"]:
        """Mask of the points that are outside; by JAX."""
        found: Array = _leave(points, self.points)
        return found

    def leaves(
        self,
        columns: SourceColumns,
        sources: Float[np.ndarray, "*rows columns"],
        points: Float[np.ndarray, "points dim"],
    ) -> bool:
        """Whether any of some sources or points is outside; arguments as of `left`."""
        return any(self.left(columns, sources, points))

    def left(
        self,
        columns: SourceColumns,
        sources: Float[np.ndarray, "*rows columns"],
        points: Float[np.ndarray, "points dim"],
    ) -> list[bool]:
        """Whether any of some values is outside, for each range that there is; by numpy.

        Args:
            columns: Columns of the sources.
            sources: Source tables, or rows of them.
            points: Points [m].

        Returns:
            For positions, for sizes and for extents, if they are limited, and for points.
        """
        rows, dim = sources.reshape(-1, columns.size), columns.dim
        rows = rows[source_rows(columns, rows)]
        found = [_leave(rows[:, dim : 2 * dim], self.positions)]
        if self.sizes:
            found.append(self._sizes_leave(columns, rows))
        if self.largest_extent is not None:
            found.append(_extents(columns, rows) > _limit(self.largest_extent))
        return [bool(each.any()) for each in (*found, _leave(points, self.points))]

    def _sizes_leave(self, columns: SourceColumns, rows: Any) -> Any:
        indices = [columns.index(name) for name, _ in self.sizes]
        return _leave(rows[..., indices], tuple(each for _, each in self.sizes))

    def _far_rows(self, columns: SourceColumns, rows: Any) -> Any:
        """Mask of the rows whose position or size is out of range."""
        dim = columns.dim
        far = _leave(rows[..., dim : 2 * dim], self.positions)
        return far | self._sizes_leave(columns, rows) if self.sizes else far


def largest_extent(columns: SourceColumns, ranges: tuple[Range, ...]) -> float | None:
    """Largest outer radius of bodies whose field is not that of a dipole outside [m].

    Args:
        columns: Columns of the sources.
        ranges: Range of each column.

    Returns:
        The radius; None if there are no such bodies.
    """
    if all(KINDS[body].is_dipole_outside for body in columns.bodies):
        return None
    rows = np.tile([high for _, high in ranges], (len(columns.bodies), 1)).astype(np.float64)
    for name in QUATERNION:
        if columns.has(name):
            rows[:, columns.index(name)] = float(name == QUATERNION[0])
    if columns.has("body"):
        rows[:, columns.index("body")] = columns.codes
    return float(np.max(_extents(columns, rows)))


def _extents(
    columns: SourceColumns, rows: Float[np.ndarray, "rows columns"]
) -> Float[np.ndarray, " rows"]:
    """Outer radii of bodies whose field is not that of a dipole outside [m]; 0 of others."""
    found = np.zeros(len(rows))
    for kind, own, bodies in rows_by_kind(columns, rows):
        if not kind.is_dipole_outside:
            found[own] = kind.outer_radius(shape_of(columns, kind, bodies))
    return found


def _limit(extent: float) -> float:
    return extent * (1 + _TOLERANCE)


def _leave(values: Any, ranges: tuple[Range, ...]) -> Any:
    """Mask of the rows with a value outside its range."""
    low, high = np.array(ranges, np.float64).reshape(-1, 2).T
    slack = _TOLERANCE * (high - low)
    if isinstance(values, np.ndarray):
        return ((values < low - slack) | (values > high + slack)).any(axis=-1)
    axes = (*(1,) * (values.ndim - 1), -1)
    least, most = (
        jnp.asarray(each.reshape(axes), values.dtype) for each in (low - slack, high + slack)
    )
    return ((values < least) | (values > most)).any(axis=-1)

"""The domain of a model: sources and points for which its error is known."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from hypermagnetics.shapes import Points
from hypermagnetics.sources.geometry import by_kind, rows_by_kind, shape_of
from hypermagnetics.table import SourceColumns, source_rows

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
    largest_extent: float = 0.0
    """Largest outer radius of bodies whose field is not that of a dipole outside [m]; 0 if it is
    not limited."""

    def far_sources(
        self, columns: SourceColumns, sources: Float[Array, "*samples sources columns"]
    ) -> Bool[Array, "*samples sources"]:
        """Mask of the sources that are outside; by JAX."""
        far = self._far_rows(columns, sources)
        if self.largest_extent:
            is_source = source_rows(sources, columns.dim)
            for kind, is_kind, shape in by_kind(columns, sources, is_source):
                if not kind.is_dipole_outside:
                    far |= is_kind & (kind.outer_radius(shape) > self._extent_limit)
        found: Array = far & source_rows(sources, columns.dim)
        return found

    def far_points(self, points: Points) -> Bool[Array, " points"]:
        """Mask of the points that are outside; by JAX or numpy."""
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
        rows = rows[source_rows(rows, dim)]
        found = [_leave(rows[:, dim : 2 * dim], self.positions)]
        if self.sizes:
            found.append(self._sizes_leave(columns, rows))
        reaches_out = self._reaches_out(columns, rows) if self.largest_extent else []
        return [
            *(bool(each.any()) for each in found),
            *reaches_out,
            bool(_leave(points, self.points).any()),
        ]

    def _sizes_leave(self, columns: SourceColumns, rows: Any) -> Any:
        indices = [columns.index(name) for name, _ in self.sizes]
        return _leave(rows[..., indices], tuple(each for _, each in self.sizes))

    def _reaches_out(
        self, columns: SourceColumns, rows: Float[np.ndarray, "rows columns"]
    ) -> list[bool]:
        radii = [
            kind.outer_radius(shape_of(columns, kind, own))
            for kind, _, own in rows_by_kind(columns, rows)
            if not kind.is_dipole_outside
        ]
        return [any(float(np.max(each)) > self._extent_limit for each in radii)]

    @property
    def _extent_limit(self) -> float:
        return self.largest_extent * (1 + _TOLERANCE)

    def _far_rows(self, columns: SourceColumns, rows: Any) -> Any:
        """Mask of the rows whose position or size is out of range."""
        dim = columns.dim
        far = _leave(rows[..., dim : 2 * dim], self.positions)
        return far | self._sizes_leave(columns, rows) if self.sizes else far


def largest_extent(columns: SourceColumns, ranges: tuple[Range, ...]) -> float:
    """Largest outer radius of bodies whose field is not that of a dipole outside [m].

    Args:
        columns: Columns of the sources.
        ranges: Range of each column.
    """
    row = np.array([high for _, high in ranges], np.float64)[None]
    if columns.has("rotation_w"):
        for name in ("rotation_w", "rotation_x", "rotation_y", "rotation_z"):
            row[0, columns.index(name)] = float(name == "rotation_w")
    found = 0.0
    for body, code in zip(columns.bodies, columns.codes or (0,), strict=True):
        if columns.has("body"):
            row[0, columns.index("body")] = code
        for kind, _, own in rows_by_kind(columns, row):
            if kind.name == body and not kind.is_dipole_outside:
                found = max(found, float(np.max(kind.outer_radius(shape_of(columns, kind, own)))))
    return found


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

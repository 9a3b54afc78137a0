"""The domain of a model: sources and points for which its error is known."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from hypermagnetics.shapes import Points
from hypermagnetics.sources.geometry import by_kind, rows_by_kind, shape_of
from hypermagnetics.sources.kinds import KINDS
from hypermagnetics.table import BodyName, SourceColumns, source_rows

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
    radii: tuple[tuple[BodyName, float], ...] = ()
    """Bodies whose outer radius is limited, with the largest [m]."""

    def far_sources(
        self, columns: SourceColumns, sources: Float[Array, "*samples sources columns"]
    ) -> Bool[Array, "*samples sources"]:
        """Mask of the sources that are outside; by JAX."""
        far = self._far_rows(columns, sources)
        if self.radii:
            largest = dict(self.radii)
            is_source = source_rows(columns, sources)
            for kind, is_kind, shape in by_kind(columns, sources, is_source):
                if kind.name in largest:
                    far |= is_kind & (kind.outer_radius(shape) > _limit(largest[kind.name]))
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
            For positions, for sizes and for radii, if they are limited, and for points.
        """
        rows, dim = sources.reshape(-1, columns.size), columns.dim
        rows = rows[source_rows(columns, rows)]
        found = [_leave(rows[:, dim : 2 * dim], self.positions)]
        if self.sizes:
            found.append(self._sizes_leave(columns, rows))
        if self.radii:
            found.append(self._radii_leave(columns, rows))
        return [bool(each.any()) for each in (*found, _leave(points, self.points))]

    def _sizes_leave(self, columns: SourceColumns, rows: Any) -> Any:
        indices = [columns.index(name) for name, _ in self.sizes]
        return _leave(rows[..., indices], tuple(each for _, each in self.sizes))

    def _radii_leave(
        self, columns: SourceColumns, rows: Float[np.ndarray, "rows columns"]
    ) -> Bool[np.ndarray, " rows"]:
        largest, found = dict(self.radii), np.zeros(len(rows), bool)
        for kind, own, bodies in rows_by_kind(columns, rows):
            if kind.name in largest:
                radii = kind.outer_radius(shape_of(columns, kind, bodies))
                found[own] = radii > _limit(largest[kind.name])
        return found

    def _far_rows(self, columns: SourceColumns, rows: Any) -> Any:
        """Mask of the rows whose position or size is out of range."""
        dim = columns.dim
        far = _leave(rows[..., dim : 2 * dim], self.positions)
        return far | self._sizes_leave(columns, rows) if self.sizes else far


def largest_radii(
    columns: SourceColumns, ranges: tuple[Range, ...] | None, spread: float
) -> dict[BodyName, float]:
    """Largest outer radius of each body but dipoles, in a model of dipoles that are balls [m].

    The error of such a model is relative to the field of the ball over which a dipole is spread.
    The own field of a larger ball of the same moment is weaker, and the error stays what it is.

    Args:
        columns: Columns of the sources.
        ranges: Range of each column in training; None if there is none.
        spread: Radius of the ball over which a dipole is spread [m].

    Returns:
        The radii: of discs and spheres that of the ball, or that of training if it is larger; of
        other bodies that of training, if there is one.
    """
    found: dict[BodyName, float] = {}
    rows = None if ranges is None else np.array([[high for _, high in ranges]], np.float64)
    for kind in (KINDS[body] for body in columns.bodies):
        if kind.is_point:
            continue
        if rows is not None:
            found[kind.name] = float(np.max(kind.outer_radius(shape_of(columns, kind, rows))))
        if kind.is_dipole_outside:
            found[kind.name] = max(found.get(kind.name, 0.0), spread)
    return found


def _limit(radius: float) -> float:
    return radius * (1 + _TOLERANCE)


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

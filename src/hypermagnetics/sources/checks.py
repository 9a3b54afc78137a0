"""Checks of source tables and points."""

import jax
import numpy as np
from jaxtyping import Array, Int, Shaped

from hypermagnetics.errors import SourceError
from hypermagnetics.table import (
    BODIES,
    QUATERNION,
    SHAPES,
    SIZES,
    UNIT_TOLERANCE,
    BodyName,
    SourceColumns,
)

_AnyArray = Shaped[Array, "..."] | Shaped[np.ndarray, "..."]


def refuse_bad_points(points: _AnyArray, dim: int) -> None:
    """Refuse points that are not rows of `dim` coordinates.

    Args:
        points: Points of evaluation [m].
        dim: Space dimension of the sources.

    Raises:
        SourceError: If they are not.
    """
    if points.ndim != 2 or points.shape[1] != dim:
        raise SourceError(
            f"Points must have shape (num_points, {dim}), as the sources are in {dim} dimensions; "
            f"got {points.shape}. Give one row of coordinates for each point."
        )


def refuse_bad_rows(
    columns: SourceColumns, sources: _AnyArray, num_sources: Int[Array, ""] | int | None = None
) -> None:
    """Refuse a source table with a row that is not a source.

    Args:
        columns: Columns of the table.
        sources: One source table.
        num_sources: Number of rows that are sources; all if None.

    Raises:
        SourceError: With the first row that is not a source. Inside a transformation of JAX only
            the shape can be seen.
    """
    if sources.ndim != 2 or sources.shape[1] != columns.size:
        raise SourceError(
            f"A source table must have {columns.size} columns, {', '.join(columns.names)}; got "
            f"shape {sources.shape}. Give one row for each source."
        )
    if isinstance(sources, jax.core.Tracer) or isinstance(num_sources, jax.core.Tracer):
        return
    table = np.asarray(sources)[: None if num_sources is None else int(num_sources)]
    for row, column in np.argwhere(~np.isfinite(table))[:1]:
        raise SourceError(
            f"{columns.names[column]} must be finite; got {table[row, column]} (source {row}). "
            "Mend that row."
        )
    for body in columns.bodies:
        _refuse_bad_shapes(columns, body, table)
    if columns.has("body"):
        codes = table[:, columns.index("body")]
        known = [BODIES.index(body) for body in columns.bodies]
        for row in np.flatnonzero(~np.isin(codes, known))[:1]:
            raise SourceError(
                f"body must be one of {known}, the codes of {', '.join(columns.bodies)}; got "
                f"{codes[row]:g} (source {row}). Mend that row."
            )


def _refuse_bad_shapes(columns: SourceColumns, body: BodyName, table: np.ndarray) -> None:
    rows = np.arange(len(table))
    if columns.has("body"):
        rows = np.flatnonzero(table[:, columns.index("body")] == BODIES.index(body))
    for name in SHAPES[body]:
        if name in SIZES and columns.has(name):
            sizes = table[rows, columns.index(name)]
            for i in np.flatnonzero(~(sizes > 0))[:1]:
                raise SourceError(
                    f"{name} must be greater than 0; got {sizes[i]} (source {rows[i]}). Give the "
                    "full size in metres; a body without extent is a dipole."
                )
    if "rotation_w" in SHAPES[body] and columns.has("rotation_w"):
        quaternions = table[rows][:, [columns.index(name) for name in QUATERNION]]
        norms = np.linalg.norm(quaternions.astype(np.float64), axis=1)
        for i in np.flatnonzero(np.abs(norms - 1) > UNIT_TOLERANCE)[:1]:
            raise SourceError(
                f"A rotation must be a quaternion of norm 1; got norm {norms[i]:.6g} "
                f"(source {rows[i]}). Divide it by its norm."
            )

"""Checks of source tables and points.

One rule holds wherever rows come in. Rows that have values are looked at, and the first that is no
source is refused. Inside a transformation of JAX, as under `jit`, nothing can be refused: there a
row that is no source, and is no padding, makes the values NaN.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Shaped

from hypermagnetics.errors import SourceError
from hypermagnetics.sources.kinds import KINDS
from hypermagnetics.table import (
    QUATERNION,
    SHAPES,
    SIZES,
    UNIT_TOLERANCE,
    SourceColumns,
    is_body,
    source_rows,
)

_AnyArray = Shaped[Array, "..."] | Shaped[np.ndarray, "..."]


def refuse_bad_points(points: _AnyArray, dim: int, num_blocks: int | None = None) -> None:
    """Refuse points that are not rows of `dim` coordinates.

    Args:
        points: Points of evaluation [m].
        dim: Space dimension of the sources.
        num_blocks: Number of blocks, whose axis comes first; no such axis if None.

    Raises:
        SourceError: If they are not.
    """
    blocks = () if num_blocks is None else (num_blocks,)
    if (*points.shape[:-2], points.shape[-1:]) != (*blocks, (dim,)) or points.ndim < 2:
        shape = ", ".join(map(str, (*blocks, "num_points", dim)))
        raise SourceError(
            f"Points must have shape ({shape}), as the sources are in {dim} dimensions; "
            f"got {points.shape}. Give one row of coordinates for each point."
        )


def refuse_bad_rows(
    columns: SourceColumns, sources: _AnyArray, num_sources: _AnyArray | int | None = None
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
    refuse_bad_shape(columns, sources, ("source",))
    if has_values(sources, num_sources):
        rows = None if num_sources is None else int(jax.device_get(num_sources))
        table = jax.device_get(sources)[:rows]
        _refuse_broken(columns, table, lambda row: f"source {row}")


def refuse_bad_tables(
    columns: SourceColumns,
    sources: _AnyArray,
    axes: tuple[str, ...] = ("source",),
    num_sources: _AnyArray | None = None,
) -> None:
    """Refuse source tables with padding, if another row is not a source.

    Args:
        columns: Columns of the tables.
        sources: One or several source tables.
        axes: Names of the axes before that of the columns, in the singular.
        num_sources: Number of rows of each sample that are sources; rows of any moment if None.

    Raises:
        SourceError: As `refuse_bad_rows`.
    """
    refuse_bad_shape(columns, sources, axes)
    if not has_values(sources, num_sources):
        return
    tables = jax.device_get(sources)
    if num_sources is None:
        used = source_rows(columns, tables)
    else:
        used = np.arange(tables.shape[-2]) < jax.device_get(num_sources)[..., None]
    refuse_broken_rows(columns, tables, used, axes)


def refuse_broken_rows(
    columns: SourceColumns,
    tables: np.ndarray,
    used: np.ndarray,
    axes: tuple[str, ...] = ("source",),
) -> None:
    """Refuse rows in use that are no source.

    Args:
        columns: Columns of the tables.
        tables: One or several source tables.
        used: Mask of the rows in use.
        axes: Names of the axes before that of the columns, in the singular.

    Raises:
        SourceError: With the first row that is not a source.
    """
    _refuse_broken(columns, tables[used], partial(_place, axes, used))


def refuse_bad_shape(columns: SourceColumns, sources: _AnyArray, axes: tuple[str, ...]) -> None:
    """Refuse arrays that are not source tables of these columns.

    Args:
        columns: Columns of the tables.
        sources: One or several source tables.
        axes: Names of the axes before that of the columns, in the singular.

    Raises:
        SourceError: If they are not.
    """
    if sources.ndim != len(axes) + 1 or sources.shape[-1] != columns.size:
        what = "A source table" if len(axes) == 1 else f"Source tables of {axes[0]}s"
        raise SourceError(
            f"{what} must have {columns.size} columns, {', '.join(columns.names)}; got shape "
            f"{sources.shape}. Give an array ({', '.join(f'{axis}s' for axis in axes)}, columns)."
        )


def marked(columns: SourceColumns, rows: _AnyArray) -> Any:
    """The rows; inside a transformation of JAX with NaN for the moment of each that is no source.

    Args:
        columns: Columns of `rows`.
        rows: Source tables, or rows of them.

    Returns:
        The rows, of the same shape. Rows of no moment are padding, and stay.
    """
    if not isinstance(rows, jax.core.Tracer):
        return rows
    broken = source_rows(columns, rows) & broken_rows(columns, rows)
    moments = jnp.where(broken[..., None], jnp.nan, rows[..., : columns.dim])
    found: Array = rows.at[..., : columns.dim].set(moments)
    if columns.has("body"):
        # Of a body that the table has, or no kind would count the row.
        code = columns.index("body")
        found = found.at[..., code].set(jnp.where(broken, columns.codes[0], rows[..., code]))
    return found


def broken_rows(columns: SourceColumns, rows: _AnyArray) -> Any:
    """Mask of the rows that are no source, padding among them.

    Args:
        columns: Columns of `rows`.
        rows: Source tables, or rows of them, of JAX.

    Returns:
        Booleans.
    """
    return jnp.stack([rule.broken for rule in _rules(columns, rows)]).any(axis=0)


def has_values(*arrays: object) -> bool:
    """Whether no array is inside a transformation of JAX, which knows its shape alone."""
    return not any(isinstance(array, jax.core.Tracer) for array in arrays)


class _Rule(NamedTuple):
    """A rule that rows must keep."""

    broken: Any
    """Mask of the rows that break it, of numpy or of JAX as they are."""
    message: Callable[[np.ndarray, str], str]
    """The message, made of such a row and its place."""


def _rules(columns: SourceColumns, rows: Any) -> Iterator[_Rule]:
    space = rows.__array_namespace__()
    yield _Rule(~space.isfinite(rows).all(axis=-1), lambda row, at: _not_finite(columns, row, at))
    for name in (name for name in SIZES if columns.has(name)):
        index = columns.index(name)
        own = space.zeros(rows.shape[:-1], bool)
        for body in (body for body in columns.bodies if name in SHAPES[body]):
            own = own | is_body(columns, body, rows)
        yield _Rule(
            own & ~(rows[..., index] > 0),
            partial(_no_size, name, index),
        )
    if columns.has("rotation_w"):
        quaternion = [columns.index(name) for name in QUATERNION]
        own = space.zeros(rows.shape[:-1], bool)
        for body in (body for body in columns.bodies if "rotation_w" in SHAPES[body]):
            own = own | is_body(columns, body, rows)
        norms = sum(rows[..., index] ** 2 for index in quaternion) ** 0.5
        # The closed forms divide by the norm. Under a gradient, whose steps leave the unit sphere,
        # any quaternion but 0 is a rotation; one that comes from elsewhere is most likely a slip.
        is_rotation = norms > 0 if not has_values(rows) else abs(norms - 1) <= UNIT_TOLERANCE
        yield _Rule(
            own & ~is_rotation,
            lambda row, at: (
                "A rotation must be a quaternion of norm 1; got norm "
                f"{np.linalg.norm(row[quaternion].astype(np.float64)):.6g} ({at}). Divide it by "
                "its norm."
            ),
        )
    if columns.is_soft:
        index = columns.index("susceptibility")
        yield _Rule(
            ~(rows[..., index] > -1),
            lambda row, at: (
                f"susceptibility must be greater than -1, that of a superconductor; got "
                f"{row[index]} ({at}). Give chi of M = chi H, 0 for a hard magnet."
            ),
        )
        points = space.zeros(rows.shape[:-1], bool)
        for body in (body for body in columns.bodies if KINDS[body].is_point):
            points = points | is_body(columns, body, rows)
        yield _Rule(
            points & (rows[..., index] != 0),
            lambda row, at: (
                f"susceptibility must be 0 for a body without a volume; got {row[index]} ({at}). "
                "Take a body with a size."
            ),
        )
    if columns.has("body"):
        known = False
        for code in columns.codes:
            known = known | (rows[..., columns.index("body")] == code)
        yield _Rule(
            ~known,
            lambda row, at: (
                f"body must be one of {[*columns.codes]}, the codes of "
                f"{', '.join(columns.bodies)}; got {row[columns.index('body')]:g} ({at}). Mend "
                "that row."
            ),
        )


def _place(axes: tuple[str, ...], used: np.ndarray, row: int) -> str:
    """The place of one of the rows in use."""
    numbers = np.argwhere(used)[row]
    return ", ".join(f"{axis} {number}" for axis, number in zip(axes, numbers, strict=True))


def _not_finite(columns: SourceColumns, row: np.ndarray, at: str) -> str:
    column = int(np.argmin(np.isfinite(row)))
    return f"{columns.names[column]} must be finite; got {row[column]} ({at}). Mend that row."


def _no_size(name: str, column: int, row: np.ndarray, at: str) -> str:
    return (
        f"{name} must be greater than 0; got {row[column]} ({at}). Give the full size in metres; "
        "a body without extent is a dipole."
    )


def _refuse_broken(columns: SourceColumns, table: np.ndarray, place: Callable[[int], str]) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        for rule in _rules(columns, table.astype(np.float64)):
            for row in np.flatnonzero(rule.broken)[:1]:
                raise SourceError(rule.message(table[row], place(int(row))))

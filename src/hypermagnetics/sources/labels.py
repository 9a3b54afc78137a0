"""Labels of stored inputs: exact sums in float64 of float32 inputs, rounded to float32."""

from collections.abc import Callable
from functools import cache, partial
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int

from hypermagnetics.arrays import Numbers, real_array
from hypermagnetics.few_sizes import placed
from hypermagnetics.sources.arguments import counts
from hypermagnetics.sources.checks import refuse_bad_points, refuse_bad_shape, refuse_bad_tables
from hypermagnetics.sources.directions import Directions, block_derivative
from hypermagnetics.sources.sums import Platform, sums_platform
from hypermagnetics.sources.superposition import block_sum
from hypermagnetics.table import SourceColumns

Quantity = Literal["potential", "field"]


def labels(
    columns: SourceColumns,
    sources: Numbers,
    num_sources: Int[np.ndarray, " samples"],
    grid: Numbers,
) -> tuple[Float32[Array, "samples points"], Float32[Array, "samples points dim"]]:
    """Labels of stored inputs, computed in float64 and rounded to float32.

    Whatever float type JAX is set to; nothing of that changes.

    Args:
        columns: Columns of `sources`.
        sources: Source tables as stored.
        num_sources: Rows in use.
        grid: Points as stored [m].

    Returns:
        Potential [A] and field [A/m].

    Raises:
        SourceError: As `superposition`.
    """
    tables, points = real_array(sources, "Sources"), real_array(grid, "The grid")
    refuse_bad_points(points, columns.dim)
    refuse_bad_shape(columns, tables, ("sample", "source"))
    rows = counts(num_sources, tables.shape[:1], most=tables.shape[1])
    refuse_bad_tables(columns, tables, ("sample", "source"), rows)
    with jax.enable_x64(True):
        potential, field = _compiled(sums_platform())(columns, *map(placed, (tables, rows, points)))
    return potential, field


def derivative_labels(
    columns: SourceColumns,
    sources: Numbers,
    changes: Numbers,
    grid: Numbers,
    num_sources: Int[np.ndarray, " samples"] | None = None,
) -> tuple[Float32[Array, "samples points"], Float32[Array, "samples points dim"]]:
    """Derivatives of `labels` as the bodies change, computed in float64 and rounded to float32.

    Args:
        columns: Columns of `sources`.
        sources: Source tables as stored.
        changes: Change of each entry of the tables, in its unit.
        grid: Points as stored [m].
        num_sources: Rows in use, those of zero moment too; if None, these are padding.

    Returns:
        Change of the potential [A], and of the field [A/m], to first order.

    Raises:
        SourceError: As `superposition`.
    """
    tables, points = real_array(sources, "Sources"), real_array(grid, "The grid")
    refuse_bad_points(points, columns.dim)
    refuse_bad_shape(columns, tables, ("sample", "source"))
    rows = None if num_sources is None else counts(num_sources, tables.shape[:1], tables.shape[1])
    refuse_bad_tables(columns, tables, ("sample", "source"), rows)
    with jax.enable_x64(True):
        arguments = map(placed, (tables, real_array(changes, "Changes"), points))
        used = None if rows is None else placed(rows)
        potential, field = _derivative(columns, *arguments, used)
    return potential, field


def jacobian_labels(
    columns: SourceColumns,
    names: tuple[str, ...],
    of: Quantity,
    sources: Numbers,
    num_sources: Int[np.ndarray, " samples"],
    grid: Numbers,
) -> Float32[np.ndarray, "samples points *axis parameters"]:
    """Derivatives of `labels` by some columns of each source, in the units of the columns.

    Args:
        columns: Columns of `sources`.
        names: Columns by which is differentiated; a quaternion counts as three small rotations
            about the axes of space [rad].
        of: "potential" or "field".
        sources: Source tables as stored.
        num_sources: Rows in use; the derivatives of all others are 0.
        grid: Points as stored [m].

    Returns:
        The derivatives, source by source along the last axis, computed in float64.

    Raises:
        SourceError: As `superposition`.
    """
    along = Directions(columns, names, moment=1.0, length=1.0)
    tables = real_array(sources, "Sources")
    rows = counts(num_sources, tables.shape[:1], most=tables.shape[1])
    # Rows of zero moment do not change, as padding; but a source of zero moment can gain one.
    used = np.arange(tables.shape[1]) < np.asarray(rows)[:, None]
    marked = np.array(tables)
    marked[..., : columns.dim] = used[..., None]
    with jax.enable_x64(True):
        changes = np.asarray(along.single(placed(marked)))
    parts = [derivative_labels(columns, tables, change, grid, rows) for change in changes]
    found: np.ndarray = np.stack([np.asarray(part[of == "field"]) for part in parts], axis=-1)
    return found


@partial(jax.jit, static_argnames="columns")
def _derivative(
    columns: SourceColumns, sources: Array, changes: Array, grid: Array, num_sources: Array | None
) -> tuple[Array, Array]:
    tables, moved, points = (array.astype(jnp.float64) for array in (sources, changes, grid))
    potential, field = block_derivative(columns, tables, moved, points, num_sources)
    return potential.astype(jnp.float32), field.astype(jnp.float32)


@cache
def _compiled(platform: Platform) -> Callable[..., tuple[Array, Array]]:
    # By default XLA uses half the width of the vectors that the processor has, because few programs
    # gain from the whole. This one does: cuboids take half the time.
    return jax.jit(
        _rounded,
        static_argnames="columns",
        compiler_options={"xla_cpu_prefer_vector_width": 512} if platform == "cpu" else None,
    )


def _rounded(
    columns: SourceColumns, sources: Array, num_sources: Array, grid: Array
) -> tuple[Array, Array]:
    potential, field = block_sum(
        columns,
        sources,
        num_sources,
        grid,
        dtype=jnp.dtype(jnp.float32),
        sum_dtype=jnp.dtype(jnp.float64),
    )
    return potential, field

"""The exact potential and field of many sources: their sum, in bounded memory."""

import functools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from hypermagnetics.arrays import Numbers
from hypermagnetics.few_sizes import filled, first_rows, placed
from hypermagnetics.grids import components
from hypermagnetics.shapes import (
    BlockField,
    BlockPotential,
    Field,
    NumSources,
    Points,
    Potential,
    SourceTable,
    SourceTables,
)
from hypermagnetics.sources.arguments import counts, float_arrays, in_type_of, widest
from hypermagnetics.sources.checks import (
    has_values,
    marked,
    refuse_bad_points,
    refuse_bad_rows,
    refuse_bad_shape,
    refuse_bad_tables,
)
from hypermagnetics.sources.geometry import by_kind, rounding_unit
from hypermagnetics.sources.kinds import KINDS
from hypermagnetics.sources.kinds.rounding import rounding_of
from hypermagnetics.sources.sums import over_point_tiles, over_samples, reduced, sums_platform
from hypermagnetics.sources.values import Components, Values
from hypermagnetics.table import SourceColumns, refuse_soft

_Part = Callable[[tuple[Potential, Field]], Any]
"""Potential, field or both of the two."""


def superposition(
    columns: SourceColumns,
    sources: Numbers,
    points: Numbers,
    num_sources: Int[Array, ""] | int | None = None,
) -> tuple[Potential, Field]:
    """Potential and field of one configuration, summed over its sources.

    phi(r) = sum_s phi_s(r - r_s). Only (points,)-sized arrays are made, whatever the number of
    sources. The sum is computed in the wider float type of the two arrays, also in float64 where
    JAX is not set to it; there the values have the type of the sources. Numbers of Python and
    whole numbers have JAX's default type. The derivatives of one part alone compile sooner where
    `jax.jit` returns it: eagerly `jax.grad` has those of both compiled.

    Args:
        columns: Columns of `sources`.
        sources: Source table; moments in [A m] in two dimensions and [A m²] in three, lengths in
            [m].
        points: Points of evaluation [m].
        num_sources: Number of rows that are sources; later rows are padding. All rows if None.

    Returns:
        Potential [A] at each point, and field [A/m].

    Raises:
        SourceError: If a row is no source: not finite, of no size, of an unknown body, or with a
            quaternion that is not of norm 1; if bodies are soft, whose fields do not add up; or if
            the points are of another dimension. Inside a transformation of JAX, as under `jit`, a
            row that is no source and has a moment makes all values NaN instead.
    """
    found: tuple[Potential, Field] = _of_part(_both, columns, sources, points, num_sources)
    return found


def potential_of(columns: SourceColumns, sources: Numbers, points: Numbers) -> Potential:
    """The potential of `superposition`, whose derivatives are compiled without those of the field.

    Args:
        columns: Columns of `sources`.
        sources: As in `superposition`.
        points: Points of evaluation [m].

    Returns:
        Potential [A] at each point.

    Raises:
        SourceError: As `superposition`.
    """
    found: Potential = _of_part(_potential, columns, sources, points)
    return found


def field_of(columns: SourceColumns, sources: Numbers, points: Numbers) -> Field:
    """The field of `superposition`, whose derivatives are compiled without those of the potential.

    Args:
        columns: Columns of `sources`.
        sources: As in `superposition`.
        points: Points of evaluation [m].

    Returns:
        Field [A/m] at each point.

    Raises:
        SourceError: As `superposition`.
    """
    found: Field = _of_part(_field, columns, sources, points)
    return found


def _of_part(
    part: _Part,
    columns: SourceColumns,
    sources: Numbers,
    points: Numbers,
    num_sources: Int[Array, ""] | int | None = None,
) -> Any:
    """Checks of `superposition`, and the part of its values."""
    table, where = float_arrays(sources=sources, points=points)
    refuse_bad_points(where, columns.dim)
    refuse_bad_shape(columns, table, ("source",))
    # The rows that are filled in are padding, in a table that says how many are sources.
    count = counts(len(table) if num_sources is None else num_sources, (), most=len(table))
    refuse_bad_rows(columns, table, count)
    with widest(table, where):
        rows, at = filled(marked(columns, table), where, count)
        # Eagerly one compiled program serves both parts. Under a transformation the requested part
        # has its own, as JAX would compile the derivatives of the other one, too.
        if has_values(rows, at, count):
            total = part(_superposition(_both, columns, rows, at, placed(count)))
        else:
            total = _superposition(part, columns, rows, at, placed(count))
    return first_rows(in_type_of(table, total), len(where))


def block_superposition(
    columns: SourceColumns, sources: Numbers, num_sources: Numbers, points: Numbers
) -> tuple[BlockPotential, BlockField]:
    """Potential and field of the samples of a block, which share their points.

    Args:
        columns: Columns of `sources`.
        sources: Source tables, as in `superposition`.
        num_sources: Rows of each table that are sources; later rows are padding.
        points: Points of evaluation [m].

    Returns:
        Potential [A] of each sample at each point, and field [A/m].

    Raises:
        SourceError: As `superposition`.
    """
    tables, where = float_arrays(sources=sources, points=points)
    refuse_bad_points(where, columns.dim)
    refuse_bad_shape(columns, tables, ("sample", "source"))
    rows = counts(num_sources, tables.shape[:1], most=tables.shape[1])
    refuse_bad_tables(columns, tables, ("sample", "source"), rows)
    with widest(tables, where):
        total = block_sum(columns, *map(placed, (marked(columns, tables), rows, where)))
    found: tuple[BlockPotential, BlockField] = in_type_of(tables, total)
    return found


@partial(jax.jit, static_argnames=("columns", "dtype", "sum_dtype"))
def block_sum(
    columns: SourceColumns,
    sources: SourceTables,
    num_sources: NumSources,
    points: Points,
    dtype: jnp.dtype | None = None,
    sum_dtype: jnp.dtype | None = None,
) -> tuple[BlockPotential, BlockField]:
    """`block_superposition` of rows that are known to be sources.

    Args:
        columns: Columns of `sources`.
        sources: Source tables.
        num_sources: Rows of each table that are sources; later rows are padding.
        points: Points of evaluation [m].
        dtype: Float type that the result is rounded to; that of the sums if None.
        sum_dtype: Float type of the sums; that of sources and points if None.

    Returns:
        Potential [A] of each sample at each point, and field [A/m].
    """

    def sample(table: SourceTable, count: Int[Array, ""]) -> Values:
        total = _summed(columns, table, points, count, sum_dtype)
        rounded: Values = jax.tree.map(lambda a: a.astype(dtype or a.dtype), total)
        return rounded

    if sums_platform() == "gpu":
        each, pairs = sources.shape[1] * len(points), _pairs_per_tile(columns)
        found = over_samples(sample, (sources, num_sources), each, pairs)
        return found.potential, jnp.stack(found.field, axis=-1)
    at_once = max(_values_per_step(columns) // max(len(points), 1), 1)
    if len(sources) <= at_once:
        total = jax.vmap(sample)(sources, num_sources)
    else:
        total = jax.lax.map(lambda pair: sample(*pair), (sources, num_sources), batch_size=at_once)
    return total.potential, jnp.stack(total.field, axis=-1)


def _both(values: tuple[Potential, Field]) -> tuple[Potential, Field]:
    return values


def _potential(values: tuple[Potential, Field]) -> Potential:
    return values[0]


def _field(values: tuple[Potential, Field]) -> Field:
    return values[1]


@partial(jax.jit, static_argnames=("part", "columns"))
def _superposition(
    part: _Part,
    columns: SourceColumns,
    sources: SourceTable,
    points: Points,
    num_sources: Int[Array, ""],
) -> Any:
    potential, field = _summed(columns, sources, points, num_sources)
    return part((potential, jnp.stack(field, axis=-1)))


def _summed(
    columns: SourceColumns,
    sources: SourceTable,
    points: Points,
    num_sources: Int[Array, ""],
    dtype: jnp.dtype | None = None,
) -> Values:
    """The sum as separate components, which `jax.lax.map` moves three times as fast."""
    unit = rounding_unit(sources, points)
    dtype = dtype or jnp.result_type(sources, points)
    sources, points = sources.astype(dtype), points.astype(dtype)
    if sums_platform() == "gpu":
        return _by_tiles(columns, sources, points, num_sources, unit)
    most = _values_per_step(columns)
    if len(points) <= most:
        return _at_points(columns, sources, points, num_sources, unit)
    num_steps = -(-len(points) // most)
    # The last step is filled up with points that are there: any others might be singular.
    filled = jnp.resize(points, (num_steps, most, points.shape[1]))
    total = jax.lax.map(lambda some: _at_points(columns, sources, some, num_sources, unit), filled)
    summed: Values = jax.tree.map(lambda values: values.reshape(-1)[: len(points)], total)
    return summed


def _by_tiles(
    columns: SourceColumns,
    sources: SourceTable,
    points: Points,
    num_sources: Int[Array, ""],
    unit: float,
) -> Values:
    valid = jnp.arange(sources.shape[0], dtype=num_sources.dtype) < num_sources

    def at_points(some: Points) -> Values:
        where = components(some)

        def of_source(item: tuple[Array, Array]) -> Values:
            each = row_values(columns, *item, where, unit)
            return functools.reduce(partial(jax.tree.map, jnp.add), each, _zeros(where))

        return reduced(of_source, (sources, valid), len(some), _pairs_per_tile(columns))

    return over_point_tiles(at_points, points)


def _at_points(
    columns: SourceColumns,
    sources: SourceTable,
    points: Points,
    num_sources: Int[Array, ""],
    unit: float,
) -> Values:
    rows = sources.shape[0]
    valid = jnp.arange(rows, dtype=num_sources.dtype) < num_sources
    where = components(points)
    total = _zeros(where)
    step = min(KINDS[body].sources_per_step for body in columns.bodies)
    full = rows - rows % step
    if full:
        steps = jnp.reshape(sources[:full], (-1, step, sources.shape[1]))
        valid_steps = jnp.reshape(valid[:full], (-1, step))
        total, _ = jax.lax.scan(
            lambda so_far, step: (_add(columns, so_far, *step, where, unit), None),
            total,
            (steps, valid_steps),
        )
    return _add(columns, total, sources[full:], valid[full:], where, unit)


def _pairs_per_tile(columns: SourceColumns) -> int:
    return min(KINDS[body].pairs_per_tile for body in columns.bodies)


def _values_per_step(columns: SourceColumns) -> int:
    return min(KINDS[body].values_per_step for body in columns.bodies)


def _zeros(where: Components) -> Values:
    return Values(jnp.zeros_like(where[0]), tuple(jnp.zeros_like(axis) for axis in where))


def _add(
    columns: SourceColumns,
    total: Values,
    sources: Float[Array, "step columns"],
    valid: Bool[Array, " step"],
    where: Components,
    unit: float,
) -> Values:
    """Add the rows of `sources` to the sum; unrolled, so that XLA fuses them into one loop."""
    for row, is_source in zip(sources, valid, strict=True):
        for potential, field in row_values(columns, row, is_source, where, unit):
            total = Values(
                total.potential + potential,
                tuple(a + b for a, b in zip(total.field, field, strict=True)),
            )
    return total


def row_values(
    columns: SourceColumns,
    row: Float[Array, "*#points columns"],
    is_source: Bool[Array, "..."],
    where: Components,
    unit: float,
) -> Iterator[Values]:
    """Values of a row as each of the bodies that occur: zero except for its own.

    Args:
        columns: Columns of the table.
        row: The row, or a row of its own for each point.
        is_source: Whether it counts, likewise.
        where: Components of the points [m].
        unit: Rounding unit of row and points, relative to them.

    Yields:
        Potential and field as each body.

    Raises:
        SourceError: If bodies are soft, whose fields do not add up.
    """
    refuse_soft(columns, "A sum over sources")
    dim = columns.dim
    for kind, is_kind, shape in by_kind(columns, row, is_source):
        # A padding row is all zero, and another body's sizes may be: taking such rows out before
        # the kernel, not after, keeps 0/0 out of the value and of its gradient.
        displacement = tuple(
            jnp.where(is_kind, axis - row[..., dim + i], 1) for i, axis in enumerate(where)
        )
        moment = tuple(jnp.where(is_kind, row[..., i], 0) for i in range(dim))
        position = [row[..., dim + i] for i in range(dim)]
        rounding = rounding_of(where, kind.outer_radius(shape), kind.size(shape), position, unit)
        yield kind.values(moment, displacement, shape, rounding)

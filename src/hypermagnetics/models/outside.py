"""Pairs of source and point outside of a model's domain: their exact values."""

import functools
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from hypermagnetics.grids import components
from hypermagnetics.models.conditions import where_needed
from hypermagnetics.models.domain import Domain
from hypermagnetics.models.steps import over_points
from hypermagnetics.shapes import BlockField, BlockPotential, Points, SourceTable, SourceTables
from hypermagnetics.sources import SourceColumns, Values
from hypermagnetics.sources.geometry import rounding_unit
from hypermagnetics.sources.sums import PAIRS_PER_TILE, over_samples, reduced, sums_platform
from hypermagnetics.sources.superposition import row_values
from hypermagnetics.table import source_rows

_Tree = TypeVar("_Tree")

Guard = Literal["none", "exact", "nan"]
"""Treatment of sources and points outside of a domain in a compiled program: none, for arguments
that are inside; exact values; or NaN in place of an error."""


_POINTS_PER_TILE = 1 << 10
_SOURCES_PER_TILE = 1 << 9


def far_superposition(
    columns: SourceColumns,
    sources: SourceTable,
    points: Points,
    far_sources: Bool[Array, " sources"],
    far_points: Bool[Array, " points"],
) -> Values:
    """Exact values of the pairs of which source or point is outside; zero without such pairs.

    It is compiled for any number of them. Without one it takes the time of a comparison, on a CPU
    with few that of a few: points and sources outside come first, and tiles of both are passed
    over where neither is outside. On a GPU one reduction goes over all pairs. Memory is bounded,
    for derivatives as well.

    Args:
        columns: Columns of `sources`.
        sources: Source table.
        points: Points of evaluation [m].
        far_sources: Mask of the sources outside.
        far_points: Mask of the points outside.

    Returns:
        Potential [A] and field [A/m].
    """
    is_source = source_rows(columns, sources)
    dtype = jnp.result_type(sources, points)
    unit = rounding_unit(sources, points)

    def of_row(row: Array, counts: Array, far: Array, some: Points, far_some: Array) -> Values:
        is_pair = counts & (far | far_some)
        each = row_values(columns, row[None], is_pair, components(some), unit)
        return functools.reduce(partial(jax.tree.map, jnp.add), each, _zeros(some, dtype))

    first = jnp.argsort(~(far_sources & is_source))
    rows = (sources[first], is_source[first], far_sources[first])
    gpu = sums_platform() == "gpu"

    def of_pairs(points: Points, far_points: Array) -> Values:
        both = jnp.concatenate([points, far_points[:, None].astype(points.dtype)], axis=1)

        def at_tile(some: Array) -> Values:
            at, far_at = some[:, :-1], some[:, -1] > 0
            if gpu:
                return reduced(
                    lambda row: of_row(*row, at, far_at), rows, some.shape[0], PAIRS_PER_TILE
                )
            any_at = far_at.any()

            def add(total: Values, row: tuple[Array, Array, Array]) -> tuple[Values, None]:
                # Derivatives compute the values of a row anew: those of all would not fit.
                added = where_needed(
                    row[1] & (row[2] | any_at),
                    jax.checkpoint(lambda: of_row(*row, at, far_at)),
                    lambda: _zeros(at, dtype),
                )
                return jax.tree.map(jnp.add, total, added), None

            def add_tile(total: Values, tile: tuple[Array, Array, Array]) -> tuple[Values, None]:
                added: Values = where_needed(
                    (tile[1] & (tile[2] | any_at)).any(),
                    jax.checkpoint(lambda total: jax.lax.scan(add, total, tile)[0]),
                    lambda total: total,
                    total,
                )
                return added, None

            count = rows[1].shape[0]
            if isinstance(count, int) and count <= _SOURCES_PER_TILE:  # nothing to pass over
                return jax.lax.scan(add, _zeros(at, dtype), rows)[0]
            return jax.lax.scan(add_tile, _zeros(at, dtype), jax.tree.map(_tiled, rows))[0]

        if gpu:
            return over_points(at_tile, both)
        order = jnp.argsort(~far_points)
        found = over_points(at_tile, both[order], _POINTS_PER_TILE)
        values: Values = jax.tree.map(lambda each: jnp.zeros_like(each).at[order].set(each), found)
        return values

    some_far = (far_sources & is_source).any() | far_points.any()
    values: Values = where_needed(
        some_far, of_pairs, lambda points, _: _zeros(points, dtype), points, far_points
    )
    return values


def guarded(
    domain: Domain | None,
    columns: SourceColumns,
    guard: Guard,
    within: Callable[[SourceTable, Points], _Tree],
    part: Callable[[Values], _Tree],
    sources: SourceTable,
    points: Points,
) -> _Tree:
    """Values of a model within its domain, and outside as the guard says.

    Args:
        domain: The domain; None if all is inside.
        columns: Columns of the sources.
        guard: Treatment of what lies outside.
        within: Values of the model, for any sources and points.
        part: The same quantities of exact values.
        sources: Source table.
        points: Points of evaluation [m].

    Returns:
        Arrays of values, whose first axis is that of the points.
    """
    if domain is None or guard == "none":
        return within(sources, points)
    far_sources, far_points = domain.far_sources(columns, sources), domain.far_points(points)
    if guard == "nan":
        values = within(sources, points)
        return _where(far_points | far_sources.any(), jnp.nan, values)
    inner = within(*_inner(far_sources, far_points, sources, points))
    far = far_superposition(columns, sources, points, far_sources, far_points)
    total: _Tree = jax.tree.map(jnp.add, _where(far_points, 0.0, inner), part(far))
    return total


def guarded_block(
    domain: Domain | None,
    columns: SourceColumns,
    guard: Guard,
    within: Callable[[SourceTables, Points], tuple[BlockPotential, BlockField]],
    sources: SourceTables,
    points: Points,
) -> tuple[BlockPotential, BlockField]:
    """`guarded` for samples that share their points: potential and field.

    Args:
        domain: The domain; None if all is inside.
        columns: Columns of the sources.
        guard: Treatment of what lies outside.
        within: Values of the model, for any sources and points.
        sources: Source tables of the samples.
        points: Points of evaluation [m].

    Returns:
        Potential [A] and field [A/m].
    """
    if domain is None or guard == "none":
        return within(sources, points)
    far_sources, far_points = domain.far_sources(columns, sources), domain.far_points(points)
    if guard == "nan":
        bad = far_points[None] | far_sources.any(axis=1, keepdims=True)
        potential, field = within(sources, points)
        return jnp.where(bad, jnp.nan, potential), jnp.where(bad[..., None], jnp.nan, field)
    potential, field = within(*_inner(far_sources, far_points, sources, points))

    def of_sample(item: tuple[SourceTable, Array]) -> Values:
        return far_superposition(columns, item[0], points, item[1], far_points)

    def of_samples(sources: SourceTables, far_sources: Array) -> Values:
        if sums_platform() == "gpu":
            each = sources.shape[1] * len(points)
            return over_samples(
                lambda *item: of_sample(item), (sources, far_sources), each, PAIRS_PER_TILE
            )
        # One after another: side by side, none could be passed over.
        values: Values = jax.lax.map(of_sample, (sources, far_sources))
        return values

    dtype = jnp.result_type(sources, points)
    zero = jnp.zeros((len(sources), len(points)), dtype)
    far: Values = where_needed(
        far_sources.any() | far_points.any(),
        of_samples,
        lambda *_: Values(zero, (zero,) * points.shape[1]),
        sources,
        far_sources,
    )
    return (
        jnp.where(far_points[None], 0, potential) + far.potential,
        jnp.where(far_points[None, :, None], 0, field) + jnp.stack(far.field, axis=-1),
    )


def exact_points(
    domain: Domain,
    columns: SourceColumns,
    of_near: Callable[[SourceTable, Points], Int[Array, " sources"]],
    sources: SourceTable,
    points: Points,
) -> Int[Array, " sources"]:
    """Number of points at which each source is computed exactly, by a near part or as outside.

    Args:
        domain: The domain.
        columns: Columns of the sources.
        of_near: Numbers of points of a near part.
        sources: Source table.
        points: Points of evaluation [m].

    Returns:
        The numbers; 0 for padding.
    """
    far_sources, far_points = domain.far_sources(columns, sources), domain.far_points(points)
    # NaN keeps the points outside away from every near part but one that counts all points, whose
    # excess is cut off.
    near = of_near(sources, jnp.where(far_points[:, None], jnp.nan, points)) + far_points.sum()
    counts = jnp.where(far_sources, len(points), jnp.minimum(near, len(points)))
    return jnp.where(source_rows(columns, sources), counts, 0)


def inside_domain(
    domain: Domain, columns: SourceColumns, sources: SourceTable, points: Points
) -> tuple[SourceTable, Points]:
    """Sources and points that a model is given in place of some, of which others are outside.

    Args:
        domain: The domain.
        columns: Columns of the sources.
        sources: Source table.
        points: Points of evaluation [m].
    """
    return _inner(domain.far_sources(columns, sources), domain.far_points(points), sources, points)


def _inner(
    far_sources: Bool[Array, "*samples sources"],
    far_points: Bool[Array, " points"],
    sources: Float[Array, "*samples sources columns"],
    points: Points,
) -> tuple[Any, Points]:
    """Sources and points with others in place of those outside: padding, and a point inside."""
    # A point that is there: any other might be singular.
    inside = jax.lax.stop_gradient(points[jnp.argmin(far_points)])
    return (
        jnp.where(far_sources[..., None], 0, sources),
        jnp.where(far_points[:, None], inside[None], points),
    )


def _where(mask: Bool[Array, " points"], value: float, values: _Tree) -> _Tree:
    """The value where masked, along the first axis of arrays."""

    def masked(each: Array) -> Array:
        return jnp.where(mask.reshape(-1, *(1,) * (each.ndim - 1)), value, each)

    found: _Tree = jax.tree.map(masked, values)
    return found


def _zeros(points: Points, dtype: jnp.dtype) -> Values:
    zero = jnp.zeros(points.shape[0], dtype)
    return Values(zero, (zero,) * points.shape[1])


def _tiled(rows: Float[Array, "sources ..."] | Bool[Array, " sources"]) -> Array:
    """Rows in tiles, of which the last is filled up with zeros."""
    count = rows.shape[0]
    num_tiles = -(-count // _SOURCES_PER_TILE)
    room = jnp.zeros((num_tiles * _SOURCES_PER_TILE, *rows.shape[1:]), rows.dtype)
    return room.at[:count].set(rows).reshape(num_tiles, _SOURCES_PER_TILE, *rows.shape[1:])

"""Geometry of bodies by row of a source table: distances, sizes, volumes and magnetisation.

Every function goes through the kinds of bodies that occur, and asks each for what it knows.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal, NamedTuple, TypeVar, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float64, UInt8

from hypermagnetics.arrays import Numbers, real_array
from hypermagnetics.few_sizes import filled, first_rows, placed
from hypermagnetics.grids import components
from hypermagnetics.shapes import Field, Points, SourceTable
from hypermagnetics.sources.arguments import float_arrays, in_type_of, widest
from hypermagnetics.sources.checks import (
    marked,
    refuse_bad_points,
    refuse_bad_rows,
    refuse_bad_tables,
)
from hypermagnetics.sources.kinds import KINDS, Kind, Shape
from hypermagnetics.sources.kinds.rounding import rounding_of
from hypermagnetics.sources.sums import PAIRS_PER_TILE, over_point_tiles, reduced, sums_platform
from hypermagnetics.sources.values import Scalars
from hypermagnetics.table import SHAPES, SourceColumns, is_body, refuse_soft, source_rows

_Distances = TypeVar("_Distances", Array, np.ndarray)

Rows = Float[np.ndarray, "rows columns"]
"""Rows of a source table, of one sample or of several; no padding."""

RegionName = Literal["inside", "near", "beyond"]
REGIONS: tuple[RegionName, ...] = get_args(RegionName)
"""Names of the regions, in the order of their codes."""

NEAR = 0.5
"""Distance from the surface of a body, in its sizes, within which a point is near."""


_DISTANCES_AT_ONCE = 1 << 15
"""Distances per pass, so that temporary arrays stay in the cache."""


class OfKind(NamedTuple):
    """Rows of a source table, read as one kind of body."""

    kind: Kind
    is_kind: Bool[Array, "..."]
    """Mask of the rows of this kind."""
    shape: Shape
    """Sizes and rotation of each row, or of all; 1 in rows of other kinds (no division by 0)."""


class OwnRows(NamedTuple):
    """The bodies of one kind in a source table."""

    kind: Kind
    own: Bool[np.ndarray, " rows"]
    """Mask of the rows of this kind."""
    rows: Float64[np.ndarray, "own columns"]
    """The rows of this kind."""


def by_kind(
    columns: SourceColumns, rows: Float[Array, "*rows columns"], is_source: Bool[Array, "..."]
) -> Iterator[OfKind]:
    """All rows as each kind of body that may occur, for masked sums; by JAX.

    Args:
        columns: Columns of `rows`.
        rows: Source tables, or rows of them.
        is_source: Mask of the rows that count.

    Yields:
        The kinds, in the order of `columns.bodies`.
    """
    for body in columns.bodies:
        is_kind = is_source & is_body(columns, body, rows)
        shape = {
            name: jnp.where(is_kind, rows[..., columns.index(name)], 1)
            if columns.has(name)
            else jnp.asarray(columns.constant(name), rows.dtype)
            for name in SHAPES[body]
        }
        yield OfKind(KINDS[body], is_kind, shape)


def rows_by_kind(columns: SourceColumns, rows: Rows) -> Iterator[OwnRows]:
    """The bodies of each kind that occurs, in float64; by numpy.

    Args:
        columns: Columns of `rows`.
        rows: One row for each body.

    Yields:
        The kinds, in the order of `columns.bodies`.
    """
    for body in columns.bodies:
        own = is_body(columns, body, rows)
        if own.any():
            yield OwnRows(KINDS[body], own, rows[own].astype(np.float64))


def shape_of(
    columns: SourceColumns, kind: Kind, rows: Float64[np.ndarray, "*rows columns"]
) -> Shape:
    """Sizes and rotation of rows of one kind, from columns or constants."""
    return {
        name: rows[..., columns.index(name)]
        if columns.has(name)
        else np.full(rows.shape[:-1], columns.constant(name))
        for name in SHAPES[kind.name]
    }


def rounding_unit(*arrays: Array | np.ndarray) -> float:
    """The rounding unit of coordinates that come in arrays of one or several float types."""
    return max(float(np.finfo(array.dtype).eps) for array in arrays)


def signed_distance(
    columns: SourceColumns, rows: Numbers, points: Numbers
) -> Float64[np.ndarray, "rows points"]:
    """Distance of each point from the surface of each body, negative inside it; in float64.

    Args:
        columns: Columns of `rows`.
        rows: One row for each body. The arrays made are of (rows, points): go through a large table
            in steps.
        points: Points [m].

    Returns:
        Distances [m].

    Raises:
        SourceError: If a row is no source, or the points are of another dimension.

    Examples:
        >>> disc = SourceColumns.of("disc", constants={"radius": 2.0})
        >>> row, points = np.array([[1.0, 0, 0, 0]]), np.array([[0.0, 0], [2, 0], [0, -3]])
        >>> signed_distance(disc, row, points)
        array([[-2.,  0.,  1.]])
    """
    table, at = _sound_rows(columns, rows), real_array(points, "Points")
    refuse_bad_points(at, columns.dim)
    distance = np.empty((len(table), len(at)))
    where, first = at.astype(np.float64).T, columns.dim
    at_once = max(_DISTANCES_AT_ONCE // max(len(at), 1), 1)
    for kind, own, bodies in rows_by_kind(columns, table):
        numbers = np.flatnonzero(own)
        for start in range(0, len(bodies), at_once):
            some = bodies[start : start + at_once, None]
            offset = [axis - some[..., first + i] for i, axis in enumerate(where)]
            gap = kind.gap(offset, shape_of(columns, kind, some))
            distance[numbers[start : start + at_once]] = gap
    return distance


def body_size(columns: SourceColumns, rows: Numbers) -> Float64[np.ndarray, " rows"]:
    """Radius of the largest ball inside each body [m]; 0 for a dipole.

    Args:
        columns: Columns of `rows`.
        rows: One row for each body.

    Returns:
        The radius of a ball, half the shortest side of a box.

    Raises:
        SourceError: If a row is no source.
    """
    table = _sound_rows(columns, rows)
    return _of_each(columns, table, lambda kind, shape: kind.size(shape))


def outer_radii(columns: SourceColumns, rows: Rows) -> Float64[np.ndarray, " rows"]:
    """Radius of the smallest ball around each body [m]; 0 for a dipole.

    Args:
        columns: Columns of `rows`.
        rows: One row for each body.

    Returns:
        The radius of a ball, half the diagonal of a box.
    """
    return _of_each(columns, rows, lambda kind, shape: kind.outer_radius(shape))


def volumes(columns: SourceColumns, rows: Rows) -> Float64[np.ndarray, " rows"]:
    """Volume of each body [m³], in two dimensions its area [m²]; 0 for a dipole.

    Args:
        columns: Columns of `rows`.
        rows: One row for each body.

    Returns:
        The volumes.
    """
    return _of_each(columns, rows, lambda kind, shape: kind.volume(shape))


def half_edges(columns: SourceColumns, rows: Rows) -> Float64[np.ndarray, "rows dim dim"]:
    """Half of each edge of each body as a vector [m]; 0 of bodies without edges.

    Args:
        columns: Columns of `rows`.
        rows: One row for each body.

    Returns:
        The vectors, one for each edge of a box.
    """
    found = np.zeros((len(rows), columns.dim, columns.dim))
    for kind, own, bodies in rows_by_kind(columns, rows):
        edges = kind.half_edges(shape_of(columns, kind, bodies))
        if edges is not None:
            found[own] = edges
    return found


def _of_each(
    columns: SourceColumns, rows: Rows, quantity: Callable[[Kind, Shape], Scalars]
) -> Float64[np.ndarray, " rows"]:
    """A quantity of the body of each row."""
    found = np.zeros(len(rows))
    for kind, own, bodies in rows_by_kind(columns, rows):
        found[own] = quantity(kind, shape_of(columns, kind, bodies))
    return found


def vertices(columns: SourceColumns, row: Numbers) -> Float64[np.ndarray, "corners dim"] | None:
    """The corners of a body; None if it is round or a point.

    Args:
        columns: Columns of `row`.
        row: One row of a source table.

    Returns:
        The corners [m], in the order of `BoxKind.corners`.

    Raises:
        SourceError: If the row is no source.
    """
    table = _sound_rows(columns, real_array(row, "A row")[None])
    for kind, _, bodies in rows_by_kind(columns, table):
        found = kind.corners(shape_of(columns, kind, bodies[0]))
        if found is not None:
            placed: np.ndarray = found + bodies[0, columns.dim : 2 * columns.dim]
            return placed
    return None


def _sound_rows(columns: SourceColumns, rows: Numbers) -> Rows:
    """Rows of a user as an array, each of them a source."""
    table = real_array(rows, "Rows")
    refuse_bad_rows(columns, table)
    return table


def region_of(gap: _Distances, size: _Distances | float) -> _Distances:
    """Code of the region around one body alone, see `region_codes`.

    Args:
        gap: Signed distance from its surface, negative inside [m].
        size: Its size [m].

    Returns:
        Indices into `REGIONS`, in uint8.
    """
    code: _Distances = (gap > 0).astype(np.uint8) + (gap > NEAR * size).astype(np.uint8)
    return code


def region_codes(
    columns: SourceColumns,
    sources: Numbers,
    points: Numbers,
) -> UInt8[Array, "blocks samples points"]:
    """The region of each point, from its distances to the surfaces of the bodies of its sample.

    Inside: in a body or on its surface. Near: outside all, and at most half the size of a body from
    its surface; see `body_size`. Beyond: anything else. Distances are those of `signed_distance`,
    in the type of the arrays.

    Args:
        columns: Columns of `sources`.
        sources: Source tables (blocks, samples, sources, columns); rows of no moment are padding.
        points: Points of the blocks [m], (blocks, points, dim).

    Returns:
        Indices into `REGIONS`. One source of all samples is looked at after another, so no array is
        larger than this one.

    Raises:
        SourceError: If a row is no source, or the points are of another dimension. Rows inside a
            transformation of JAX, as under `jit`, are not looked at, as codes have no NaN.
    """
    tables, at = float_arrays(sources=sources, points=points)
    refuse_bad_tables(columns, tables, ("block", "sample", "source"))
    refuse_bad_points(at, columns.dim, num_blocks=len(tables))
    with widest(tables, at):
        found: UInt8[Array, "blocks samples points"] = _region_codes(
            columns, placed(tables), placed(at)
        )
        return found


@jax.jit(static_argnames="columns")
def _region_codes(
    columns: SourceColumns,
    sources: Float[Array, "blocks samples sources columns"],
    points: Float[Array, "blocks points dim"],
) -> UInt8[Array, "blocks samples points"]:
    dim, beyond = columns.dim, REGIONS.index("beyond")
    where = [points[:, None, :, axis] for axis in range(dim)]

    def nearer(
        codes: UInt8[Array, "blocks samples points"], rows: Float[Array, "blocks samples 1 columns"]
    ) -> tuple[UInt8[Array, "blocks samples points"], None]:
        offset = [axis - rows[..., dim + i] for i, axis in enumerate(where)]
        for kind, is_kind, shape in by_kind(columns, rows, source_rows(columns, rows)):
            gap, size = kind.gap(offset, shape), kind.size(shape)
            code = jnp.where(is_kind, region_of(gap, size), beyond)
            codes = jnp.minimum(codes, code.astype(jnp.uint8))
        return codes, None

    shape = (*sources.shape[:2], points.shape[1])
    codes: UInt8[Array, "blocks samples points"]
    rows = jnp.moveaxis(sources, 2, 0)[..., None, :]
    codes, _ = jax.lax.scan(nearer, jnp.full(shape, beyond, jnp.uint8), rows)
    return codes


def magnetisation(columns: SourceColumns, sources: Numbers, points: Numbers) -> Field:
    """Magnetisation M = moment / volume inside bodies, zero outside; where they overlap, the sum.

    Needed for B = mu_0 (H + M) inside bodies. On a surface it is the mean of both sides, as H is.
    Dipoles have no inside. Each source is compared with each point.

    Args:
        columns: Columns of `sources`.
        sources: Source table; rows of no moment are padding.
        points: Points [m].

    Returns:
        Magnetisation [A/m] at each point; in two dimensions moment [A m] per area is [A/m] too.

    Raises:
        SourceError: As `superposition`, which has the same float types and the same NaN.
    """
    table, at = float_arrays(sources=sources, points=points)
    refuse_bad_points(at, columns.dim)
    refuse_bad_tables(columns, table)
    with widest(table, at):
        total = _magnetisation(columns, *filled(marked(columns, table), at))
    found: Field = first_rows(in_type_of(table, total), len(at))
    return found


@jax.jit(static_argnames="columns")
def _magnetisation(columns: SourceColumns, sources: SourceTable, points: Points) -> Field:
    unit = rounding_unit(sources, points)

    def at_points(some: Points) -> tuple[Array, ...]:
        return reduced(
            partial(magnetisation_of_source, columns, unit, some),
            sources,
            len(some),
            PAIRS_PER_TILE,
        )

    if sums_platform() == "gpu":
        return jnp.stack(over_point_tiles(at_points, points), axis=-1)
    zero = jnp.zeros(points.shape[0], jnp.result_type(sources, points))

    def add(
        total: tuple[Array, ...], row: Float[Array, " columns"]
    ) -> tuple[tuple[Array, ...], None]:
        return jax.tree.map(
            jnp.add, total, magnetisation_of_source(columns, unit, points, row)
        ), None

    total, _ = jax.lax.scan(add, (zero,) * columns.dim, sources)
    return jnp.stack(total, axis=-1)


def magnetisation_of_source(
    columns: SourceColumns, unit: float, points: Points, row: Float[Array, " columns"]
) -> tuple[Float[Array, " points"], ...]:
    """Magnetisation of one source, by component."""
    refuse_soft(columns, "A magnetisation of moment / volume")
    dim, where = columns.dim, components(points)
    offset = [axis - row[dim + i] for i, axis in enumerate(where)]
    total = tuple(jnp.zeros(len(points), jnp.result_type(row, points)) for _ in range(dim))
    for kind, is_kind, shape in by_kind(columns, row, source_rows(columns, row)):
        if kind.is_point:
            continue
        position = [row[dim + i] for i in range(dim)]
        rounding = rounding_of(where, kind.outer_radius(shape), kind.size(shape), position, unit)
        inside = kind.inside_share(offset, shape, rounding)
        share = jnp.where(is_kind, inside, 0) / kind.volume(shape)
        total = tuple(part + row[i] * share for i, part in enumerate(total))
    return total

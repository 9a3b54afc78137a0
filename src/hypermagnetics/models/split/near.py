"""Near part: exact minus smooth values, within reach of each source."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from hypermagnetics.grids import components
from hypermagnetics.models.near_part import NearPart
from hypermagnetics.models.split.density import Density
from hypermagnetics.models.split.dipoles import (
    has_nodes,
    num_dipoles,
    outer_radius,
    smooth_dipoles,
)
from hypermagnetics.models.split.kernel import smooth_dipole
from hypermagnetics.models.split.neighbours import (
    by_number_of_candidates,
    candidates,
    cell_list,
    sum_over_candidates,
)
from hypermagnetics.models.steps import over_points
from hypermagnetics.shapes import (
    BlockField,
    BlockPotential,
    Field,
    Points,
    Potential,
    SourceTable,
    SourceTables,
)
from hypermagnetics.sources import SourceColumns, Values
from hypermagnetics.sources.geometry import rounding_unit
from hypermagnetics.sources.sums import PAIRS_PER_TILE, over_samples, reduced, sums_platform
from hypermagnetics.sources.superposition import row_values
from hypermagnetics.sources.values import dot
from hypermagnetics.table import nonzero, source_rows


class Smoothing(NamedTuple):
    """Smoothing of the sources."""

    cutoff: float
    """Radius R of the ball over which a dipole is spread [m]."""
    density: Density
    """Density of the ball."""
    nodes: int
    """Dipoles along each edge of a box."""


_POINTS_PER_STEP = 1 << 10
"""Points that share their number of candidates; fewer would be slowed by the loop itself."""
_MANY_PAIRS = 1 << 20
"""Number of pairs of source and point from which neighbour lists are used."""


class ExactNearby(NearPart):
    """Exact minus smooth values, for neighbours; out of reach of a source they agree."""

    columns: SourceColumns = eqx.field(static=True)
    smoothing: Smoothing = eqx.field(static=True)
    """Smoothing of the sources."""
    capacity: int | None = eqx.field(static=True)
    """Largest number of sources near a point, where JAX transformations prevent counting them."""

    @property
    def spread(self) -> float:
        """The cutoff; see `NearPart`."""
        return self.smoothing.cutoff

    def values(
        self, sources: SourceTable, points: Points, capacity: int | None
    ) -> tuple[Potential, Field]:
        """Sum over all pairs of source and point, or by cells; see `NearPart`."""
        if capacity is None:
            return near_superposition(self.columns, self.smoothing, sources, points)
        return near_by_cells(self.columns, self.smoothing, sources, points, capacity)

    def count(self, sources: SourceTable, points: Points) -> int | None:
        """Count candidates where there are many pairs; see `NearPart`."""
        if isinstance(sources, jax.core.Tracer) or isinstance(points, jax.core.Tracer):
            return self.capacity
        if len(sources) * len(points) < _MANY_PAIRS:
            return None
        return count_candidates(self.columns, self.smoothing, sources, points)

    def exact_points(self, sources: SourceTable, points: Points) -> Int[Array, " sources"]:
        """Points within reach of each source; see `NearPart`."""

        def within(row: Float[Array, " columns"]) -> Int[Array, ""]:
            return jnp.sum(is_near(self.columns, self.smoothing, row[None], components(points)))

        pairs = PAIRS_PER_TILE if sums_platform() == "gpu" else 1  # one by one
        counts: Int[Array, " sources"] = over_samples(within, (sources,), len(points), pairs)
        return jnp.where(source_rows(self.columns, sources), counts, 0)

    def targets(
        self,
        sources: SourceTables,
        points: Points,
        potential: BlockPotential,
        field: BlockField,
    ) -> tuple[BlockPotential, BlockField]:
        """The smooth part, which follows from the sources; see `NearPart`."""

        def of_sample(table: SourceTable) -> tuple[Potential, Field]:
            return smooth_superposition(self.columns, self.smoothing, table, points)

        if sums_platform() == "gpu":
            each = sources.shape[1] * len(points)
            return over_samples(of_sample, (sources,), each, PAIRS_PER_TILE)
        true: tuple[BlockPotential, BlockField] = jax.vmap(of_sample)(sources)
        return true


def reach(
    columns: SourceColumns, smoothing: Smoothing, sources: SourceTable
) -> Float[Array, " sources"]:
    """Distance beyond which smooth and exact values agree [m].

    A ball's own radius or R, whichever is larger; for a box half its diagonal and R, where what is
    left is the error of its nodes alone.
    """
    around = outer_radius(columns, sources)
    if has_nodes(columns):
        return jax.lax.stop_gradient(smoothing.cutoff + around)
    return jax.lax.stop_gradient(jnp.maximum(smoothing.cutoff, around))


def is_near(
    columns: SourceColumns,
    smoothing: Smoothing,
    rows: Float[Array, "#points columns"],
    where: Sequence[Float[Array, " points"]],
) -> Bool[Array, " points"]:
    """Whether each point lies within reach of a source; `where` are the axes of the points."""
    offset = [axis - rows[:, columns.dim + i] for i, axis in enumerate(where)]
    near: Bool[Array, " points"] = dot(offset, offset) < reach(columns, smoothing, rows) ** 2
    return near


def near_values(
    columns: SourceColumns,
    smoothing: Smoothing,
    rows: Float[Array, "#points columns"],
    is_source: Bool[Array, "#points"],
    points: Points,
) -> Values:
    """Exact minus smooth values of one source at each point; zero out of reach.

    Args:
        columns: Columns of `rows`.
        smoothing: Smoothing of the sources.
        rows: The source, or one for each point.
        is_source: Whether it counts.
        points: Points of evaluation [m].

    Returns:
        Potential [A] and field [A/m].
    """
    where = components(points)
    near = is_source & is_near(columns, smoothing, rows, where)
    smooth = smooth_values(columns, smoothing, rows, points)
    total: Values = jax.tree.map(lambda value: jnp.where(near, -value, 0), smooth)
    for exact in row_values(columns, rows, near, where, rounding_unit(rows, points)):
        total = jax.tree.map(jnp.add, total, Values(exact.potential, tuple(exact.field)))
    return total


def smooth_values(
    columns: SourceColumns,
    smoothing: Smoothing,
    rows: Float[Array, "#points columns"],
    points: Points,
) -> Values:
    """Smooth values of one source, or of one for each point, at points."""
    where = components(points)
    moments, positions = smooth_dipoles(columns, rows, smoothing.nodes)

    def of(moment: Float[Array, "#points dim"], position: Float[Array, "#points dim"]) -> Values:
        offset = [axis - position[:, i] for i, axis in enumerate(where)]
        spread = smooth_dipole(components(moment), offset, smoothing.cutoff, smoothing.density)
        return Values(spread.potential, tuple(spread.field))

    def add(total: Values, dipole: tuple[Array, Array]) -> tuple[Values, None]:
        return jax.tree.map(jnp.add, total, of(*dipole)), None

    first = of(moments[:, 0], positions[:, 0])
    if moments.shape[1] == 1:
        return first
    # A few in one fused loop over the points; all of them would take long to compile.
    rest = (jnp.moveaxis(moments[:, 1:], 1, 0), jnp.moveaxis(positions[:, 1:], 1, 0))
    total, _ = jax.lax.scan(add, first, rest, unroll=2)
    return total


def smooth_superposition(
    columns: SourceColumns, smoothing: Smoothing, sources: SourceTable, points: Points
) -> tuple[Potential, Field]:
    """Smooth part of a configuration, source by source: the target of the network.

    Args:
        columns: Columns of `sources`.
        smoothing: Smoothing of the sources.
        sources: Source table.
        points: Points of evaluation [m].

    Returns:
        Potential [A] and field [A/m].
    """
    return _summed(lambda row, _: smooth_values(columns, smoothing, row, points), sources, points)


def near_superposition(
    columns: SourceColumns, smoothing: Smoothing, sources: SourceTable, points: Points
) -> tuple[Potential, Field]:
    """The near part of a configuration, each source against each point.

    Args:
        columns: Columns of `sources`.
        smoothing: Smoothing of the sources.
        sources: Source table.
        points: Points of evaluation [m].

    Returns:
        Potential [A] and field [A/m].
    """
    return _summed(
        lambda row, counts: near_values(columns, smoothing, row, counts, points), sources, points
    )


def count_candidates(
    columns: SourceColumns, smoothing: Smoothing, sources: SourceTable, points: Points
) -> int:
    """Largest number of sources in the cells around a point, rounded up to a power of two.

    Rounded, so that other values of the same shape mostly need no other compilation.
    """
    most = int(_most_candidates(columns, smoothing, sources, points))
    return 1 << max(most - 1, 0).bit_length()


@partial(jax.jit, static_argnames=("columns", "smoothing"))
def _most_candidates(
    columns: SourceColumns, smoothing: Smoothing, sources: SourceTable, points: Points
) -> Int[Array, ""]:
    cells = cell_list(columns.dim, sources, reach(columns, smoothing, sources))
    return jnp.max(over_points(lambda some: candidates(cells, some).ends[-1], points))


def near_by_cells(
    columns: SourceColumns,
    smoothing: Smoothing,
    sources: SourceTable,
    points: Points,
    capacity: int,
) -> tuple[Potential, Field]:
    """The near part of a configuration, each point against the sources around it.

    Args:
        columns: Columns of `sources`.
        smoothing: Smoothing of the sources.
        sources: Source table.
        points: Points of evaluation [m].
        capacity: The most sources in the cells around a point.

    Returns:
        Potential [A] and field [A/m].

    Raises:
        RuntimeError: If there are more, when the values are known.
    """
    cells = cell_list(columns.dim, sources, reach(columns, smoothing, sources))

    def at_points(some: Points) -> Values:
        return sum_over_candidates(partial(near_values, columns, smoothing), cells, some, capacity)

    if sums_platform() == "gpu":  # which computes all slots of all points, in any order
        each = capacity * num_dipoles(columns, smoothing.nodes)
        total = over_points(at_points, points, max(PAIRS_PER_TILE // each, _POINTS_PER_STEP))
        return total.potential, jnp.stack(total.field, axis=-1)
    order = by_number_of_candidates(cells, points)
    total = over_points(at_points, points[order], _POINTS_PER_STEP)
    back = jnp.zeros_like(order).at[order].set(jnp.arange(len(points), dtype=order.dtype))
    return total.potential[back], jnp.stack(total.field, axis=-1)[back]


def _summed(
    one_source: Callable[[Float[Array, "1 columns"], Bool[Array, "1"]], Values],
    sources: SourceTable,
    points: Points,
) -> tuple[Potential, Field]:
    """The sum over sources of their values at all points."""
    dim = points.shape[1]
    is_source = nonzero(sources[:, :dim])
    items = (sources, is_source)

    def of_source(item: tuple[Array, Array]) -> Values:
        return one_source(item[0][None], item[1][None])

    if sums_platform() == "gpu":
        total = reduced(of_source, items, points.shape[0], PAIRS_PER_TILE)
        return total.potential, jnp.stack(total.field, axis=-1)
    zero = jnp.zeros(points.shape[0], jnp.result_type(sources, points))

    def add(total: Values, row: tuple[Array, Array]) -> tuple[Values, None]:
        return jax.tree.map(jnp.add, total, of_source(row)), None

    total, _ = jax.lax.scan(add, Values(zero, (zero,) * dim), items)
    return total.potential, jnp.stack(total.field, axis=-1)

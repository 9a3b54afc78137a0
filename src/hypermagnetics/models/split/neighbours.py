"""Neighbours by cell lists: the sources near each point, in linear time and bounded memory."""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from hypermagnetics.models.conditions import where_needed
from hypermagnetics.models.steps import over_points
from hypermagnetics.shapes import Points, SourceTable
from hypermagnetics.sources import Values
from hypermagnetics.sources.sums import PAIRS_PER_TILE, reduced, sums_platform
from hypermagnetics.table import nonzero

_CELLS_PER_AXIS = {2: 1 << 15, 3: 1 << 10}
"""Limit that keeps the number of a cell within 32 bits. Beyond the last cell of an axis everything
counts to it: more candidates, none lost."""

_SLOTS_AT_ONCE = 16
"""Candidates of each point between two looks at whether there are more."""

_NOWHERE = 2**31 - 1
"""Cell of rows without a source."""

Pair = Callable[[Float[Array, "points columns"], Bool[Array, " points"], Points], Values]
"""Values of one source for each point, zero where it is masked."""


class CellList(NamedTuple):
    """Sources in the order of their cells, cubes whose side is the largest reach.

    Numbers of cells rise along the last axis first, so that three neighbours along it are one range
    of rows.
    """

    rows: Float[Array, "sources columns"]
    cells: Int[Array, " sources"]
    lowest: Float[Array, " dim"]
    """Corner of the first cell [m]."""
    side: Float[Array, ""]
    """Side of a cell [m]."""


class Candidates(NamedTuple):
    """Sources in the cells around each point, as ranges of rows of a `CellList`."""

    starts: Int[Array, "ranges points"]
    ends: Int[Array, "ranges points"]
    """Number of candidates up to the end of each range."""


def cell_list(dim: int, sources: SourceTable, reach: Float[Array, " sources"]) -> CellList:
    """Sort sources by cells.

    Args:
        dim: Space dimension.
        sources: Source table [moment, position, ...]; rows of no moment are left out.
        reach: Range of each source [m].

    Returns:
        The list.
    """
    fixed = jax.lax.stop_gradient(sources)
    position = fixed[:, dim : 2 * dim]
    is_source = nonzero(fixed[:, :dim])
    side = jnp.max(jnp.where(is_source, reach, 0), initial=float(np.finfo(reach.dtype).tiny))
    lowest = jnp.min(jnp.where(is_source[:, None], position, jnp.inf), axis=0, initial=jnp.inf)
    found = CellList(sources, jnp.zeros(len(sources), jnp.int32), lowest, side)
    numbers = _number(jnp.clip(_cell(found, position), 1, _CELLS_PER_AXIS[dim] - 2))
    numbers = jnp.where(is_source, numbers, _NOWHERE)
    order = jnp.argsort(numbers)
    return found._replace(rows=sources[order], cells=numbers[order])


def candidates(cells: CellList, points: Points) -> Candidates:
    """Sources in the cells around each point: all within reach, and some more."""
    dim = points.shape[1]
    points = jax.lax.stop_gradient(points)
    cell = jnp.clip(_cell(cells, points), 0, _CELLS_PER_AXIS[dim] - 1)
    middle = jnp.stack(
        [
            _number(cell + jnp.array([*around, 0], jnp.int32)[None])
            for around in itertools.product((-1, 0, 1), repeat=dim - 1)
        ]
    )
    # One search for the first of each range and for the first behind it: a GPU makes a kernel of
    # each of its halvings.
    first, behind = jnp.searchsorted(cells.cells, jnp.stack([middle - 1, middle + 2]))
    ends = jnp.cumsum(behind - first, axis=0)
    return Candidates(first.astype(jnp.int32), ends.astype(jnp.int32))


def sum_over_candidates(pair: Pair, cells: CellList, points: Points, capacity: int) -> Values:
    """Sum values over the sources around each point.

    Args:
        pair: Values of one source for each point, zero out of reach.
        cells: The sources.
        points: Points of evaluation [m].
        capacity: The most candidates that a point may have.

    Returns:
        The sums.

    Raises:
        RuntimeError: If a point has more candidates; when the values are known.
    """
    around = candidates(cells, points)
    points = eqx.error_if(
        points,
        jnp.any(around.ends[-1] > capacity),
        f"The number of sources around a point must be at most the capacity, {capacity}; got more. "
        "Set a larger model.capacity, or call the model outside of jax.jit, which needs no limit.",
    )

    def of_slot(slot: Int[Array, ""]) -> Values:
        passed = slot >= around.ends  # whole ranges before this slot
        which = jnp.sum(passed, axis=0)
        before = jnp.max(jnp.where(passed, around.ends, 0), axis=0)
        start = jnp.take_along_axis(
            around.starts, jnp.minimum(which, len(around.starts) - 1)[None], axis=0
        )[0]
        index = jnp.minimum(start + slot - before, len(cells.rows) - 1)
        return pair(cells.rows[index], (slot >= 0) & (slot < around.ends[-1]), points)

    slots = jnp.arange(capacity, dtype=jnp.int32)
    if sums_platform() == "gpu":
        # Counted from 1, so that the zeros that fill up a tile are no slots.
        return reduced(lambda number: of_slot(number - 1), slots + 1, len(points), PAIRS_PER_TILE)

    most = jnp.max(around.ends[-1])

    def add(total: Values, slot: Int[Array, ""]) -> tuple[Values, None]:
        return jax.tree.map(jnp.add, total, of_slot(slot)), None

    def add_some(total: Values, some: Int[Array, " slots"]) -> tuple[Values, None]:
        # Passed over where no point has so many candidates; a loop to `most` has no reverse mode.
        added: Values = where_needed(
            some[0] < most,
            lambda given: jax.lax.scan(add, given, some)[0],
            lambda given: given,
            total,
        )
        return added, None

    zero = jnp.zeros(len(points), jnp.result_type(cells.rows, points))
    none = Values(zero, (zero,) * points.shape[1])
    whole = capacity - capacity % _SLOTS_AT_ONCE
    total, _ = jax.lax.scan(add_some, none, slots[:whole].reshape(-1, _SLOTS_AT_ONCE))
    return add_some(total, slots[whole:])[0] if whole < capacity else total


def by_number_of_candidates(cells: CellList, points: Points) -> Int[Array, " points"]:
    """Order of points from few to many candidates, so that those of a step have similar numbers."""
    numbers = over_points(lambda some: candidates(cells, some).ends[-1], points)
    order: Int[Array, " points"] = jnp.argsort(numbers)
    return order


def _cell(cells: CellList, positions: Points) -> Int[Array, "points dim"]:
    """Cell along each axis; the first that holds a source is 1."""
    steps = (positions - cells.lowest[None]) / cells.side
    most = float(_CELLS_PER_AXIS[positions.shape[1]])
    return jnp.floor(jnp.clip(steps, -most, most)).astype(jnp.int32) + 1


def _number(cell: Int[Array, "points dim"]) -> Int[Array, " points"]:
    per_axis = _CELLS_PER_AXIS[cell.shape[1]]
    number = cell[:, 0]
    for axis in range(1, cell.shape[1]):
        number = number * per_axis + cell[:, axis]
    return number

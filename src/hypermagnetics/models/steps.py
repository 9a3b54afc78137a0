"""Evaluation of many sources or points in steps, for bounded memory."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from hypermagnetics.shapes import Points, SourceTable
from hypermagnetics.sources.sums import Platform, sums_platform

_Tree = TypeVar("_Tree")
_Rows = Float[Array, "rows columns"]

SOURCES_PER_STEP = 1 << 11
POINTS_PER_STEP = 1 << 12
"""Large enough for fast matrix products, small enough for intermediate arrays of some tens of
megabytes in the shipped models, some hundreds in a RangeSplit of boxes, of 27 dipoles each."""


class RowsAtOnce(NamedTuple):
    """Sources, and points, whose learned part is computed at a time."""

    sources: int
    points: int


_STEPS: Mapping[Platform, RowsAtOnce] = {
    "cpu": RowsAtOnce(SOURCES_PER_STEP, POINTS_PER_STEP),
    # A step is some ten kernels of microseconds there, whatever its size.
    "gpu": RowsAtOnce(4 * SOURCES_PER_STEP, 4 * POINTS_PER_STEP),
}


def steps_of_platform(num_dipoles: int = 1) -> RowsAtOnce:
    """Sources and points of a step on the platform that is computed for; see `sums_platform`.

    Args:
        num_dipoles: Dipoles that stand for a source.

    Returns:
        The numbers. Sources of many dipoles are as many on a GPU as on a CPU.
    """
    sources, points = _STEPS[sums_platform()]
    return RowsAtOnce(max(sources // num_dipoles, SOURCES_PER_STEP), points)


def summed_over_sources(
    of_rows: Callable[[SourceTable], _Tree], sources: SourceTable, step: int
) -> _Tree:
    """Sum a function over groups of rows.

    Args:
        of_rows: Acts on a source table and is a sum over its rows, where rows of zeros add nothing.
        sources: Source table.
        step: Rows at a time.

    Returns:
        The sum over all rows.
    """

    def by_steps(sources: SourceTable) -> _Tree:
        count, columns = sources.shape
        num_steps = -(-count // step)
        padded = jnp.zeros((num_steps * step, columns), sources.dtype)
        tables = padded.at[:count].set(sources).reshape(num_steps, step, columns)

        def add(total: _Tree, table: SourceTable) -> tuple[_Tree, None]:
            added: _Tree = jax.tree.map(jnp.add, total, of_rows(table))
            return added, None

        shapes = jax.eval_shape(of_rows, tables[0])
        zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
        total: tuple[_Tree, None] = jax.lax.scan(add, zeros, tables)
        return total[0]

    return _at_once_or(by_steps, of_rows, sources, step)


def over_points(
    at_points: Callable[[Points], _Tree], points: Points, step: int | None = None
) -> _Tree:
    """Evaluate groups of points one after the other.

    Args:
        at_points: Acts on each point by itself; the first axis of its arrays is that of the points.
        points: Points of evaluation.
        step: Points at a time; those of `steps_of_platform` if None.

    Returns:
        The values at all points.
    """
    step = steps_of_platform().points if step is None else step

    def by_steps(points: Points) -> _Tree:
        count, dim = points.shape
        num_steps = -(-count // step)
        # The last step is filled up with a point that is there: any other might be singular.
        filled = jnp.broadcast_to(points[:1], (num_steps * step, dim)).at[:count].set(points)
        found = jax.lax.map(at_points, filled.reshape(num_steps, step, dim))
        joined: _Tree = jax.tree.map(
            lambda values: values.reshape(num_steps * step, *values.shape[2:])[:count], found
        )
        return joined

    return _at_once_or(by_steps, at_points, points, step)


def _at_once_or(
    by_steps: Callable[[_Rows], _Tree], at_once: Callable[[_Rows], _Tree], rows: _Rows, step: int
) -> _Tree:
    """Process all rows at once if they fit into one step."""
    count = rows.shape[0]
    if isinstance(count, int):
        return at_once(rows) if count <= step else by_steps(rows)
    # A symbolic size of `jax.export`: known when the exported function is called, and then XLA
    # keeps one of both.
    found: _Tree = jax.lax.cond(
        jnp.asarray(count) <= step, lambda rows: at_once(rows), by_steps, rows
    )
    return found

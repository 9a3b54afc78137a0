"""Many sources or points a few at a time, so that memory stays bounded."""

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp

from hypermagnetics.shapes import Points, SourceTable

_Tree = TypeVar("_Tree")

SOURCES_PER_STEP = 1 << 11
POINTS_PER_STEP = 1 << 12
"""Large enough for matrix products to be fast, small enough for the hidden layers of all shipped
models to take some tens of megabytes."""


def summed_over_sources(
    of_rows: Callable[[SourceTable], _Tree], sources: SourceTable, step: int = SOURCES_PER_STEP
) -> _Tree:
    """Sum what groups of rows give.

    Args:
        of_rows: Acts on a source table and is a sum over its rows, where rows of zeros add nothing.
        sources: Source table.
        step: Rows at a time.

    Returns:
        The sum over all rows.
    """
    if len(sources) <= step:
        return of_rows(sources)
    num_steps = -(-len(sources) // step)
    padded = jnp.zeros((num_steps * step, sources.shape[1]), sources.dtype)
    tables = padded.at[: len(sources)].set(sources).reshape(num_steps, step, -1)

    def add(total: _Tree, table: SourceTable) -> tuple[_Tree, None]:
        added: _Tree = jax.tree.map(jnp.add, total, of_rows(table))
        return added, None

    total, _ = jax.lax.scan(add, of_rows(tables[0]), tables[1:])
    return total


def over_points(
    at_points: Callable[[Points], _Tree], points: Points, step: int = POINTS_PER_STEP
) -> _Tree:
    """Evaluate groups of points one after the other.

    Args:
        at_points: Acts on each point by itself; the first axis of its arrays is that of the points.
        points: Points of evaluation.
        step: Points at a time.

    Returns:
        The values at all points.
    """
    if len(points) <= step:
        return at_points(points)
    num_steps = -(-len(points) // step)
    # The last step is filled up with points that are there: any others might be singular.
    filled = jnp.resize(points, (num_steps, step, points.shape[1]))
    found = jax.lax.map(at_points, filled)
    joined: _Tree = jax.tree.map(
        lambda values: values.reshape(-1, *values.shape[2:])[: len(points)], found
    )
    return joined

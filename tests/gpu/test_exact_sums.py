"""Exact sums on a GPU, and their derivatives: those of a CPU."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from magnets import KINDS, random_rows
from two_platforms import largest_difference

from hypermagnetics.sources import SourceColumns, block_superposition, superposition
from hypermagnetics.sources.sums import computing_on, sums_platform

pytestmark = pytest.mark.gpu

SOURCES, POINTS = 40, 100
BOUNDS = {np.float32: 5e-6, np.float64: 1e-12}
"""Of values; the derivatives of a sum have ten times that. Closed forms cancel a few digits."""


def test_sums_are_shaped_for_the_card(is_card: bool) -> None:
    """And for a CPU where it is asked for."""
    assert sums_platform() == "gpu"
    with computing_on("cpu"):
        assert sums_platform() == "cpu"
    if is_card:
        with jax.default_device(jax.devices("cpu")[0]):
            assert sums_platform() == "cpu"


def drawn(columns: SourceColumns, count: int, dtype: Any) -> tuple[jax.Array, jax.Array]:
    """Sources and points."""
    random = np.random.default_rng(0)
    rows = random_rows(columns, random, count)
    points = random.uniform(-6, 6, (POINTS, columns.dim))
    return jnp.asarray(rows, dtype), jnp.asarray(points, dtype)


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("kind", KINDS)
def test_sums_and_derivatives_are_those_of_a_cpu(kind: str, dtype: Any) -> None:
    """Derivatives by all columns and all points."""
    columns = KINDS[kind]

    def values(rows: jax.Array, points: jax.Array) -> Any:
        return superposition(columns, rows, points)

    def size(rows: jax.Array, points: jax.Array) -> jax.Array:
        potential, field = values(rows, points)
        return jnp.sum(potential**2) + jnp.sum(field**2)

    given = drawn(columns, SOURCES, dtype)
    assert largest_difference(values, *given) < BOUNDS[dtype]
    slopes = jax.jit(jax.grad(size, argnums=(0, 1)))
    assert largest_difference(slopes, *given) < 10 * BOUNDS[dtype]


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("kind", KINDS)
def test_blocks_are_those_of_a_cpu(kind: str, dtype: Any) -> None:
    """Samples of different numbers of sources, called with values and compiled."""
    columns = KINDS[kind]
    rows, points = drawn(columns, SOURCES, dtype)
    tables, counts = rows.reshape(4, SOURCES // 4, -1), jnp.array([10, 7, 1, 0], jnp.int32)

    def block(tables: jax.Array, counts: jax.Array, points: jax.Array) -> Any:
        potential, field = block_superposition(columns, tables, counts, points)
        return potential[:-1], field[:-1]

    for function in (block, jax.jit(block)):
        assert largest_difference(function, tables, counts, points) < BOUNDS[dtype]

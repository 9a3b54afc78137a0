"""Exact sums on a GPU, and their derivatives: those of a CPU."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from magnets import KINDS, random_rows
from two_platforms import largest_difference, results_on

from hypermagnetics.sources import superposition
from hypermagnetics.sources.sums import sums_platform

pytestmark = pytest.mark.gpu

SOURCES, POINTS = 40, 100
BOUNDS = {np.float32: 5e-6, np.float64: 1e-12}
"""Of values; the derivatives of a sum have ten times that. Closed forms cancel a few digits."""


def test_sums_are_shaped_for_the_card(cpu: jax.Device) -> None:
    """And for a CPU where it is asked for."""
    assert sums_platform() == "gpu"
    with jax.default_device(cpu):
        assert sums_platform() == "cpu"


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("kind", KINDS)
def test_sums_and_derivatives_are_those_of_a_cpu(
    kind: str, dtype: Any, card: jax.Device, cpu: jax.Device
) -> None:
    """Derivatives by all columns and all points."""
    columns = KINDS[kind]
    random = np.random.default_rng(0)
    rows = jnp.asarray(random_rows(columns, random, SOURCES), dtype)
    points = jnp.asarray(random.uniform(-6, 6, (POINTS, columns.dim)), dtype)

    def values(rows: jax.Array, points: jax.Array) -> Any:
        return superposition(columns, rows, points)

    def size(rows: jax.Array, points: jax.Array) -> jax.Array:
        potential, field = values(rows, points)
        return jnp.sum(potential**2) + jnp.sum(field**2)

    for function, bound in (
        (values, BOUNDS[dtype]),
        (jax.jit(jax.grad(size, argnums=(0, 1))), 10 * BOUNDS[dtype]),
    ):
        found = results_on(card, function, rows, points)
        expected = results_on(cpu, function, rows, points)
        assert largest_difference(found, expected) < bound

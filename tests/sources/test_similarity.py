"""H does not change when all lengths are scaled at the same magnetisation, in float32 either."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from magnets import BUT_SLOW_CUBOIDS, KINDS, directions, error_of, random_rows

from hypermagnetics.sources import SourceColumns, superposition

_LENGTHS = ("position_", "radius", "dimension_")
_SCALES = [(1e-10, 1.0), (1e-9, 1e-3), (1e-8, 1e-6), (1e-9, 1e6), (1e6, 1e6), (1e12, 1e-3)]
"""Unit of length [m], from an atom to the orbit of a planet, and magnetisation [A/m]."""


def scaled(kind: SourceColumns, row: np.ndarray, unit: float, magnetisation: float) -> np.ndarray:
    """A magnet of other lengths and another magnetisation."""
    row = row.copy()
    row[[i for i, name in enumerate(kind.names) if name.startswith(_LENGTHS)]] *= unit
    row[: kind.dim] *= magnetisation
    for _ in range(kind.dim):  # one after another: their product may leave float32
        row[: kind.dim] *= unit
    return row


def magnets_and_points(kind: SourceColumns) -> tuple[np.ndarray, np.ndarray]:
    """A magnet, and points from its surroundings to a million times as far."""
    random = np.random.default_rng(61)
    row = random_rows(kind, random, 1)[0]
    distance = np.array([2.0, 5.0, 100.0, 1e4, 1e6])[:, None]
    return row, distance * directions(random, 5, kind.dim)


@pytest.mark.slow_cases
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_fields_of_all_scales_are_alike(kind: SourceColumns) -> None:
    row, points = magnets_and_points(kind)
    of_units = superposition(kind, jnp.asarray(row[None]), jnp.asarray(points))
    for unit, magnetisation in _SCALES:
        given = (scaled(kind, row, unit, magnetisation)[None], points * unit)
        potential, field = superposition(kind, *(jnp.asarray(a, jnp.float32) for a in given))
        assert error_of(np.asarray(field) / magnetisation, of_units[1]).max() < 1e-5
        found = np.asarray(potential, np.float64) / unit / magnetisation
        scale = np.linalg.norm(of_units[1], axis=-1) * np.linalg.norm(points, axis=-1)
        assert (np.abs(found - of_units[0]) / scale).max() < 1e-5


@pytest.mark.slow_cases
@pytest.mark.parametrize("kind", BUT_SLOW_CUBOIDS)
def test_derivatives_of_all_scales_are_alike(kind: SourceColumns) -> None:
    """The gradient of H, and the second derivatives of the potential."""
    row, points = magnets_and_points(kind)

    def values(row: jax.Array, point: jax.Array) -> jax.Array:
        return superposition(kind, row[None], point[None])[1][0]

    slope = jax.jit(jax.vmap(jax.jacfwd(values, argnums=1), (None, 0)))
    of_units = np.asarray(slope(jnp.asarray(row), jnp.asarray(points))).reshape(len(points), -1)
    for unit, magnetisation in _SCALES[:-1]:
        given = (scaled(kind, row, unit, magnetisation), points[:3] * unit)
        found = slope(*(jnp.asarray(a, jnp.float32) for a in given)).reshape(3, -1)
        found = np.asarray(found, np.float64) * unit / magnetisation
        assert error_of(found, of_units[:3]).max() < 1e-4

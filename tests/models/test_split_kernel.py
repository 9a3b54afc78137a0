"""The smooth dipole and the dipoles that stand for bodies: shell theorem, gradients, quadrature."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from magnets import KINDS, random_rows

from hypermagnetics.grids import components
from hypermagnetics.models.split.density import PowerDensity
from hypermagnetics.models.split.dipoles import outer_radius, smooth_dipoles
from hypermagnetics.models.split.kernel import smooth_dipole
from hypermagnetics.models.split.near import Smoothing, reach, smooth_superposition
from hypermagnetics.sources import SourceColumns, Values, ball, dipole, superposition

_CUTOFF, _SMOOTHNESS = 1.3, 4
_DIPOLE = jax.jit(dipole)
_SMOOTH = jax.jit(smooth_dipole, static_argnums=(2, 3))
_SMOOTH_DIPOLES = jax.jit(smooth_dipoles, static_argnums=(0, 2))


def moment_of(dim: int) -> list[jax.Array]:
    """A moment along no axis."""
    return [jnp.asarray(value) for value in (0.3, -0.7, 0.5)[:dim]]


def points_within(dim: int, low: float, high: float) -> list[jax.Array]:
    """Points whose distance from the origin lies between two values."""
    random = np.random.default_rng(dim)
    direction = random.normal(size=(200, dim))
    length = random.uniform(low, high, size=(200, 1))
    at = length * direction / np.linalg.norm(direction, axis=1, keepdims=True)
    return list(components(jnp.asarray(at)))


def assert_equal_values(values: Values, expected: Values, tolerance: float) -> None:
    """Potential and field, relative to the largest."""
    for one, other in zip(jax.tree.leaves(values), jax.tree.leaves(expected), strict=True):
        scale = float(jnp.abs(other).max())
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("smoothness", [1, 4, 7])
def test_it_is_the_dipole_beyond_the_cutoff(dim: int, smoothness: int) -> None:
    """By the shell theorem, to rounding."""
    at = points_within(dim, _CUTOFF, 5 * _CUTOFF)
    values = _SMOOTH(moment_of(dim), at, _CUTOFF, PowerDensity(smoothness))
    assert_equal_values(values, _DIPOLE(moment_of(dim), at), 1e-14)


@pytest.mark.slow_cases
@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("smoothness", [1, 4, 7])
def test_it_is_a_sum_of_balls(dim: int, smoothness: int) -> None:
    """A density f that falls outwards is a stack of balls of radii a and weights -f'(a) a^n.

    The values of a ball are those of another file, which other tests hold against the literature.
    """
    at = points_within(dim, 0.0, 1.2 * _CUTOFF)
    # Balls end at a: the integrand has a kink there, so many radii, evenly spread.
    radii = (np.arange(20_000) + 0.5) / 20_000
    weights = radii ** (dim + 1) * (1 - radii**2) ** (smoothness - 1)
    weights /= weights.sum()

    def add(total: Values, ball_of: tuple[jax.Array, jax.Array]) -> tuple[Values, None]:
        radius, weight = ball_of
        values = ball(moment_of(dim), at, radius)
        return jax.tree.map(lambda a, b: a + weight * b, total, Values(*values)), None

    start = Values(jnp.zeros(200), tuple(jnp.zeros(200) for _ in range(dim)))
    stack = (jnp.asarray(_CUTOFF * radii), jnp.asarray(weights))
    total, _ = jax.jit(lambda: jax.lax.scan(add, start, stack))()
    values = _SMOOTH(moment_of(dim), at, _CUTOFF, PowerDensity(smoothness))
    assert_equal_values(values, total, 1e-3)


@pytest.mark.parametrize("dim", [2, 3])
def test_the_field_is_minus_the_gradient(dim: int) -> None:
    """Inside, outside and in the centre; the gradient is finite everywhere."""
    at = jnp.stack(points_within(dim, 0.0, 2 * _CUTOFF), axis=-1).at[0].set(0)

    def potential(point: jax.Array) -> jax.Array:
        return smooth_dipole(
            moment_of(dim), list(point), _CUTOFF, PowerDensity(_SMOOTHNESS)
        ).potential

    gradient = jax.jit(jax.vmap(jax.grad(potential)))(at)
    field = _SMOOTH(moment_of(dim), components(at), _CUTOFF, PowerDensity(_SMOOTHNESS)).field
    np.testing.assert_allclose(jnp.stack(field, axis=-1), -gradient, rtol=1e-12, atol=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("dim", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_derivatives_are_continuous_at_the_cutoff(dim: int) -> None:
    """As many as p: the first jump is in the derivative p + 1."""

    def along(x: jax.Array) -> jax.Array:
        rest = [jnp.zeros_like(x)] * (dim - 1)
        return smooth_dipole(moment_of(dim), [x, *rest], 1.0, PowerDensity(_SMOOTHNESS)).potential

    derivative = along
    for order in range(_SMOOTHNESS + 2):
        inside, outside = jax.jit(jax.vmap(derivative))(jnp.array([1 - 1e-9, 1 + 1e-9]))
        jump = abs(float(inside - outside)) / abs(float(outside))
        assert (jump < 1e-5) == (order < _SMOOTHNESS + 1), order
        derivative = jax.grad(derivative)


@pytest.mark.slow
def test_dipoles_share_the_moment_and_the_middle() -> None:
    """Whatever the body; padding rows make none."""
    for kind in KINDS.values():
        rows = jnp.asarray(random_rows(kind, np.random.default_rng(1), 5))
        padded = jnp.concatenate([rows, jnp.zeros_like(rows[:1])])
        moments, positions = _SMOOTH_DIPOLES(kind, padded, 3)
        dim = kind.dim
        np.testing.assert_allclose(moments.sum(axis=1), padded[:, :dim], atol=1e-14)
        middle = padded[:, dim : 2 * dim]
        np.testing.assert_allclose(positions.mean(axis=1), middle, atol=1e-14)
        assert float(jnp.abs(moments[-1]).max()) == 0.0
        np.testing.assert_array_equal(positions[-1], jnp.zeros_like(positions[-1]))
        assert bool(jnp.isfinite(positions).all())


@pytest.mark.slow_cases
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_beyond_reach_smooth_is_exact(kind: SourceColumns) -> None:
    """Dipoles and balls to rounding; boxes as well as their nodes integrate."""
    random = np.random.default_rng(3)
    row = jnp.asarray(random_rows(kind, random, 1))
    smoothing = Smoothing(2.0 * max(float(outer_radius(kind, row)[0]), 0.5), PowerDensity(4), 3)
    far = float(reach(kind, smoothing, row)[0])
    direction = random.normal(size=(100, kind.dim))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    distance = far * random.uniform(1.0, 4.0, size=(100, 1))
    points = row[:, kind.dim : 2 * kind.dim] + jnp.asarray(distance * direction)
    smooth = jax.jit(partial(smooth_superposition, kind, smoothing))(row, points)
    tolerance = 1e-3 if {"rectangle", "cuboid"} & set(kind.bodies) else 1e-12
    for one, exact in zip(smooth, superposition(kind, row, points), strict=True):
        scale = float(jnp.abs(exact).max())
        np.testing.assert_allclose(one, exact, rtol=0, atol=tolerance * scale)


@pytest.mark.slow
def test_more_nodes_are_closer_to_a_box() -> None:
    """The smooth part converges with the nodes, as Gauss quadrature does."""
    kind = KINDS["cuboid in 3D"]
    random = np.random.default_rng(4)
    row = jnp.asarray(random_rows(kind, random, 1))
    points = jnp.asarray(random.normal(size=(50, 3)))
    cutoff = 2 * float(outer_radius(kind, row)[0])

    def smooth(nodes: int) -> jax.Array:
        of = jax.jit(partial(smooth_superposition, kind, Smoothing(cutoff, PowerDensity(4), nodes)))
        return of(row, points)[0]

    best = smooth(5)
    largest = float(jnp.abs(best).max())
    errors = [float(jnp.abs(smooth(nodes) - best).max()) / largest for nodes in (1, 2, 3)]
    assert errors[0] > 10 * errors[1] > 30 * errors[2]
    assert errors[2] < 1e-3

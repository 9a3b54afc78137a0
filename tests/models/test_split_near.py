"""The near part by cell lists against every source meeting every point."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from magnets import BUT_SLOW_CUBOIDS, KINDS, random_rows

from hypermagnetics.models import NearPart
from hypermagnetics.models.split.density import PowerDensity
from hypermagnetics.models.split.near import (
    ExactNearby,
    Smoothing,
    count_candidates,
    near_by_cells,
    near_superposition,
    smooth_superposition,
)
from hypermagnetics.models.split.neighbours import Candidates, candidates, cell_list
from hypermagnetics.models.steps import over_points, summed_over_sources
from hypermagnetics.sources import SourceColumns, superposition

_SMOOTHING = Smoothing(0.6, PowerDensity(4), 2)
_NEAR = jax.jit(near_superposition, static_argnums=(0, 1))
_BY_CELLS = eqx.filter_jit(near_by_cells)


def table(kind: SourceColumns, seed: int, num: int, width: float) -> tuple[jax.Array, jax.Array]:
    """Sources and points in a box, with a padding row in the middle."""
    random = np.random.default_rng(seed)
    rows = random_rows(kind, random, num)
    rows[:, kind.dim : 2 * kind.dim] = random.uniform(-width, width, size=(num, kind.dim))
    rows[num // 2] = 0
    return jnp.asarray(rows), jnp.asarray(random.uniform(-width, width, size=(64, kind.dim)))


@pytest.mark.slow_cases
@pytest.mark.parametrize("kind", BUT_SLOW_CUBOIDS)
def test_near_and_smooth_make_the_exact_values(kind: SourceColumns) -> None:
    """To rounding close by, where the closed form counts; see also test_split_kernel.py."""
    sources, points = table(kind, 0, 3, 0.3)
    sources = sources[::2]  # without the padding
    parts = (
        _NEAR(kind, _SMOOTHING, sources, points),
        jax.jit(partial(smooth_superposition, kind, _SMOOTHING))(sources, points),
    )
    exact = superposition(kind, sources, points)
    for near, smooth, whole in zip(*parts, exact, strict=True):
        np.testing.assert_allclose(near + smooth, whole, rtol=1e-10, atol=1e-12)


@pytest.mark.slow_cases
@pytest.mark.parametrize("kind", BUT_SLOW_CUBOIDS)
def test_pairs_are_counted_as_exact_where_the_near_part_adds_values(kind: SourceColumns) -> None:
    """Padding has none; a part that does not say is exact everywhere."""
    sources, points = table(kind, 2, 5, 1.0)
    near = ExactNearby(kind, _SMOOTHING, None)
    counts = near.exact_points(sources, points)
    for row, count in zip(sources, counts, strict=True):
        potential, _ = _NEAR(kind, _SMOOTHING, row[None], points)
        assert count == jnp.count_nonzero(potential)
    assert 0 < counts.sum() < 4 * 64
    assert counts[2] == 0
    np.testing.assert_array_equal(NearPart.exact_points(near, sources, points), [64, 64, 0, 64, 64])


@pytest.mark.slow
@pytest.mark.parametrize("kind", BUT_SLOW_CUBOIDS)
def test_cell_lists_find_what_all_pairs_find(kind: SourceColumns) -> None:
    """In a wide box, where most pairs are far, and with padding."""
    sources, points = table(kind, 1, 60, 6.0)
    capacity = count_candidates(kind, _SMOOTHING, sources, points)
    assert capacity < 60
    by_cells = _BY_CELLS(kind, _SMOOTHING, sources, points, capacity)
    for found, expected in zip(by_cells, _NEAR(kind, _SMOOTHING, sources, points), strict=True):
        assert float(jnp.abs(expected).max()) > 0
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


_SETTINGS = {
    "width": st.floats(1e-3, 1e5),
    "shift": st.floats(-1e6, 1e6),
    "dim": st.sampled_from([2, 3]),
}


@jax.jit
def _around(sources: jax.Array, points: jax.Array) -> tuple[jax.Array, Candidates]:
    cells = cell_list(points.shape[1], sources, jnp.ones(len(sources)))
    return cells.rows, candidates(cells, points)


@pytest.mark.slow
@given(
    seed=st.integers(0, 2**16),
    width=st.floats(1e-3, 1e5),
    shift=st.floats(-1e6, 1e6),
    dim=st.sampled_from([2, 3]),
)
def test_no_neighbour_is_lost(seed: int, width: float, shift: float, dim: int) -> None:
    """Wherever sources and points are, also beyond the last cell of an axis."""
    num, random = 30, np.random.default_rng(seed)
    position = shift + random.uniform(-width, width, size=(num, dim))
    points = shift + random.uniform(-2 * width, 2 * width, size=(20, dim))
    points[:10] = position[random.integers(num, size=10)] + random.uniform(-1, 1, size=(10, dim))
    sources = np.concatenate([np.ones((num, dim)), position], axis=1)
    rows, found = _around(jnp.asarray(sources), jnp.asarray(points))
    starts, counts = np.asarray(found.starts), np.diff(np.asarray(found.ends), axis=0, prepend=0)
    rows = np.asarray(rows)
    for i, point in enumerate(points):
        around = [rows[s : s + n] for s, n in zip(starts[:, i], counts[:, i], strict=True)]
        listed = {tuple(row) for row in np.concatenate(around)}
        near = sources[np.linalg.norm(sources[:, dim:] - point, axis=1) < 1 - 1e-9]
        assert {tuple(row) for row in near} <= listed
        assert sum(map(len, around)) <= num


@pytest.mark.slow
def test_a_capacity_that_is_too_small_is_an_error() -> None:
    """Under jit, where the values are not known before; nothing is left out in silence."""
    kind = KINDS["disc in 2D"]
    sources, points = table(kind, 1, 60, 6.0)
    capacity = count_candidates(kind, _SMOOTHING, sources, points)
    with pytest.raises(eqx.EquinoxRuntimeError, match="at most the capacity, 1; got more"):
        jax.block_until_ready(_BY_CELLS(kind, _SMOOTHING, sources, points, 1))
    larger = _BY_CELLS(kind, _SMOOTHING, sources, points, 2 * capacity)
    just = _BY_CELLS(kind, _SMOOTHING, sources, points, capacity)
    np.testing.assert_allclose(larger[0], just[0], rtol=1e-12, atol=1e-14)


@pytest.mark.slow
def test_gradients_with_respect_to_sources_and_points_are_those_of_all_pairs() -> None:
    """For inverse design."""
    kind = KINDS["sphere in 3D"]
    sources, points = table(kind, 2, 20, 2.0)
    capacity = count_candidates(kind, _SMOOTHING, sources, points)

    def by_cells(sources: jax.Array, points: jax.Array) -> jax.Array:
        return jnp.sum(near_by_cells(kind, _SMOOTHING, sources, points, capacity)[1] ** 2)

    def by_pairs(sources: jax.Array, points: jax.Array) -> jax.Array:
        return jnp.sum(near_superposition(kind, _SMOOTHING, sources, points)[1] ** 2)

    found = jax.jit(jax.grad(by_cells, argnums=(0, 1)))(sources, points)
    expected = jax.jit(jax.grad(by_pairs, argnums=(0, 1)))(sources, points)
    for one, other in zip(found, expected, strict=True):
        assert bool(jnp.isfinite(other).all())
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-8 * float(jnp.abs(other).max()))


@pytest.mark.parametrize("step", [1, 7, 64, 100])
def test_steps_change_nothing_but_rounding(step: int) -> None:
    """Sums over sources and maps over points, whether the steps divide them or not."""
    random = np.random.default_rng(5)
    sources, points = (jnp.asarray(random.normal(size=(64, n))) for n in (4, 2))

    def of_rows(rows: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jnp.sum(rows**2, axis=0), jnp.sum(rows)

    found = jax.jit(lambda rows: summed_over_sources(of_rows, rows, step))(sources)
    for one, other in zip(found, of_rows(sources), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    doubled = jax.jit(lambda at: over_points(lambda some: 2 * some, at, step))(points)
    np.testing.assert_array_equal(doubled, 2 * points)

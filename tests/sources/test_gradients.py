"""Derivatives with respect to points, moment, position, size and rotation."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from magnets import (
    BUT_SLOW_CUBOIDS,
    EXTENDED,
    FEW,
    KINDS,
    around,
    each,
    error_of,
    gradient,
    half_sides,
    jacobians,
    placed,
    random_rows,
    rows_of,
    within,
)

from hypermagnetics.sources import SourceColumns, superposition


def regular_points(kind: SourceColumns, row: np.ndarray) -> np.ndarray:
    """Points inside and outside one magnet, off its surface."""
    random = np.random.default_rng(101)
    local = around(kind, row[None], random, 10 ** random.uniform(-0.5, 1.5, (1, FEW)))
    if kind in EXTENDED.values():
        local[:, ::2] = 0.5 * within(kind, row[None], random, FEW // 2)
    return placed(kind, row[None], local)[0]


@pytest.mark.slow_cases
@pytest.mark.parametrize("kind", BUT_SLOW_CUBOIDS)
def test_the_gradient_of_a_loss_is_the_limit_of_its_differences(kind: SourceColumns) -> None:
    """With respect to every column of the source table; central, of fourth order in the step."""
    random = np.random.default_rng(103)
    row = random_rows(kind, random, 1)[0]
    points = regular_points(kind, row)
    weights = random.normal(size=(FEW, 1 + kind.dim))
    of_row, of_points = gradient(kind, row, points, weights)
    step = 2e-4
    for found, axis in zip(of_row, np.eye(kind.size), strict=True):
        terms = [losses(weights, each(kind, row + n * step * axis, points)) for n in (-2, -1, 1, 2)]
        differences = difference_quotients(terms, step)
        assert abs(found - differences.sum()) < 1e-10 * np.abs(differences).sum()
    for i, axis in enumerate(np.eye(kind.dim)):
        terms = [losses(weights, each(kind, row, points + n * step * axis)) for n in (-2, -1, 1, 2)]
        differences = difference_quotients(terms, step)
        error = np.abs(of_points[:, i] - differences) / (np.abs(differences) + np.abs(terms[0]))
        assert np.median(error) < 1e-11
        assert error.max() < 1e-7


def losses(weights: np.ndarray, values: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """What each point adds to the loss."""
    return weights[:, 0] * values[0] + (weights[:, 1:] * values[1]).sum(-1)


def difference_quotients(values: list[np.ndarray], step: float) -> np.ndarray:
    """The derivative, from the values two and one steps before and after."""
    a, b, c, d = values
    return (8 * (c - b) - (d - a)) / (12 * step)


@pytest.mark.slow
def test_forward_and_reverse_mode_agree() -> None:
    """Also under `vmap` over points and magnets."""
    kind, random = KINDS["sphere in 3D"], np.random.default_rng(102)
    rows = random_rows(kind, random, 3)
    points = np.stack([regular_points(kind, row)[:20] for row in rows])

    def values(row: jax.Array, point: jax.Array) -> jax.Array:
        potential, field = superposition(kind, row[None], point[None])
        return jnp.concatenate([potential, field[0]])

    modes = [
        jax.jit(jax.vmap(jax.vmap(mode(values, argnums=(0, 1)), (None, 0))))
        for mode in (jax.jacfwd, jax.jacrev)
    ]
    forwards, backwards = (mode(jnp.asarray(rows), jnp.asarray(points)) for mode in modes)
    for one, other in zip(forwards, backwards, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(forwards[1], jacobians(kind, rows, points), rtol=1e-11, atol=1e-14)


_ABSURD = {"float64": (1e30, 1e60, 1e100), "float32": (1e9, 1e12)}
"""Distances, in sizes, at which products of lengths overflow that are not taken care of."""


def singular_points(kind: SourceColumns, row: np.ndarray, dtype: str) -> np.ndarray:
    """Centre, faces, edges, corners, their extensions, points hard by all these, and the seam."""
    if kind not in EXTENDED.values():
        lengths = 10.0 ** np.arange(-5, 6)
        places = (lengths[:, None, None] * lattice((-1, 0, 1), kind.dim)).reshape(-1, kind.dim)
        return filled(places[np.abs(places).max(-1) > 0])
    half = half_sides(kind, row)
    on = lattice((-1.5, -1, 0, 1e-17, 0.5, 1), kind.dim)
    ulps = np.finfo(dtype).eps * np.array([1.0, -2.0, 0.0])[: kind.dim]
    near = (on * half).astype(dtype) * (1 + ulps)
    scales = np.array([9999.99, 1e4, 10001.0, 2e4, 1e6, *_ABSURD[dtype]])[:, None, None]
    far = (scales * lattice((-1, 0, 1), kind.dim) * np.linalg.norm(half)).reshape(-1, kind.dim)
    return filled(np.concatenate([on * half, near, near[:, ::-1], far]))


def lattice(values: tuple[float, ...], dim: int) -> np.ndarray:
    """All points with coordinates among some values."""
    return np.array(list(itertools.product(values, repeat=dim)))


def filled(points: np.ndarray) -> np.ndarray:
    """As many points as are compiled for, by repeating them."""
    assert len(points) <= FEW
    return points[np.arange(FEW) % len(points)]


_EVERY_KIND_AND_DTYPE = [
    pytest.param(
        kind, dtype, id=f"{name}-{dtype}", marks=[pytest.mark.slow] * ("cuboid" in kind.bodies)
    )
    for name, kind in KINDS.items()
    for dtype in ("float64", "float32")
]
"""The reverse mode of a cuboid compiles for ten seconds."""


@pytest.mark.slow_cases
@pytest.mark.parametrize(("kind", "dtype"), _EVERY_KIND_AND_DTYPE)
def test_gradients_are_finite_everywhere(kind: SourceColumns, dtype: str) -> None:
    """For a cube or a circle, unequal sides, a needle and a plate."""
    weights = np.random.default_rng(104).normal(size=(FEW, 1 + kind.dim))
    moment = np.array([0.3, -0.7, 1.1])[: kind.dim]
    for sides in ([1, 1, 1], [1.5, 0.7, 1.1], [1, 1, 100], [100, 100, 1]):
        row = rows_of(kind, moment=moment, radius=sides[0] / 2, dimension=np.array(sides))
        row = row.astype(dtype).astype(np.float64)
        points = singular_points(kind, row, dtype).astype(dtype)
        of_row, of_points = gradient(kind, row, points, weights)
        bad = points[~np.isfinite(of_points).all(-1)]
        assert not len(bad), f"{len(bad)} points, sides {sides}, e.g. at {bad[0].tolist()}"
        assert np.isfinite(of_row).all(), f"sides {sides}: {of_row}"


@pytest.mark.slow_cases
@pytest.mark.parametrize(("kind", "dtype"), _EVERY_KIND_AND_DTYPE)
def test_the_gradient_of_the_potential_is_minus_the_field_to_all_digits(
    kind: SourceColumns, dtype: str
) -> None:
    """From a hundredth of a size to ten thousand sizes away, where products grow large."""
    random = np.random.default_rng(106)
    row = random_rows(kind, random, 1)[0].astype(dtype).astype(np.float64)
    reach = 10 ** random.uniform(-2, 4, (1, FEW))
    points = placed(kind, row[None], around(kind, row[None], random, reach))[0].astype(dtype)
    weights = np.zeros((FEW, 1 + kind.dim))
    weights[:, 0] = 1
    _, of_points = gradient(kind, row, points, weights)
    _, field = each(kind, row, points.astype(np.float64))
    error = error_of(-of_points, field)
    assert np.median(error) < 10 * np.finfo(dtype).eps
    assert error.max() < 1000 * np.finfo(dtype).eps


@pytest.mark.slow_cases
@pytest.mark.parametrize("kind", BUT_SLOW_CUBOIDS)
def test_padding_has_no_gradient(kind: SourceColumns) -> None:
    """A body of no size and no rotation, at whose position there is a point."""
    weights = np.ones((FEW, 1 + kind.dim))
    points = filled(np.array([[0.0, 0, 0], [1.0, 1, 1], [1e9, 0, 0]])[:, : kind.dim])
    for values in gradient(kind, np.zeros(kind.size), points, weights, num_sources=0):
        np.testing.assert_array_equal(values, 0)


@pytest.mark.slow_cases
@pytest.mark.parametrize(
    "kind", [kind for kind in BUT_SLOW_CUBOIDS if kind.values[0] in EXTENDED.values()]
)
def test_through_the_seam_a_gradient_changes_by_nothing(kind: SourceColumns) -> None:
    """The gradient of the potential with respect to a point is -H on both sides of the switch."""
    random = np.random.default_rng(105)
    row = random_rows(kind, random, 1)[0]
    reach = np.linspace(3000, 30000, FEW)[None]
    points = placed(kind, row[None], around(kind, row[None], random, reach))[0]
    weights = np.zeros((FEW, 1 + kind.dim))
    weights[:, 0] = 1
    _, of_points = gradient(kind, row, points, weights)
    _, field = each(kind, row, points)
    assert error_of(-of_points, field).max() < 1e-13

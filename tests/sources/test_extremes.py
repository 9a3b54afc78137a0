"""A million of the hardest points for each body: potential and field are numbers at all of them."""

from functools import cache

import jax.numpy as jnp
import numpy as np
import pytest
from magnets import (
    EXTENDED,
    KINDS,
    directions,
    each,
    frames,
    half_sides,
    part,
    random_rows,
    rows_of,
    volumes,
)

from hypermagnetics.sources import SourceColumns, superposition

_POINTS = 100_000
"""For each of ten magnets."""

_TINY = {
    "float64": (5e-324, 1e-310, 1e-160, 1e-17),
    "float32": (1e-45, 1e-40, 1e-20, 1e-8),
}
_HUGE = {
    "float64": (9999.9999, 1e4, 10000.0001, 1e6, 1e30, 1e100, 1e150, 1e200),
    "float32": (9999.0, 1e4, 10001.0, 1e6, 1e9, 1e12, 1e15, 1e20),
}
_CLOSEST_TO_A_DIPOLE = {"float64": 1e-80, "float32": 1e-10}
_LARGEST_FIELD = 30
"""In units of the magnetisation. Beside an edge, H grows by M log(10) / (2 pi) a decade."""


def hard_magnets(kind: SourceColumns) -> np.ndarray:
    """A cube or a circle along the axes, unequal and very unequal sides; then the same turned."""
    random = np.random.default_rng(40)
    sides = np.array([[1, 1, 1], [1, 1, 2], [0.3, 0.2, 0.7], [1, 1000, 1], [2, 1000, 1000]])
    plain = rows_of(
        kind,
        moment=random.normal(size=(5, kind.dim)),
        radius=[1.0, 0.1, 0.3, 1000.0, 0.7],
        dimension=sides,
    )
    turned = random_rows(kind, random, 5)
    for name in ("dimension_x", "dimension_y", "dimension_z", "radius"):
        if kind.has(name):
            turned[:, kind.index(name)] = plain[:, kind.index(name)]
    return np.concatenate([plain, turned])


@cache
def hard_places(dim: int, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Multiples of the half sides and, added to them, lengths in units of the longest.

    Coordinates are zero, denormal, on a face or in between, and with noise or without; or far away,
    along an axis or not.
    """
    random = np.random.default_rng(41)
    shape = (_POINTS, dim)
    at = random.choice([0.0, 1, 1, 0.5, 1.7, 3], shape) * random.choice([-1.0, 1.0], shape)
    tiny = random.choice([0.0, 0.0, *_TINY[dtype]], shape)
    noise = random.choice([0, 0, 1e-17, 1e-16, 1e-8, 1e-4], (_POINTS, 1))
    added = np.where(at == 0, tiny, 0) + noise * random.normal(size=shape)
    ulps = random.choice([-1, 0, 1], shape) * (random.random((_POINTS, 1)) < 0.3)
    at *= 1 + ulps * np.finfo(dtype).eps
    along = np.eye(dim)[random.integers(0, dim, _POINTS)] + random.choice(_TINY[dtype], shape)
    towards = np.where(random.random((_POINTS, 1)) < 0.5, directions(random, *shape), along)
    far = towards * random.choice(_HUGE[dtype], (_POINTS, 1))
    is_far = random.random((_POINTS, 1)) < 0.25
    return np.where(is_far, 0, at), np.where(is_far, far, added)


def hard_points(kind: SourceColumns, row: np.ndarray, dtype: str) -> np.ndarray:
    """The hard places of one magnet, in space."""
    half = half_sides(kind, row)
    multiples, added = hard_places(kind.dim, dtype)
    local = half * multiples + half.max() * added
    if kind.bodies == ("dipole",):
        local[np.abs(local).max(-1) < _CLOSEST_TO_A_DIPOLE[dtype]] = 1
    points = local @ frames(kind, row).T + part(kind, row, "position")
    if kind.bodies == ("dipole",):
        at_it = points.astype(dtype) == part(kind, row, "position").astype(dtype)
        points[at_it.all(-1)] += 1
    return points


def largest_field(kind: SourceColumns, rows: np.ndarray) -> np.ndarray:
    """A bound for |H| of each magnet that has a volume."""
    strength = np.linalg.norm(part(kind, rows, "moment"), axis=-1) / volumes(kind, rows)
    return _LARGEST_FIELD * strength


@pytest.mark.slow_cases
@pytest.mark.parametrize("dtype", _TINY)
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_million_hard_points_have_values(kind: SourceColumns, dtype: str) -> None:
    """On faces, edges and corners, on their extensions, in the centre, and absurdly far away."""
    rows = hard_magnets(kind).astype(dtype).astype(np.float64)
    for row, bound in zip(rows, largest_field(kind, rows), strict=True):
        points = jnp.asarray(hard_points(kind, row, dtype), dtype)
        potential, field = superposition(kind, jnp.asarray(row[None], dtype), points)
        assert bool(jnp.isfinite(potential).all())
        assert bool(jnp.isfinite(field).all())
        assert kind.bodies == ("dipole",) or float(jnp.abs(field).max()) < bound


@pytest.mark.parametrize("kind", EXTENDED.values(), ids=EXTENDED)
def test_at_absurd_distances_a_magnet_is_its_dipole(kind: SourceColumns) -> None:
    """Up to 1e100 radii, where the field is 1e-300."""
    random = np.random.default_rng(42)
    row = random_rows(kind, random, 1)[0]
    distance = np.repeat([1e8, 1e30, 1e60, 1e100], 4)[:, None]
    points = directions(random, 16, kind.dim) * distance
    truth = each(KINDS[f"dipole in {kind.dim}D"], row[: 2 * kind.dim], points)
    for value, exact in zip(each(kind, row, points), truth, strict=True):
        np.testing.assert_allclose(value, exact, rtol=1e-13)

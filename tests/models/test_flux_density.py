"""B = mu_0 (H + M), inside bodies and outside, against magpylib's B of the same magnets."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exact_model import Exact
from magnets import KINDS, directions, random_rows

from hypermagnetics.models.model import MU_0
from hypermagnetics.sources import (
    Body,
    Cuboid,
    Dipole,
    Sphere,
    magnetisation,
    source_table,
    to_magpylib,
)


def cuboids(random: np.random.Generator) -> list[Body]:
    """Turned, of different sides, and overlapping."""
    return [
        Cuboid(
            jnp.asarray(random.normal(size=3)),
            jnp.asarray(random.uniform(-0.6, 0.6, 3)),
            jnp.asarray(random.uniform(0.5, 1.5, 3)),
            jnp.asarray(directions(random, 4)),
        )
        for _ in range(3)
    ]


def spheres(random: np.random.Generator) -> list[Body]:
    """Of different radii."""
    return [
        Sphere(
            jnp.asarray(random.normal(size=3)),
            jnp.asarray(random.uniform(-0.6, 0.6, 3)),
            jnp.asarray(random.uniform(0.3, 0.8)),
        )
        for _ in range(3)
    ]


def mixed(random: np.random.Generator) -> list[Body]:
    """All that space has."""
    dipole = Dipole(jnp.asarray(random.normal(size=3)), jnp.array([0.1, 0.2, 0.3]))
    return [*cuboids(random)[:2], dipole, *spheres(random)[:2]]


@pytest.mark.slow
@pytest.mark.parametrize("make", [cuboids, spheres, mixed])
@pytest.mark.parametrize("seed", [0, 1])
def test_it_is_that_of_magpylib(make, seed: int) -> None:  # type: ignore[no-untyped-def]
    """Where bodies overlap, too."""
    random = np.random.default_rng(seed)
    bodies = make(random)
    columns, table = source_table(bodies)
    points = random.uniform(-1.2, 1.2, (500, 3))
    inside = np.asarray(magnetisation(columns, table, jnp.asarray(points)))
    assert 20 < np.any(inside != 0, axis=1).sum() < 480
    found = jax.jit(Exact(columns).flux_density)(table, jnp.asarray(points))
    expected = to_magpylib(bodies).getB(points)
    error = np.linalg.norm(found - expected, axis=1)
    np.testing.assert_array_less(error, 1e-9 * np.linalg.norm(expected, axis=1))


def test_padding_rows_have_no_inside() -> None:
    """Rows of zeros in a table of mixed bodies, with a point where they would be."""
    random = np.random.default_rng(2)
    columns, table = source_table(mixed(random))
    padded = jnp.concatenate([table, jnp.zeros((3, table.shape[1]))])
    points = jnp.concatenate([jnp.zeros((1, 3)), jnp.asarray(random.uniform(-1, 1, (50, 3)))])
    one, other = (magnetisation(columns, rows, points) for rows in (padded, table))
    np.testing.assert_array_equal(one, other)


ON_THE_SURFACE = {
    "sphere in 3D": ([[0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.5]], [[0.5, 0, 0], [0, -0.5, 0]]),
    "cuboid in 3D": (
        [[0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 2.0, 0.5, 1.0, 0.0, 0.0, 0.0]],
        [[0.5, 0.1, 0.1], [0.2, 1.0, 0], [0.2, 0.3, -0.25], [0.5, 1.0, 0.25]],
    ),
    "disc in 2D": ([[0.0, 1.0, 0.0, 0.0, 0.5]], [[0.5, 0], [0, -0.5]]),
    "rectangle in 2D": ([[0.0, 1.0, 0.0, 0.0, 1.0, 2.0, 0.0]], [[0.5, 0.3], [-0.5, 1.0]]),
}


@pytest.mark.parametrize("name", ON_THE_SURFACE)
def test_on_a_surface_is_the_share_of_the_magnetisation_that_is_around(name: str) -> None:
    """Half of it on a face, less on edges and at corners; a hair further there is none."""
    rows, points = (jnp.array(part) for part in ON_THE_SURFACE[name])
    columns, dim = KINDS[name], KINDS[name].dim
    volumes = {
        "sphere in 3D": np.pi / 6,
        "cuboid in 3D": 1.0,
        "disc in 2D": np.pi / 4,
        "rectangle in 2D": 2.0,
    }
    inside = magnetisation(columns, rows, points)
    faces = 1
    if "rectangle" in name or "cuboid" in name:
        faces = np.isclose(np.abs(points), np.asarray(rows)[:, 2 * dim : 3 * dim] / 2).sum(axis=-1)
    whole = np.asarray(rows)[:, :dim] / volumes[name]
    expected = whole * 0.5 ** np.broadcast_to(faces, len(points))[:, None]
    np.testing.assert_allclose(inside, expected, rtol=1e-12)
    assert not magnetisation(columns, rows, points * (1 + 1e-12)).any()


@pytest.mark.slow_cases
@pytest.mark.parametrize("dim", [2, 3])
def test_dipoles_have_no_inside(dim: int) -> None:
    """B is mu_0 H at every point, the dipole's own place aside."""
    kind = KINDS[f"dipole in {dim}D"]
    random = np.random.default_rng(3)
    table = jnp.asarray(random_rows(kind, random, 5))
    points = jnp.concatenate([jnp.asarray(random.normal(size=(50, dim))), table[:, dim:] + 1e-9])
    model = Exact(kind)
    field = model.field(table, points)
    np.testing.assert_array_equal(model.flux_density(table, points), MU_0 * field)
    assert not magnetisation(kind, table, table[:, dim:]).any()

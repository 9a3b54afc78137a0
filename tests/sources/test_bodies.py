"""The bodies of a notebook: made from lists, differentiated, stacked and compiled as they are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from magnets import KINDS, random_rows
from refused import refused

from hypermagnetics.errors import SourceError
from hypermagnetics.sources import (
    Body,
    Cuboid,
    Dipole,
    Disc,
    Rectangle,
    Sphere,
    source_table,
    superposition,
)

_CLASSES: dict[str, type[Body]] = {
    "dipole in 2D": Dipole,
    "disc in 2D": Disc,
    "rectangle in 2D": Rectangle,
    "dipole in 3D": Dipole,
    "sphere in 3D": Sphere,
    "cuboid in 3D": Cuboid,
}
_POINT = np.array([[0.9, 0.4, -1.3]])
"""One point, as the tests against the reference have, so that nothing is compiled again."""

_EVERY_KIND = pytest.mark.parametrize("name", KINDS)


def magnet(name: str, row: np.ndarray) -> Body:
    """The body of a row."""
    dim = KINDS[name].dim
    sizes = row[2 * dim :]
    parts = {
        "disc": lambda: (sizes[0],),
        "sphere": lambda: (sizes[0],),
        "rectangle": lambda: (sizes[:2], sizes[2]),
        "cuboid": lambda: (sizes[:3], sizes[3:]),
    }.get(name.split()[0], tuple)()
    return _CLASSES[name](row[:dim], row[dim : 2 * dim], *parts)


def a_row(name: str) -> np.ndarray:
    """One magnet of a kind."""
    return random_rows(KINDS[name], np.random.default_rng(141), 1)[0]


@pytest.mark.slow_cases
@_EVERY_KIND
def test_a_body_is_the_table_with_its_row(name: str) -> None:
    kind, row = KINDS[name], a_row(name)
    body, points = magnet(name, row), jnp.asarray(_POINT[:, : kind.dim])
    assert body.columns == kind
    np.testing.assert_array_equal(body.row, row)
    potential, field = superposition(kind, jnp.asarray(row[None]), points)
    np.testing.assert_array_equal(body.potential(points), potential)
    np.testing.assert_array_equal(body.field(points), field)


def test_lists_numbers_and_arrays_are_all_taken() -> None:
    """With integers in them, too."""
    by_lists = Rectangle([1, 2], [0, 0.5], [1, 2])
    by_arrays = Rectangle(np.array([1.0, 2]), jnp.array([0, 0.5]), np.array([1, 2]), 0)
    np.testing.assert_array_equal(by_lists.row, by_arrays.row)
    for points in (np.array([[1, 2]]), jnp.array([[1.0, 2.0]]), np.array([[1.0, 2.0]])):
        np.testing.assert_array_equal(by_lists.field(points), by_arrays.field(points))


def test_a_body_is_unturned_unless_told() -> None:
    assert float(Rectangle([1.0, 0], [0.0, 0], [1.0, 1]).angle) == 0
    np.testing.assert_array_equal(
        Cuboid([1.0, 0, 0], [0.0, 0, 0], [1.0, 1, 1]).rotation, [1, 0, 0, 0]
    )


@_EVERY_KIND
def test_a_body_of_single_precision_stays_one(name: str) -> None:
    """Numbers that Python has no precision for, as a radius or no rotation, do not widen it."""
    dim = KINDS[name].dim
    vectors = [jnp.ones(dim, jnp.float32), jnp.zeros(dim, jnp.float32)]
    size = {
        "disc": (2,),
        "sphere": (0.5,),
        "rectangle": (jnp.ones(2, jnp.float32),),
        "cuboid": (jnp.ones(3, jnp.float32),),
    }.get(name.split()[0], ())
    assert _CLASSES[name](*vectors, *size).row.dtype == jnp.float32


@pytest.mark.slow
@pytest.mark.parametrize("name", ["disc in 2D", "cuboid in 3D"])
def test_a_body_can_be_evaluated_at_points_of_another_precision(name: str) -> None:
    dim = KINDS[name].dim
    body, points = magnet(name, a_row(name)), jnp.asarray(_POINT[:, :dim], jnp.float32)
    np.testing.assert_allclose(
        body.field(points), body.field(points.astype(jnp.float64)), rtol=1e-5, atol=1e-7
    )


@pytest.mark.slow
def test_the_gradient_of_a_body_is_a_body() -> None:
    """`jax.grad` with respect to it: each part is the derivative with respect to that part."""
    name = "sphere in 3D"
    dim, row = KINDS[name].dim, a_row(name)
    points = jnp.asarray(np.random.default_rng(142).normal(scale=3, size=(200, 3))[:, :dim])

    def loss(body: Body) -> jax.Array:
        return (body.field(points) ** 2).sum() + body.potential(points).sum()

    gradient = jax.jit(jax.grad(loss))(magnet(name, row))
    assert type(gradient) is _CLASSES[name]
    of_row = jax.jit(jax.grad(lambda row: loss(magnet(name, row))))(jnp.asarray(row))
    np.testing.assert_allclose(gradient.row, of_row, rtol=1e-12, atol=1e-14)
    assert float(jnp.abs(gradient.moment @ (magnet(name, row).moment))) > 0


@pytest.mark.slow
def test_bodies_can_be_stacked_and_mapped_over() -> None:
    """`jax.vmap` over a batch of magnets, and over their moments alone."""
    name = "sphere in 3D"
    rows = random_rows(KINDS[name], np.random.default_rng(143), 5)
    magnets = [magnet(name, row) for row in rows]
    stacked = jax.tree.map(lambda *parts: jnp.stack(parts), *magnets)
    points = jnp.asarray(_POINT)
    fields = jax.jit(jax.vmap(lambda body: body.field(points)))(stacked)
    for body, field in zip(magnets, fields, strict=True):
        np.testing.assert_allclose(field, body.field(points), rtol=1e-13)
    one = magnets[0]
    along = jax.vmap(lambda m: Sphere(m, one.position, 1.5).field(points))
    other = Sphere(one.moment, one.position, 1.5)
    np.testing.assert_allclose(along(one.moment[None])[0], other.field(points), rtol=1e-13)


def test_a_body_can_be_an_argument_of_jit() -> None:
    body, points = magnet("disc in 2D", a_row("disc in 2D")), jnp.asarray(_POINT[:, :2])
    compiled = jax.jit(lambda body, where: body.potential(where))
    np.testing.assert_allclose(compiled(body, points), body.potential(points), rtol=1e-14)


def test_a_susceptibility_makes_a_body_soft() -> None:
    """It has a column, and no field of its own; one of 0 is a hard magnet."""
    disc = Disc([0.0, 0.0], [1.0, 2.0], 0.5, susceptibility=100)
    assert disc.columns.is_soft
    np.testing.assert_array_equal(disc.row, [0, 0, 1, 2, 0.5, 100])
    with refused(SourceError, "must be of hard magnets"):
        disc.field(np.array([[3.0, 0.0]]))
    bar = Rectangle([1.0, 0.0], [0.0, 0.0], [1.0, 2.0], susceptibility=0.0)
    assert bar.susceptibility is None
    assert not bar.columns.is_soft
    columns, table = source_table([disc, bar])
    np.testing.assert_array_equal(table[:, columns.index("susceptibility")], [100, 0])
    slope = jax.grad(lambda chi: Disc([0.0, 0.0], [1.0, 2.0], 0.5, chi).row[-1])(3.0)
    assert slope == 1
    with refused(SourceError, "greater than -1"):
        Sphere([0.0] * 3, [0.0] * 3, 1.0, -1.0)
    with refused(SourceError, "susceptibility of a cuboid must be a number"):
        Cuboid([0.0] * 3, [0.0] * 3, [1.0] * 3, susceptibility=[1.0, 2.0, 3.0])

"""Every kind of body keeps the same laws, and a body without a kind is refused at once."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from magnets import KINDS as TABLES
from magnets import directions, random_rows

from hypermagnetics.sources import dipole
from hypermagnetics.sources.geometry import shape_of
from hypermagnetics.sources.kinds import KINDS, Kind, Shape
from hypermagnetics.sources.values import Rounding
from hypermagnetics.table import BODIES, SourceColumns

_EXTENDED = {name: columns for name, columns in TABLES.items() if "dipole" not in columns.bodies}
_NUM_POINTS = 1 << 16
SHARP = Rounding(jnp.asarray(1e-16), jnp.asarray(1e-16))
"""As good as no rounding."""


def one_of(columns: SourceColumns) -> tuple[Kind, Shape]:
    """A kind, and the shape of one body of it at random."""
    (body,) = columns.bodies
    rows = random_rows(columns, np.random.default_rng(3), 1)
    return KINDS[body], shape_of(columns, KINDS[body], rows)


def around(columns: SourceColumns, radius: float, number: int) -> list[np.ndarray]:
    """Components of points that fill the ball about a centre evenly."""
    random = np.random.default_rng(4)
    distance = radius * random.uniform(size=number) ** (1 / columns.dim)
    return list((distance[:, None] * directions(random, number, columns.dim)).T)


def inside_of(kind: Kind, offset: list[np.ndarray], shape: Shape) -> np.ndarray:
    """Mask of the points that are inside; none of them may be on the surface."""
    in_jax = {name: jnp.asarray(value) for name, value in shape.items()}
    share = kind.inside_share([jnp.asarray(axis) for axis in offset], in_jax, SHARP)
    assert np.isin(share, (0, 1)).all()
    return np.asarray(share) == 1


@pytest.mark.parametrize("name", TABLES)
def test_numpy_and_jax_agree(name: str) -> None:
    """One formula serves both, and gives what it is given."""
    kind, shape = one_of(TABLES[name])
    offset = around(TABLES[name], 3.0, 100)
    in_jax = {name: jnp.asarray(value) for name, value in shape.items()}
    moved = [jnp.asarray(axis) for axis in offset]
    for of_numpy, of_jax in (
        (kind.gap(offset, shape), jax.jit(kind.gap)(moved, in_jax)),
        (kind.size(shape), kind.size(in_jax)),
        (kind.outer_radius(shape), kind.outer_radius(in_jax)),
        (kind.volume(shape), kind.volume(in_jax)),
    ):
        np.testing.assert_allclose(of_numpy, of_jax, rtol=1e-14, atol=1e-14)
        assert not isinstance(of_numpy, jax.Array)


@pytest.mark.parametrize("name", TABLES)
def test_sizes_are_those_of_the_distance(name: str) -> None:
    """The ball inside touches the surface, the ball around reaches every point inside."""
    columns = TABLES[name]
    kind, shape = one_of(columns)
    centre = [np.zeros(1)] * columns.dim
    np.testing.assert_allclose(kind.gap(centre, shape), -np.asarray(kind.size(shape)), atol=1e-14)
    radius = float(np.max(kind.outer_radius(shape)))
    offset = around(columns, 1.5 * (radius or 1.0), _NUM_POINTS)
    gap, inside = kind.gap(offset, shape), inside_of(kind, offset, shape)
    np.testing.assert_array_equal(inside, gap <= 0)
    assert inside.any() != kind.is_point
    distance = np.linalg.norm(offset, axis=0)
    assert (distance[inside] <= radius).all()
    assert (gap >= distance - radius - 1e-12).all()


@pytest.mark.parametrize("name", _EXTENDED)
def test_the_volume_is_that_of_the_inside(name: str) -> None:
    """By counting random points; so is the second moment of the nodes that stand for a body."""
    columns = TABLES[name]
    kind, shape = one_of(columns)
    radius = float(np.max(kind.outer_radius(shape)))
    offset = around(columns, radius, _NUM_POINTS)
    inside = inside_of(kind, offset, shape)
    ball = np.pi * radius**2 if columns.dim == 2 else 4 / 3 * np.pi * radius**3
    np.testing.assert_allclose(inside.mean() * ball, kind.volume(shape), rtol=0.03)
    places, _ = np.polynomial.legendre.leggauss(2)
    grid = np.stack(np.meshgrid(*[places] * columns.dim, indexing="ij"), -1)
    nodes = kind.nodes(
        {key: jnp.asarray(value) for key, value in shape.items()}, grid.reshape(-1, columns.dim)
    )
    assert (nodes is None) == kind.is_dipole_outside
    if nodes is not None:
        points = np.stack([axis[inside] for axis in offset], -1)
        expected = points.T @ points / len(points)
        np.testing.assert_allclose(nodes[0].T @ nodes[0] / len(nodes[0]), expected, atol=0.03)


@pytest.mark.slow_cases
@pytest.mark.parametrize("name", _EXTENDED)
def test_points_of_the_surface_have_the_normal_of_the_distance(name: str) -> None:
    """The gap is 0 there, and its gradient the normal; corners are as far as the ball around."""
    columns = TABLES[name]
    kind, shape = one_of(columns)
    uniform = np.random.default_rng(5).uniform(size=(50, 1 + columns.dim))
    each = {key: np.repeat(value, 50) for key, value in shape.items()}
    found = kind.surface_point(each, uniform)
    assert found is not None
    points, normals = found
    np.testing.assert_allclose(kind.gap(list(points.T), each), 0, atol=1e-14)
    outside = points + 1e-3 * normals
    gradient = jax.grad(lambda at: jnp.sum(kind.gap(list(at.T), shape)))(jnp.asarray(outside))
    np.testing.assert_allclose(gradient, normals, atol=1e-9)
    corners = kind.corners({key: value[0] for key, value in shape.items()})
    if corners is not None:
        radius = np.full(len(corners), kind.outer_radius(shape))
        np.testing.assert_allclose(np.linalg.norm(corners, axis=1), radius)


@pytest.mark.slow_cases
@pytest.mark.parametrize("name", TABLES)
def test_far_away_every_kind_is_a_dipole(name: str) -> None:
    """And where it says so, everywhere outside."""
    columns = TABLES[name]
    kind, shape = one_of(columns)
    in_jax = {key: jnp.asarray(value) for key, value in shape.items()}
    moment = [jnp.asarray(part) for part in (0.3, -1.0, 0.5)[: columns.dim]]
    radius = float(np.max(kind.outer_radius(shape))) or 1.0
    for distance, agrees in ((1e4 * radius, True), (1.2 * radius, kind.is_dipole_outside)):
        far = distance * directions(np.random.default_rng(6), 20, columns.dim)
        offset = [jnp.asarray(axis) for axis in far.T]
        found = kind.values(moment, offset, in_jax, SHARP)
        expected = dipole(moment, offset)
        scale = float(jnp.abs(expected.potential).max())
        differs = float(jnp.abs(found.potential - expected.potential).max()) / scale
        assert (differs < 1e-6) == agrees


def test_each_body_has_its_kind() -> None:
    """In the order of their codes, by their own names."""
    assert {name: kind.name for name, kind in KINDS.items()} == {name: name for name in BODIES}


@pytest.mark.slow
def test_a_body_without_a_kind_is_refused_with_what_it_has_to_answer() -> None:
    """A name in the table alone: nothing imports, so nothing answers in silence."""
    code = (
        "from hypermagnetics import table\n"
        "table.BODIES = (*table.BODIES, 'cylinder')\n"
        "table.DIMENSIONS['cylinder'] = (3,)\n"
        "table.SHAPES['cylinder'] = ('radius', 'dimension_z', *table.QUATERNION)\n"
        "import hypermagnetics.sources\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    message = done.stderr.strip().splitlines()[-1]
    assert message.startswith("TypeError: Every body of hypermagnetics.table must have a kind; got")
    for answer in ("cylinder", "values", "gap", "surface_point", "nodes", "seconds_per_pair"):
        assert answer in message

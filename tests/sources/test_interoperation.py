"""Magnets that go to magpylib and come back."""

import subprocess
import sys
from collections.abc import Callable

import jax
import jax.numpy as jnp
import magpylib
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hypermagnetics.errors import HypermagneticsError, SourceError
from hypermagnetics.sources import (
    Body,
    Cuboid,
    Dipole,
    Disc,
    Rectangle,
    Sphere,
    from_magpylib,
    source_table,
    superposition,
    to_magpylib,
)

_MAGNET = {"polarization": (0.3, -0.8, 1.1)}


def random_peer(random: np.random.Generator, kind: str) -> object:
    """A magpylib magnet of millimetres to centimetres, turned and moved."""
    where = {
        "position": random.normal(size=3) * 0.02,
        "orientation": Rotation.random(rng=random),
    }
    vector = tuple(random.normal(size=3))
    if kind == "dipole":
        return magpylib.misc.Dipole(moment=vector, **where)
    if kind == "sphere":
        return magpylib.magnet.Sphere(
            polarization=vector, diameter=random.uniform(0.002, 0.02), **where
        )
    return magpylib.magnet.Cuboid(
        magnetization=1e6 * np.array(vector), dimension=random.uniform(0.002, 0.02, 3), **where
    )


def random_collection(random: np.random.Generator) -> magpylib.Collection:
    """Collections in collections, moved and turned after they were filled."""
    inner = magpylib.Collection(*(random_peer(random, k) for k in ("cuboid", "sphere")))
    inner.rotate_from_angax(70, (1, 2, 3), anchor=(0.01, 0, 0)).move((0.003, -0.02, 0.01))
    middle = magpylib.Collection(random_peer(random, "dipole"), inner, magpylib.Sensor())
    middle.rotate_from_angax(-50, "y", anchor=0)
    outer = magpylib.Collection(middle, random_peer(random, "cuboid"), magpylib.Collection())
    return outer.move((0.02, 0.01, 0)).rotate_from_angax(200, (0, 1, 1))


def bodies_of_all_kinds(random: np.random.Generator) -> list[Body]:
    """Spheres, cuboids and dipoles in space."""
    moments, positions = jnp.asarray(random.normal(size=(2, 3, 3)))
    quaternion = random.normal(size=4)
    return [
        Cuboid(
            moments[0],
            positions[0],
            jnp.asarray(random.uniform(0.5, 2, 3)),
            jnp.asarray(quaternion / np.linalg.norm(quaternion)),
        ),
        Dipole(moments[1], positions[1]),
        Sphere(moments[2], positions[2], jnp.asarray(0.7)),
    ]


def field_of(bodies: list[Body], points: np.ndarray) -> np.ndarray:
    """H [A/m] of all bodies together."""
    columns, table = source_table(bodies)
    return np.asarray(superposition(columns, table, jnp.asarray(points))[1])


def assert_equal_fields(one: np.ndarray, other: np.ndarray) -> None:
    """To 1e-9 of the length of the vector at each point."""
    error = np.linalg.norm(one - other, axis=-1)
    np.testing.assert_array_less(error, 1e-9 * np.linalg.norm(other, axis=-1))


@pytest.mark.slow_cases
@pytest.mark.parametrize("kind", ["dipole", "sphere", "cuboid"])
@pytest.mark.parametrize("seed", range(5))
def test_a_magnet_keeps_its_field(kind: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    peer = random_peer(random, kind)
    (body,) = from_magpylib(peer)
    assert body.name == kind
    points = peer.position + 0.02 * random.normal(size=(60, 3))  # inside and outside
    assert_equal_fields(field_of([body], points), magpylib.getH(peer, points))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_nested_turned_collections_keep_their_field(seed: int) -> None:
    random = np.random.default_rng(seed)
    collection = random_collection(random)
    bodies = from_magpylib(collection)
    assert [body.name for body in bodies] == ["dipole", "cuboid", "sphere", "cuboid"]
    for body, peer in zip(bodies, collection.sources_all, strict=True):
        np.testing.assert_allclose(body.position, peer.position, rtol=1e-15)
    points = 0.03 * random.normal(size=(60, 3))
    assert_equal_fields(field_of(bodies, points), magpylib.getH(collection, points))


def test_moments_are_in_the_frame_of_the_laboratory() -> None:
    """A quarter turn about z takes x to y; a magnetisation of 1 A/m in 24 m³ is 24 A m²."""
    turn = Rotation.from_euler("z", 90, degrees=True)
    peer = magpylib.magnet.Cuboid(
        magnetization=(1, 0, 0), dimension=(2, 3, 4), orientation=turn, position=(5, 6, 7)
    )
    (body,) = from_magpylib(peer)
    np.testing.assert_allclose(body.moment, (0, 24, 0), atol=1e-14)
    np.testing.assert_array_equal(body.position, (5, 6, 7))
    assert isinstance(body, Cuboid)
    np.testing.assert_array_equal(body.dimension, (2, 3, 4))
    np.testing.assert_allclose(body.rotation, (0.5**0.5, 0, 0, 0.5**0.5), atol=1e-15)
    (ball,) = from_magpylib(magpylib.magnet.Sphere(magnetization=(0, 3, 0), diameter=2))
    np.testing.assert_allclose(ball.moment, (0, 4 * np.pi, 0), rtol=1e-15)


def test_polarisation_and_magnetisation_are_one_thing() -> None:
    """J = mu0 M, with magpylib's mu0."""
    by_polarisation = magpylib.magnet.Sphere(**_MAGNET, diameter=1)
    by_magnetisation = magpylib.magnet.Sphere(
        magnetization=np.array(_MAGNET["polarization"]) / magpylib.mu_0, diameter=1
    )
    one, other = (from_magpylib(peer)[0].moment for peer in (by_polarisation, by_magnetisation))
    np.testing.assert_allclose(one, other, rtol=1e-15)


@pytest.mark.parametrize("seed", range(5))
def test_bodies_return_from_magpylib_as_they_were(seed: int) -> None:
    bodies = bodies_of_all_kinds(np.random.default_rng(seed))
    returned = from_magpylib(to_magpylib(bodies))
    assert [type(body) for body in returned] == [type(body) for body in bodies]
    for one, other in zip(returned, bodies, strict=True):
        np.testing.assert_allclose(one.moment, other.moment, rtol=1e-14, atol=1e-15)
        np.testing.assert_array_equal(one.position, other.position)
        for part, other_part in zip(one.shape(), other.shape(), strict=True):
            sign = np.sign(np.vdot(part, other_part))  # q and -q are one rotation
            np.testing.assert_allclose(sign * part, other_part, rtol=1e-14, atol=1e-15)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_magpylib_sees_the_field_of_the_bodies(seed: int) -> None:
    random = np.random.default_rng(seed)
    bodies = bodies_of_all_kinds(random)
    points = 2 * random.normal(size=(60, 3))
    assert_equal_fields(field_of(bodies, points), magpylib.getH(to_magpylib(bodies), points))


def cuboid(**others: object) -> magpylib.magnet.Cuboid:
    """A magnet that is complete unless `others` undoes it."""
    return magpylib.magnet.Cuboid(**{**_MAGNET, "dimension": (1, 2, 3), **others})


_PATH = [(0, 0, 0), (0, 0, 1), (0, 0, 2)]
_REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "positions": (
        lambda: cuboid(position=_PATH),
        r"must be at rest; got a path of 3 steps in the position of a Cuboid \(source\)",
    ),
    "orientations": (
        lambda: cuboid().rotate_from_angax([10, 20], "z", start=0),
        r"must be at rest; got a path of 2 steps in the \w+ of a Cuboid",
    ),
    "sizes": (
        lambda: magpylib.magnet.Sphere(**_MAGNET, diameter=[1, 2]),
        r"must be at rest; got a path of 2 steps in the diameter of a Sphere",
    ),
    "moments": (
        lambda: magpylib.misc.Dipole(moment=[(0, 0, 1), (0, 1, 0)]),
        r"must be at rest; got a path of 2 steps in the moment of a Dipole",
    ),
    "cylinder": (
        lambda: magpylib.magnet.Cylinder(**_MAGNET, dimension=(1, 2)),
        r"must be a magpylib Cuboid, Sphere or Dipole, .*; got Cylinder \(source\)",
    ),
    "current in a collection": (
        lambda: magpylib.Collection(
            cuboid(), magpylib.Collection(magpylib.current.Circle(current=1, diameter=1))
        ),
        r"got Circle \(source.children\[1\].children\[0\]\)\. Leave it out",
    ),
    "no magnetisation": (
        lambda: magpylib.magnet.Cuboid(dimension=(1, 2, 3)),
        r"magnetization of a Cuboid must be set; got None \(source\)\. Set it",
    ),
    "no dimension": (
        lambda: magpylib.Collection(magpylib.magnet.Cuboid(**_MAGNET)),
        r"dimension of a Cuboid must be set; got None \(source.children\[0\]\)",
    ),
    "no diameter": (
        lambda: magpylib.magnet.Sphere(**_MAGNET),
        "diameter of a Sphere must be set; got None",
    ),
    "no moment": (magpylib.misc.Dipole, "moment of a Dipole must be set; got None"),
    "infinite": (
        lambda: magpylib.misc.Dipole(moment=(0, 0, np.inf)),
        r"moment of a Dipole must be finite; got \[0.0, 0.0, inf\] \(source\)",
    ),
    "empty": (magpylib.Collection, r"must hold at least one magnet; got none \(source\)"),
    "sensors only": (
        lambda: magpylib.Collection(magpylib.Sensor()),
        "must hold at least one magnet; got none",
    ),
    "sensor": (magpylib.Sensor, r"must be a magpylib Cuboid, .*; got Sensor \(source\)"),
    "list": (lambda: [cuboid()], "got list .* put several into a Collection"),
    "body": (lambda: Dipole(jnp.ones(3), jnp.zeros(3)), r"must be a magpylib .*; got Dipole"),
    "none": (lambda: None, "got NoneType"),
}


@pytest.mark.parametrize("name", _REFUSED)
def test_what_has_no_body_is_refused(name: str) -> None:
    make, message = _REFUSED[name]
    with pytest.raises(SourceError, match=message):
        from_magpylib(make())


@pytest.mark.parametrize(
    "body",
    [
        Dipole(jnp.ones(2), jnp.zeros(2)),
        Disc(jnp.ones(2), jnp.zeros(2), jnp.asarray(1.0)),
        Rectangle(jnp.ones(2), jnp.zeros(2), jnp.ones(2)),
    ],
    ids=lambda body: body.name,
)
def test_bodies_in_the_plane_are_refused(body: Body) -> None:
    sphere = Sphere(jnp.ones(3), jnp.zeros(3), jnp.asarray(1.0))
    with pytest.raises(SourceError, match=rf"got a {body.name} in 2 dimensions \(bodies\[1\]\)"):
        to_magpylib([sphere, body])


def test_no_bodies_are_refused() -> None:
    with pytest.raises(SourceError, match="at least one body; got none"):
        to_magpylib([])


def test_a_missing_magpylib_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "magpylib", None)
    message = r"pip install 'hypermagnetics\[peers\]'"
    with pytest.raises(HypermagneticsError, match=message):
        from_magpylib(None)
    with pytest.raises(HypermagneticsError, match=message):
        to_magpylib([Dipole(jnp.ones(3), jnp.zeros(3))])


@pytest.mark.slow
def test_sources_do_not_import_magpylib() -> None:
    code = "import sys, hypermagnetics.sources; print('magpylib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.slow
@pytest.mark.parametrize("far", [0.0, 1e4])
def test_far_from_the_origin_no_digits_are_lost(far: float) -> None:
    """Where JAX is not set to float64: also in a table, and of a body made of numpy's arrays."""
    with jax.enable_x64(False):
        magnet = magpylib.magnet.Cuboid(
            polarization=(0, 0.3, 1.2), dimension=(0.01, 0.02, 0.005), position=(far, 0, 0)
        )
        at = np.random.default_rng(0).uniform(0.02, 0.03, (20, 3)) + np.array([[far, 0, 0]])
        true = magnet.getH(at)
        (body,) = from_magpylib(magnet)
        made = Cuboid(*(np.array(part) for part in (body.moment, body.position, body.dimension)))
        columns, table = source_table([body])
        for found in (body.field(at), made.field(at), superposition(columns, table, at)[1]):
            errors = np.linalg.norm(np.asarray(found) - true, axis=1) / np.linalg.norm(true, axis=1)
            assert errors.max() < 1e-9


def test_susceptibilities_go_and_come_back() -> None:
    """A number, three equal ones, or those of the collection around."""
    cube = magpylib.magnet.Cuboid(dimension=(1e-2, 2e-2, 1e-2), **_MAGNET)
    ball = magpylib.magnet.Sphere(diameter=1e-2, position=(0.1, 0, 0), **_MAGNET)
    other = magpylib.magnet.Sphere(diameter=1e-2, position=(0.2, 0, 0), **_MAGNET)
    cube.susceptibility, ball.susceptibility = 3.5, (0.2, 0.2, 0.2)
    made = from_magpylib(magpylib.Collection(cube, magpylib.Collection(ball), other))
    assert [body.susceptibility for body in made] == [3.5, 0.2, None]
    back = to_magpylib(made).children
    assert [getattr(magnet, "susceptibility", None) for magnet in back] == [3.5, 0.2, None]
    np.testing.assert_allclose(back[0].magnetization, cube.magnetization)
    whole = magpylib.Collection(other, override_parent=True)
    whole.susceptibility = 7.0
    assert from_magpylib(whole)[0].susceptibility == 7.0
    columns, table = source_table(made)
    assert columns.names[-2:] == ("susceptibility", "body")
    np.testing.assert_array_equal(table[:, columns.index("susceptibility")], [3.5, 0.2, 0])


@pytest.mark.parametrize("value", [(0.1, 0.2, 0.3), [[1.0]], (1.0, 1.0)])
def test_a_susceptibility_of_some_directions_is_refused(value: object) -> None:
    """The law of the material is isotropic."""
    ball = magpylib.magnet.Sphere(diameter=1e-2, **_MAGNET)
    ball.susceptibility = value
    with pytest.raises(SourceError, match="must be the same in all directions"):
        from_magpylib(ball)
    dipole = magpylib.misc.Dipole(moment=(1, 0, 0))
    dipole.susceptibility = 2.0
    with pytest.raises(SourceError, match="of a Dipole must be 0"):
        from_magpylib(dipole)

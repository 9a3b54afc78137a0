"""Fields against magpylib, 100 000 points a body, up to 100 sides away."""

import magpylib
import numpy as np
import pytest
from magnets import (
    CUBOID,
    KINDS,
    around,
    each,
    error_of,
    frames,
    part,
    placed,
    random_rows,
    volumes,
)
from scipy.spatial.transform import Rotation

from hypermagnetics.sources import SourceColumns

_MAGNETS, _POINTS = 100, 1000
_TOLERANCE = 1e-9


def magnets_and_points(
    kind: SourceColumns, decades: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Random magnets, and points around each, their distances from it uniform in the logarithm."""
    random = np.random.default_rng(7)
    rows = random_rows(kind, random, _MAGNETS)
    reach = 10 ** random.uniform(*decades, (_MAGNETS, _POINTS))
    return rows, placed(kind, rows, around(kind, rows, random, reach))


def peer_dipole(row: np.ndarray) -> magpylib.misc.Dipole:
    """The dipole of a row."""
    kind = KINDS["dipole in 3D"]
    return magpylib.misc.Dipole(
        moment=part(kind, row, "moment"), position=part(kind, row, "position")
    )


def peer_sphere(row: np.ndarray) -> magpylib.magnet.Sphere:
    """The sphere of a row."""
    kind = KINDS["sphere in 3D"]
    return magpylib.magnet.Sphere(
        position=part(kind, row, "position"),
        diameter=2 * part(kind, row, "radius"),
        magnetization=part(kind, row, "moment") / volumes(kind, row),
    )


def peer_cuboid(row: np.ndarray) -> magpylib.magnet.Cuboid:
    """The cuboid of a row; magpylib wants the magnetisation in its frame, the scalar part last."""
    orientation = Rotation.from_quat(np.roll(part(CUBOID, row, "rotation"), -1))
    return magpylib.magnet.Cuboid(
        position=part(CUBOID, row, "position"),
        orientation=orientation,
        dimension=part(CUBOID, row, "dimension"),
        magnetization=orientation.inv().apply(part(CUBOID, row, "moment")) / volumes(CUBOID, row),
    )


_PEERS = {
    # The object of magpylib, and how many sizes away it keeps ten digits.
    "dipole in 3D": (peer_dipole, 100),
    "sphere in 3D": (peer_sphere, 100),
    "cuboid in 3D": (peer_cuboid, 10),
}


@pytest.mark.slow_cases
@pytest.mark.parametrize("name", _PEERS)
def test_the_field_is_that_of_magpylib(name: str) -> None:
    kind, (peer, reach) = KINDS[name], _PEERS[name]
    rows, points = magnets_and_points(kind, (-3, np.log10(reach)))
    truth = np.stack([magpylib.getH(peer(row), at) for row, at in zip(rows, points, strict=True)])
    _, field = each(kind, rows[:, None], points)
    assert error_of(field, truth).max() < _TOLERANCE


@pytest.mark.parametrize("name", _PEERS)
def test_the_field_inside_is_that_of_magpylib(name: str) -> None:
    kind, (peer, _) = KINDS[name], _PEERS[name]
    random = np.random.default_rng(8)
    rows = random_rows(kind, random, 20)
    inside = around(kind, rows, random, np.zeros((20, 100))) * random.uniform(0.1, 0.99, (100, 1))
    inside += 0.1 * random.normal(size=inside.shape) if kind.bodies == ("dipole",) else 0
    points = placed(kind, rows, inside)
    truth = np.stack([magpylib.getH(peer(row), at) for row, at in zip(rows, points, strict=True)])
    _, field = each(kind, rows[:, None], points)
    assert error_of(field, truth).max() < _TOLERANCE


def test_the_field_of_cuboids_is_that_of_magpylib_up_to_100_sides_away() -> None:
    """In float64 its closed form has lost seven digits there; in extended precision few."""
    rows, points = magnets_and_points(CUBOID, (-3, 2))
    exact = np.longdouble
    assert np.finfo(exact).eps < 1e-18, "this machine has no extended precision"
    turn = frames(CUBOID, rows.astype(exact))
    local, moment = (
        np.einsum("sij,spi->spj", turn, vectors)
        for vectors in (
            points - part(CUBOID, rows.astype(exact), "position")[:, None],
            part(CUBOID, rows.astype(exact), "moment")[:, None],
        )
    )
    half = part(CUBOID, rows.astype(exact), "dimension")[:, None] / 2
    inside = (np.abs(local) < half).all(-1, keepdims=True)
    magnetisation = np.broadcast_to(moment / np.prod(2 * half, -1, keepdims=True), local.shape)
    induction = magpylib.core.magnet_cuboid_Bfield(
        observers=local.reshape(-1, 3),
        dimensions=np.broadcast_to(2 * half, local.shape).reshape(-1, 3),
        polarizations=magnetisation.reshape(-1, 3),
    ).reshape(local.shape)
    assert induction.dtype == exact
    truth = np.einsum("sij,spj->spi", turn, induction - inside * magnetisation)
    _, field = each(CUBOID, rows[:, None], points)
    assert error_of(field, truth.astype(np.float64)).max() < _TOLERANCE

"""Points near surfaces: as near as asked for, on both sides, and evenly spread."""

import numpy as np
import pytest
import scipy.stats
from scipy.spatial.transform import Rotation

from hypermagnetics.sources import BodyName, SourceColumns, uniforms
from hypermagnetics.sources.surface_points import (
    numbers_per_point,
    points_near_surfaces,
    points_on_surfaces,
)
from hypermagnetics.table import QUATERNION

COUNT = 4000
HALF_TURN = [np.cos(0.7), 0.0, 0.6 * np.sin(0.7), 0.8 * np.sin(0.7)]

# Rows [moment, position, shape] of two bodies of a kind.
BODIES: dict[BodyName, tuple[tuple[str, ...], list[list[float]]]] = {
    "disc": (("radius",), [[1.0], [0.1]]),
    "sphere": (("radius",), [[1.0], [0.1]]),
    "rectangle": (("dimension_x", "dimension_y", "angle"), [[2.0, 0.5, 0.4], [0.1, 0.3, -2.0]]),
    "cuboid": (
        ("dimension_x", "dimension_y", "dimension_z", *QUATERNION),
        [[2.0, 0.5, 1.0, *HALF_TURN], [0.1, 0.3, 0.2, 1.0, 0.0, 0.0, 0.0]],
    ),
}


def distance(body: BodyName, shape: list[float], points: np.ndarray) -> np.ndarray:
    """From the surface, negative inside; points seen from the centre."""
    if body in ("disc", "sphere"):
        return np.linalg.norm(points, axis=1) - shape[0]
    dim = points.shape[1]
    if body == "rectangle":
        c, s = np.cos(shape[2]), np.sin(shape[2])
        local = points @ np.array([[c, -s], [s, c]])
    else:
        local = Rotation.from_quat(shape[3:], scalar_first=True).inv().apply(points)
    beyond = np.abs(local) - np.array(shape[:dim]) / 2
    outside = np.linalg.norm(np.maximum(beyond, 0), axis=1)
    return np.where((beyond > 0).any(axis=1), outside, beyond.max(axis=1))


def numbers(dim: int) -> np.ndarray:
    return uniforms(0, "a", "surface", 0, COUNT, numbers_per_point(dim))


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("reach", [1e-5, 0.05, 3.0])
def test_points_are_near_the_surface_of_a_source(body: BodyName, reach: float) -> None:
    """Never farther than asked for, float32 or not; about half of them inside, half at each."""
    names, shapes = BODIES[body]
    columns = SourceColumns.of(body, varying=names)
    centres = np.arange(2 * columns.dim).reshape(2, -1) * 4.0 + 1.0
    rows = np.concatenate([np.zeros_like(centres), centres, shapes], axis=1).astype(np.float32)
    points = points_near_surfaces(columns, rows, numbers(columns.dim), reach)
    assert points.dtype == np.float32
    distances = np.stack(
        [
            distance(
                body,
                row[2 * columns.dim :].tolist(),
                points - row[None, columns.dim :][:, : columns.dim],
            )
            for row in rows.astype(np.float64)
        ]
    )
    nearest = np.abs(distances).min(axis=0)
    assert nearest.max() <= reach
    if reach < 0.1:
        assert (np.abs(distances[0]) <= reach).mean() == pytest.approx(0.5, abs=0.03)
        outside = (distances > 0).all(axis=0)
        assert outside.mean() == pytest.approx(0.5, abs=0.03)
    if reach == 0.05:  # at 1e-5, half of it is kept for rounding, as the centres are far away
        shares = np.histogram(nearest[outside], bins=5, range=(0, reach))[0] / outside.sum()
        np.testing.assert_allclose(shares, 0.2, atol=0.03)


def test_balls_are_covered_evenly() -> None:
    """Every direction is equally probable."""
    columns = SourceColumns.of("sphere", constants={"radius": 2.0})
    points = points_near_surfaces(columns, np.zeros((1, 6), np.float32), numbers(3), 0.01)
    for axis in points.T:
        assert scipy.stats.kstest(axis, "uniform", (-2, 4)).pvalue > 1e-3


@pytest.mark.parametrize("sides", [(4.0, 1.0), (4.0, 1.0, 2.0)])
def test_boxes_are_covered_by_area(sides: tuple[float, ...]) -> None:
    """A face gets its share of the surface, and is covered evenly."""
    dim = len(sides)
    names = ("dimension_x", "dimension_y", "dimension_z")[:dim]
    columns = SourceColumns.of(
        "rectangle" if dim == 2 else "cuboid", constants=dict(zip(names, sides, strict=True))
    )
    points = points_near_surfaces(columns, np.zeros((1, 2 * dim), np.float32), numbers(dim), 1e-3)
    share = np.abs(np.abs(points) - np.array(sides) / 2) <= 2e-3
    areas = np.prod(sides) / np.array(sides)
    for axis in range(dim):
        assert share[:, axis].mean() == pytest.approx(areas[axis] / areas.sum(), abs=0.03)
        on_face = points[share[:, axis]]
        assert (on_face[:, axis] > 0).mean() == pytest.approx(0.5, abs=0.06)
        for other in set(range(dim)) - {axis}:
            where = (-sides[other] / 2, sides[other])
            assert scipy.stats.kstest(on_face[:, other], "uniform", where).pvalue > 1e-4


@pytest.mark.parametrize("dim", [2, 3])
def test_points_fill_the_ball_around_a_dipole(dim: int) -> None:
    """A dipole has no surface."""
    columns = SourceColumns.of("dipole", dim=dim)
    row = np.array([[1.0] * dim + [5.0] * dim], np.float32)
    radius = np.linalg.norm(points_near_surfaces(columns, row, numbers(dim), 0.1) - 5.0, axis=1)
    assert radius.min() > 0
    assert radius.max() <= 0.1
    assert scipy.stats.kstest((radius / 0.1) ** dim, "uniform").pvalue > 1e-3


def test_bodies_may_be_mixed() -> None:
    """Each row by its own shape; all sources are equally probable."""
    columns = SourceColumns.of(
        "dipole", "disc", "rectangle", varying=["radius", "dimension_x", "dimension_y", "angle"]
    )
    assert columns.names[4:] == ("radius", "dimension_x", "dimension_y", "angle", "body")
    rows = np.array(
        [
            [0, 0, 0, 0, 0, 0, 0, 0, 0],
            [0, 0, 5, 0, 1, 0, 0, 0, 1],
            [0, 0, 0, 5, 0, 1, 2, 0.3, 2],
        ],
        np.float32,
    )
    points = points_near_surfaces(columns, rows, numbers(2), 0.01).astype(np.float64)
    near = [
        np.linalg.norm(points, axis=1) <= 0.01,
        np.abs(distance("disc", [1.0], points - [5, 0])) <= 0.01,
        np.abs(distance("rectangle", [1.0, 2.0, float(rows[2, 7])], points - [0, 5])) <= 0.01,
    ]
    np.testing.assert_allclose(np.mean(near, axis=1), 1 / 3, atol=0.03)
    np.testing.assert_array_equal(np.sum(near, axis=0), 1)


@pytest.mark.parametrize("body", BODIES)
def test_points_on_surfaces_have_outward_normals(body: BodyName) -> None:
    """Along the normal the distance to the surface is the way gone, but for edges."""
    names, shapes = BODIES[body]
    columns = SourceColumns.of(body, varying=names)
    row = np.array([*[0.0] * columns.dim, *[0.5] * columns.dim, *shapes[0]])
    points, normals = points_on_surfaces(columns, row[None], numbers(columns.dim)[:, 1:])
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1)
    for way in (0.0, 0.3, -1e-6):
        gone = distance(body, shapes[0], points + way * normals - 0.5)
        np.testing.assert_allclose(gone, way, atol=1e-7 if way == 0 else 1e-5 * abs(way) + 1e-7)

"""Signed distances: against points on the surfaces, and by their laws."""

import numpy as np
import pytest
from magnets import (
    BOXES,
    EXTENDED,
    KINDS,
    RECTANGLE,
    frames,
    half_sides,
    part,
    placed,
    random_rows,
    rows_of,
)

from hypermagnetics.sources import (
    Cuboid,
    Dipole,
    Sphere,
    body_size,
    signed_distance,
    source_table,
    vertices,
)
from hypermagnetics.table import SourceColumns

_PER_SIDE = 41


def surface_of_boxes(half: np.ndarray) -> np.ndarray:
    """Dense points (sources, points, dim) on the faces of boxes in their own frames."""
    dim = half.shape[-1]
    steps = np.linspace(-1, 1, _PER_SIDE)
    face = np.stack(np.meshgrid(*[steps] * (dim - 1)), -1).reshape(-1, dim - 1)
    unit = [np.insert(face, axis, side, axis=1) for axis in range(dim) for side in (-1, 1)]
    return np.concatenate(unit)[None] * half[:, None]


@pytest.mark.parametrize("name", BOXES)
def test_the_distance_of_a_box_is_that_of_the_nearest_point_of_its_surface(name: str) -> None:
    """The nearest of many points on it is farther by less than their spacing."""
    columns, random = BOXES[name], np.random.default_rng(0)
    rows = random_rows(columns, random, 3)
    centres = part(columns, rows, "position")
    points = np.concatenate([centre + random.normal(size=(20, columns.dim)) for centre in centres])
    half = half_sides(columns, rows)
    surface = placed(columns, rows, surface_of_boxes(half))
    nearest = np.linalg.norm(surface[:, None] - points[None, :, None], axis=-1).min(axis=-1)
    found = signed_distance(columns, rows, points)
    spacing = 2 * half.max(axis=-1, keepdims=True) / (_PER_SIDE - 1)
    assert (np.abs(found) <= nearest + 1e-12).all()
    assert (nearest - np.abs(found) <= spacing).all()
    offset = points[None] - centres[:, None]
    local = np.einsum("sij,spi->spj", frames(columns, rows), offset)
    inside = (np.abs(local) < half[:, None]).all(axis=-1)
    assert 0 < inside.sum() < inside.size
    np.testing.assert_array_equal(found < 0, inside)


@pytest.mark.parametrize("name", KINDS)
def test_distances_turn_and_move_with_the_bodies(name: str) -> None:
    """Points given in the frame of a body have the distances from the body that is not turned."""
    columns, random = KINDS[name], np.random.default_rng(1)
    rows = random_rows(columns, random, 4)
    local = random.uniform(-2, 2, (1, 50, columns.dim))
    still = rows.copy()
    still[:, columns.dim : 2 * columns.dim] = 0
    for column, value in (("angle", 0), ("rotation_w", 1), ("rotation_x", 0)):
        if columns.has(column):
            still[:, columns.index(column)] = value
    for column in ("rotation_y", "rotation_z"):
        if columns.has(column):
            still[:, columns.index(column)] = 0
    expected = signed_distance(columns, still, local[0])
    points = placed(columns, rows, np.repeat(local, len(rows), 0))
    for row, where, distance in zip(rows, points, expected, strict=True):
        found = signed_distance(columns, row[None], where)[0]
        np.testing.assert_allclose(found, distance, atol=1e-12)


@pytest.mark.parametrize("name", ["disc in 2D", "sphere in 3D"])
def test_balls_and_dipoles_are_known(name: str) -> None:
    """|d| - R, and |d|."""
    columns, random = KINDS[name], np.random.default_rng(2)
    rows, dim = random_rows(columns, random, 5), columns.dim
    points = random.normal(size=(20, dim))
    centre = np.linalg.norm(points[None] - rows[:, None, dim : 2 * dim], axis=-1)
    radius = part(columns, rows, "radius")
    found = signed_distance(columns, rows, points)
    np.testing.assert_allclose(found, centre - radius[:, None], atol=1e-14)
    np.testing.assert_array_equal(body_size(columns, rows), radius)
    dipole = SourceColumns.of("dipole", dim=dim)
    found = signed_distance(dipole, rows[:, : 2 * dim], points)
    np.testing.assert_allclose(found, centre, rtol=1e-14)
    assert not body_size(dipole, rows[:, : 2 * dim]).any()


@pytest.mark.parametrize("name", EXTENDED)
def test_the_size_is_the_largest_distance_inside(name: str) -> None:
    """That of the centre, from which the largest ball inside is drawn."""
    columns = EXTENDED[name]
    rows = random_rows(columns, np.random.default_rng(3), 6)
    centres = part(columns, rows, "position")
    inside = -np.diag(signed_distance(columns, rows, centres))
    np.testing.assert_allclose(inside, body_size(columns, rows), rtol=1e-14)


@pytest.mark.parametrize("name", BOXES)
def test_corners_lie_on_the_surface_and_around_the_centre(name: str) -> None:
    """All 2^dim of them, half a diagonal from it."""
    columns = BOXES[name]
    for row in random_rows(columns, np.random.default_rng(4), 4):
        corners = vertices(columns, row)
        assert corners is not None
        assert len(np.unique(corners.round(9), axis=0)) == 2**columns.dim
        np.testing.assert_allclose(signed_distance(columns, row[None], corners), 0, atol=1e-14)
        centre = part(columns, row[None], "position")[0]
        np.testing.assert_allclose(corners.mean(axis=0), centre, atol=1e-14)
        reach = np.linalg.norm(half_sides(columns, row[None]))
        np.testing.assert_allclose(np.linalg.norm(corners - centre, axis=1), reach)


def test_each_row_of_a_mixture_is_its_own_body() -> None:
    """Whatever is in the columns that a body has no use for."""
    vector = [0.0, 0.0, 1.0]
    bodies = [
        Cuboid(vector, [1.0, 0.0, 0.0], [1.0, 2.0, 3.0], [0.6, 0.0, 0.8, 0.0]),
        Dipole(vector, [0.0, 2.0, 0.0]),
        Sphere(vector, [0.0, 0.0, -2.0], 0.7),
    ]
    columns, rows = source_table(bodies)
    rows, points = np.asarray(rows), np.random.default_rng(5).normal(size=(30, 3))
    found = signed_distance(columns, rows, points)
    for body, distance, size in zip(bodies, found, body_size(columns, rows), strict=True):
        row = np.asarray(body.row)[None]
        np.testing.assert_array_equal(distance, signed_distance(body.columns, row, points)[0])
        assert size == body_size(body.columns, row)[0]
    assert vertices(columns, rows[0]) is not None
    assert vertices(columns, rows[1]) is None


def test_sizes_and_rotation_may_be_shared_by_all_rows() -> None:
    """A constant is the same as a column that holds it everywhere."""
    columns, random = RECTANGLE, np.random.default_rng(6)
    rows = rows_of(
        columns,
        moment=random.normal(size=(3, 2)),
        position=random.normal(size=(3, 2)),
        dimension=np.array([1.0, 2.0]),
        angle=0.3,
    )
    constants = {"dimension_x": 1.0, "dimension_y": 2.0, "angle": 0.3}
    shared = SourceColumns.of("rectangle", constants=constants)
    points = random.normal(size=(10, 2))
    np.testing.assert_array_equal(
        signed_distance(shared, rows[:, :4], points), signed_distance(columns, rows, points)
    )

"""What a plane cuts of bodies, and the arrows in it."""

import numpy as np
import pytest

from hypermagnetics.pictures.outlines import bodies_in_plane
from hypermagnetics.sources import (
    Cuboid,
    Dipole,
    Disc,
    Rectangle,
    SourceColumns,
    Sphere,
    signed_distance,
    source_table,
)

HEIGHT = 0.5


@pytest.fixture(scope="module")
def table() -> tuple[SourceColumns, np.ndarray]:
    """Bodies in space; rows 0, 1, 3 and 5 are cut by the plane or near it."""
    moment = [1.0, 2.0, 0.5]
    turned = np.array([0.8, 0.2, -0.4, 0.3])
    columns, rows = source_table(
        [
            Cuboid(moment, [0.0, 0.0, HEIGHT], [1.0, 1.5, 2.0], turned / np.linalg.norm(turned)),
            Sphere(moment, [1.0, 1.0, 1.0], 0.8),
            Sphere(moment, [-1.0, 1.0, -0.5], 0.8),
            Cuboid(moment, [1.0, -1.0, 0.6], [1.0, 1.0, 1.0]),
            Cuboid(moment, [-1.0, -1.0, 1.8], [1.0, 1.0, 1.0]),
            Dipole(moment, [-2.0, 0.0, 0.4]),
            Dipole(moment, [2.0, 0.0, 1.4]),
        ]
    )
    return columns, np.asarray(rows, np.float32)


def test_outlines_lie_on_the_surfaces_and_in_the_plane(table):
    columns, rows = table
    outlines, _ = bodies_in_plane(columns, rows, HEIGHT, 0.3)
    for row, outline in zip(rows[[0, 1, 3]], outlines, strict=True):
        points = np.insert(outline, 2, HEIGHT, axis=1)
        np.testing.assert_allclose(signed_distance(columns, row[None], points), 0, atol=1e-6)
        # Between neighbours it runs inside: it is convex, and in order.
        between = (points + np.roll(points, 1, axis=0)) / 2
        assert signed_distance(columns, row[None], between).max() < 1e-6
    assert len(outlines[2]) == 4


@pytest.mark.parametrize("across", [0, 1, 2])
def test_planes_across_any_axis_cut_at_the_surfaces(table, across):
    columns, rows = table
    outlines, arrows = bodies_in_plane(columns, rows, 0.1, 0.3, across)
    assert len(outlines) > 0
    for outline in outlines:
        points = np.insert(outline, across, 0.1, axis=1)
        nearest = np.abs(signed_distance(columns, rows, points)).min(axis=0)
        np.testing.assert_allclose(nearest, 0, atol=1e-6)
    along = arrows[:, 1] - arrows[:, 0]
    moment = np.delete([1.0, 2.0, 0.5], across)
    np.testing.assert_allclose(along[:, 0] * moment[1], along[:, 1] * moment[0], atol=1e-6)


def test_arrows_show_the_moment_in_the_plane(table):
    columns, rows = table
    _, arrows = bodies_in_plane(columns, rows, HEIGHT, 0.3)
    along = arrows[:, 1] - arrows[:, 0]
    np.testing.assert_allclose(along[:, 1], 2 * along[:, 0])
    np.testing.assert_allclose(arrows.mean(axis=1), rows[[0, 1, 3, 5], 3:5], atol=1e-6)
    _, arrows = bodies_in_plane(columns, rows, HEIGHT, 0.05)
    assert len(arrows) == 3


def test_a_plane_through_corners_cuts_a_whole_polygon():
    turned = [np.cos(np.pi / 8), np.sin(np.pi / 8), 0.0, 0.0]
    columns, rows = source_table(
        [Cuboid([1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0], turned)]
    )
    (outline,), _ = bodies_in_plane(columns, np.asarray(rows), 0.0, 1.0)
    x, y = outline.T
    area = 0.5 * abs(np.sum(x * np.roll(y, 1) - y * np.roll(x, 1)))
    assert area == pytest.approx(np.sqrt(2), rel=1e-6)


def test_arrows_in_two_dimensions_are_sized_to_the_bodies():
    weak, strong = [0.01, 0.0], [1.0, 0.0]
    bodies = [
        Disc(weak, [-2.0, 0.0], 0.5),
        Disc(strong, [0.0, 0.0], 0.5),
        Rectangle([64.0, 0.0], [0.0, 2.0], [9.0, 8.0], 0.3),
        Dipole(weak, [2.0, 0.0]),
    ]
    columns, rows = source_table(bodies)
    rows = np.asarray(rows)
    outlines, arrows = bodies_in_plane(columns, rows, None, 0.3)
    lengths = np.linalg.norm(arrows[:, 1] - arrows[:, 0], axis=1)
    np.testing.assert_allclose(lengths, [0.3, 0.7, 5.6, 0.42])
    for row, outline in zip(rows[:3], outlines, strict=True):
        np.testing.assert_allclose(signed_distance(columns, row[None], outline), 0, atol=1e-12)


def test_sources_without_a_moment_have_arrows_of_no_length():
    columns, rows = source_table([Disc([0.0, 0.0], [1.0, 0.0], 0.5), Dipole([0.0, 0.0], [0, 0])])
    _, arrows = bodies_in_plane(columns, np.asarray(rows), None, 0.3)
    np.testing.assert_allclose(arrows[:, 0], [[1, 0], [0, 0]], atol=1e-15)
    np.testing.assert_array_equal(arrows[:, 1], arrows[:, 0])

"""Moving, turning, reflecting and scaling everything changes nothing but names."""

import itertools

import numpy as np
import pytest
from magnets import (
    CUBOID,
    EXTENDED,
    KINDS,
    RECTANGLE,
    around,
    directions,
    each,
    error_of,
    frames,
    part,
    placed,
    random_rows,
    rows_of,
    within,
)

from hypermagnetics.sources import SourceColumns

_MAGNETS = 20
_EVERY_KIND = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def magnets_and_points(kind: SourceColumns) -> tuple[np.ndarray, np.ndarray]:
    """Random magnets and points inside and outside, up to beyond the seam."""
    random = np.random.default_rng(81)
    rows = random_rows(kind, random, _MAGNETS)
    local = around(kind, rows, random, 10 ** random.uniform(-2, 5, (_MAGNETS, 30)))
    if kind in EXTENDED.values():
        local = np.concatenate([local, within(kind, rows, random, 10)], axis=1)
    return rows, placed(kind, rows, local)


def put(kind: SourceColumns, rows: np.ndarray, **parts: np.ndarray) -> np.ndarray:
    """The rows with some of their vectors or columns replaced."""
    names = ("moment", "position", "radius", "dimension", "angle", "rotation")
    kept = {name: part(kind, rows, name) for name in names if part(kind, rows, name).size}
    return rows_of(kind, **(kept | parts))


def product(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """The quaternion that turns by q, then by p."""
    w, v = p[..., :1] * q[..., :1], np.cross(p[..., 1:], q[..., 1:])
    w = w - (p[..., 1:] * q[..., 1:]).sum(-1, keepdims=True)
    return np.concatenate([w, v + p[..., :1] * q[..., 1:] + q[..., :1] * p[..., 1:]], -1)


def assert_same(values: tuple, others: tuple, tolerance: float = 1e-12) -> None:
    """Potentials and fields agree but for rounding."""
    assert error_of(others[1], values[1]).max() < tolerance
    largest = np.abs(values[0]).max(-1, keepdims=True)
    np.testing.assert_array_less(
        np.abs(others[0] - values[0]), tolerance * (largest + np.abs(values[0]))
    )


@_EVERY_KIND
@pytest.mark.parametrize("exponent", [-60, -7, 13, 60])
def test_there_is_no_scale_of_length(kind: SourceColumns, exponent: int) -> None:
    """Lengths times c and moments times c^dim make phi times c, and the same H.

    A power of two rounds nothing at all.
    """
    rows, points = magnets_and_points(kind)
    scale = 2.0**exponent
    larger = put(
        kind,
        rows,
        moment=part(kind, rows, "moment") * scale**kind.dim,
        position=part(kind, rows, "position") * scale,
        radius=part(kind, rows, "radius") * scale,
        dimension=part(kind, rows, "dimension") * scale,
    )
    phi, h = each(kind, rows[:, None], points)
    larger_phi, larger_h = each(kind, larger[:, None], points * scale)
    np.testing.assert_array_equal(larger_phi, phi * scale)
    np.testing.assert_array_equal(larger_h, h)


@_EVERY_KIND
def test_moving_everything_changes_nothing(kind: SourceColumns) -> None:
    rows, points = magnets_and_points(kind)
    move = np.array([0.25, -0.5, 0.125])[: kind.dim]
    moved = put(kind, rows, position=part(kind, rows, "position") + move)
    assert_same(each(kind, rows[:, None], points), each(kind, moved[:, None], points + move))


@_EVERY_KIND
def test_turning_everything_turns_the_field(kind: SourceColumns) -> None:
    random = np.random.default_rng(82)
    rows, points = magnets_and_points(kind)
    turn = directions(random, _MAGNETS, 4)
    angle = random.uniform(-np.pi, np.pi, _MAGNETS)
    by = (CUBOID, rows_of(CUBOID, rotation=turn))
    if kind.dim == 2:
        by = (RECTANGLE, rows_of(RECTANGLE, angle=angle))
    matrix = frames(*by)
    parts = {name: part(kind, rows, name) for name in ("moment", "position")}
    parts = {name: np.einsum("sij,sj->si", matrix, vector) for name, vector in parts.items()}
    if kind.has("angle"):
        parts["angle"] = part(kind, rows, "angle") + angle
    if kind.has("rotation_w"):
        parts["rotation"] = product(turn, part(kind, rows, "rotation"))
    turned = put(kind, rows, **parts)
    phi, h = each(kind, rows[:, None], points)
    found = each(kind, turned[:, None], np.einsum("sij,spj->spi", matrix, points))
    assert_same((phi, np.einsum("sij,spj->spi", matrix, h)), found, 1e-11)


@_EVERY_KIND
def test_a_mirror_image_has_the_mirrored_field(kind: SourceColumns) -> None:
    """Reflected along x with m as a polar vector: phi stays, H is reflected."""
    rows, points = magnets_and_points(kind)
    mirror = np.array([-1.0, 1, 1])[: kind.dim]
    parts = {name: part(kind, rows, name) * mirror for name in ("moment", "position")}
    if kind.has("angle"):
        parts["angle"] = -part(kind, rows, "angle")
    if kind.has("rotation_w"):
        parts["rotation"] = part(kind, rows, "rotation") * [1, 1, -1, -1]
    mirrored = put(kind, rows, **parts)
    phi, h = each(kind, rows[:, None], points)
    assert_same((phi, h * mirror), each(kind, mirrored[:, None], points * mirror))


def test_a_quaternion_and_its_opposite_are_one_rotation() -> None:
    """To the last bit."""
    rows, points = magnets_and_points(CUBOID)
    opposite = put(CUBOID, rows, rotation=-part(CUBOID, rows, "rotation"))
    values, others = (each(CUBOID, table[:, None], points) for table in (rows, opposite))
    for value, other in zip(values, others, strict=True):
        np.testing.assert_array_equal(other, value)


def test_the_rounding_of_a_quaternion_does_not_change_its_rotation() -> None:
    """Its norm may be 1 to six digits only; it is divided by it."""
    rows, points = magnets_and_points(CUBOID)
    longer = put(CUBOID, rows, rotation=part(CUBOID, rows, "rotation") * (1 + 5e-6))
    assert_same(*(each(CUBOID, table[:, None], points) for table in (rows, longer)))


def test_a_turn_of_a_rectangle_by_pi_is_no_turn() -> None:
    rows, points = magnets_and_points(RECTANGLE)
    for turns in (1, 2, -3):
        other = put(RECTANGLE, rows, angle=part(RECTANGLE, rows, "angle") + turns * np.pi)
        assert_same(*(each(RECTANGLE, table[:, None], points) for table in (rows, other)))


def test_exchanging_the_sides_of_a_rectangle_is_a_quarter_turn() -> None:
    rows, points = magnets_and_points(RECTANGLE)
    other = put(
        RECTANGLE,
        rows,
        dimension=part(RECTANGLE, rows, "dimension")[:, ::-1],
        angle=part(RECTANGLE, rows, "angle") + np.pi / 2,
    )
    assert_same(*(each(RECTANGLE, table[:, None], points) for table in (rows, other)))


def test_renaming_the_axes_of_a_cuboid_renames_the_components() -> None:
    """In all six orders of the sides: the closed form is written for one of them."""
    random = np.random.default_rng(83)
    rows, points = magnets_and_points(CUBOID)
    sides = part(CUBOID, rows, "dimension")
    sides[::2, 1] = sides[::2, 0]  # two of them equal, too
    parts = {"moment": part(CUBOID, rows, "moment"), "dimension": sides}
    local = within(CUBOID, rows, random, 5)
    points = np.concatenate([points - part(CUBOID, rows, "position")[:, None], local], axis=1)
    phi, h = each(CUBOID, rows_of(CUBOID, **parts)[:, None], points)
    for order in itertools.permutations(range(3)):
        renamed = rows_of(CUBOID, **{name: v[:, order] for name, v in parts.items()})
        found = each(CUBOID, renamed[:, None], points[..., order])
        assert_same((phi, h[..., order]), found, 1e-13)

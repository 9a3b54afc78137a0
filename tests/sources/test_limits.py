"""What bodies become when they shrink, are far away, grow, or are cut into pieces."""

import itertools

import numpy as np
import pytest
from magnets import (
    BOXES,
    CUBOID,
    EXTENDED,
    KINDS,
    RECTANGLE,
    directions,
    each,
    error_of,
    frames,
    half_sides,
    part,
    placed,
    potential_scale,
    random_rows,
    rows_of,
    sizes,
)

from hypermagnetics.sources import SourceColumns

_MAGNETS = 20
_EVERY_BODY = pytest.mark.parametrize("kind", EXTENDED.values(), ids=EXTENDED)
_BALLS = {2: KINDS["disc in 2D"], 3: KINDS["sphere in 3D"]}


def dipoles(kind: SourceColumns, rows: np.ndarray) -> tuple[SourceColumns, np.ndarray]:
    """The dipoles of magnets."""
    return KINDS[f"dipole in {kind.dim}D"], rows[:, : 2 * kind.dim]


@_EVERY_BODY
def test_a_magnet_of_vanishing_size_is_a_dipole(kind: SourceColumns) -> None:
    """The limit of the sides to zero at a fixed moment, down to sizes of 1e-60."""
    random = np.random.default_rng(91)
    rows = random_rows(kind, random, _MAGNETS)
    lengths = [i for i, name in enumerate(kind.names) if name.startswith(("radius", "dimension"))]
    points = part(kind, rows, "position")[:, None] + directions(random, _MAGNETS, 30, kind.dim)
    truth = each(*((d := dipoles(kind, rows))[0], d[1][:, None]), points)
    for size in (1e-8, 1e-20, 1e-60):
        small = rows.copy()
        small[:, lengths] *= size
        potential, field = each(kind, small[:, None], points)
        assert error_of(field, truth[1]).max() < 1e-14
        np.testing.assert_allclose(potential, truth[0], rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("ratio", [1, 4])
@_EVERY_BODY
def test_far_away_a_magnet_is_its_dipole(kind: SourceColumns, ratio: float) -> None:
    """A ball is one outside, boxes to second order in size over distance, equal-sided to fourth."""
    random = np.random.default_rng(92)
    rows = random_rows(kind, random, _MAGNETS, ratio)
    towards = directions(random, _MAGNETS, 50, kind.dim) * sizes(kind, rows)[:, None, None]
    distances = np.array([5.0, 10.0, 20.0, 40.0])
    errors = []
    for distance in distances:
        points = part(kind, rows, "position")[:, None] + distance * towards
        dipole, its_rows = dipoles(kind, rows)
        truth = each(dipole, its_rows[:, None], points)[1]
        errors.append(np.median(error_of(each(kind, rows[:, None], points)[1], truth)))
    if kind.has("radius"):
        assert max(errors) < 1e-15
    else:
        order = -np.polyfit(np.log(distances), np.log(errors), 1)[0]
        assert order == pytest.approx(4 if ratio == 1 else 2, abs=0.2)


@pytest.mark.parametrize("kind", BOXES.values(), ids=BOXES)
def test_an_equal_sided_box_far_away_is_the_ball_of_its_moment(kind: SourceColumns) -> None:
    """They share their second order, which is nothing."""
    random = np.random.default_rng(93)
    rows = random_rows(kind, random, _MAGNETS, ratio=1)
    ball = _BALLS[kind.dim]
    parts = {name: part(kind, rows, name) for name in ("moment", "position")}
    balls = rows_of(ball, **parts, radius=0.5)
    for distance, tolerance in ((30.0, 1e-6), (300.0, 1e-10), (1e4, 1e-14)):
        towards = distance * directions(random, _MAGNETS, 50, kind.dim)
        points = part(kind, rows, "position")[:, None] + towards
        (phi, h), (ball_phi, ball_h) = (
            each(columns, table[:, None], points)
            for columns, table in ((kind, rows), (ball, balls))
        )
        assert error_of(h, ball_h).max() < tolerance
        scale = potential_scale(ball, balls[:, None], points)
        assert (np.abs(phi - ball_phi) / scale).max() < tolerance


def test_a_very_long_cuboid_is_a_rectangle() -> None:
    """The plane is the limit of a bar, of second order in width over length.

    Moments become moments per length, and no field is left along the bar.
    """
    random = np.random.default_rng(94)
    flat = random_rows(RECTANGLE, random, _MAGNETS)
    length = 1e7
    zeros = np.zeros((_MAGNETS, 1))
    turn = part(RECTANGLE, flat, "angle")[:, None] / 2
    long = rows_of(
        CUBOID,
        moment=np.concatenate([part(RECTANGLE, flat, "moment") * length, zeros], -1),
        position=np.concatenate([part(RECTANGLE, flat, "position"), zeros], -1),
        dimension=np.concatenate([part(RECTANGLE, flat, "dimension"), zeros + length], -1),
        rotation=np.concatenate([np.cos(turn), zeros, zeros, np.sin(turn)], -1),
    )
    points = random.normal(scale=2, size=(_MAGNETS, 40, 2))
    phi, h = each(RECTANGLE, flat[:, None], points)
    in_space = np.concatenate([points, np.zeros((_MAGNETS, 40, 1))], -1)
    long_phi, long_h = each(CUBOID, long[:, None], in_space)
    expected = np.concatenate([h, np.zeros((_MAGNETS, 40, 1))], -1)
    scale = potential_scale(RECTANGLE, flat[:, None], points)
    assert (np.abs(long_phi - phi) / scale).max() < 1e-11
    assert error_of(long_h, expected).max() < 1e-11


def cut(kind: SourceColumns, row: np.ndarray, where: np.ndarray) -> np.ndarray:
    """The pieces of a box that is cut across all its axes; `where` is a part of each side."""
    pieces = []
    sides, turn = part(kind, row, "dimension"), frames(kind, row)
    for lower in itertools.product((True, False), repeat=kind.dim):
        share = np.where(lower, where, 1 - where)
        centre = np.where(lower, where - 1, where) / 2 * sides
        piece = row.copy()
        piece[: kind.dim] *= np.prod(share)
        piece[kind.dim : 2 * kind.dim] += turn @ centre
        piece[kind.index("dimension_x") :][: kind.dim] = sides * share
        pieces.append(piece)
    return np.array(pieces)


@pytest.mark.parametrize("where", [0.5, 0.25, [0.125, 0.5, 0.75]], ids=str)
@pytest.mark.parametrize("kind", BOXES.values(), ids=BOXES)
def test_the_pieces_of_a_box_make_the_whole(kind: SourceColumns, where: float | list) -> None:
    """Four pieces of a rectangle, eight of a cuboid, at points anywhere off the cuts."""
    random = np.random.default_rng(95)
    rows = random_rows(kind, random, 4)
    share = np.broadcast_to(where, 3)[: kind.dim]
    local = random.uniform(-2, 2, (4, 300, kind.dim)) * half_sides(kind, rows)[:, None]
    local[:, 100:] *= 10 ** random.uniform(0, 6, (4, 200, 1))
    for row, points in zip(rows, placed(kind, rows, local), strict=True):
        phi, h = each(kind, row, points)
        pieces = [values.sum(0) for values in each(kind, cut(kind, row, share)[:, None], points)]
        assert error_of(pieces[1], h).max() < 1e-11
        scale = potential_scale(kind, row, points)
        assert (np.abs(pieces[0] - phi) / scale).max() < 1e-12

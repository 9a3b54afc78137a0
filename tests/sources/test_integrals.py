"""Closed forms against sums over charges and dipoles, point by point, wherever it may be hard."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest
from charge_integrals import box_values, disc_values, surface_charges, volume_dipoles
from magnets import (
    BOXES,
    KINDS,
    directions,
    each,
    error_of,
    frames,
    half_sides,
    part,
    placed,
    random_rows,
    rows_of,
)

from hypermagnetics.sources import SourceColumns
from hypermagnetics.sources.kinds.rounding import ROUNDINGS

_MAGNETS, _POINTS = 12, 6
_TOLERANCE = 1e-12

Place = Literal["far", "within", "at", "beyond"]


def coordinates(
    half: np.ndarray, places: tuple[Place, ...], random: np.random.Generator, offset: float
) -> np.ndarray:
    """Points whose coordinates lie within the sides, beyond them, or `offset` off a face.

    Which axis gets which place is random.
    """
    count, dim = half.shape
    shape = (count, _POINTS, dim)
    drawn = {
        "far": half[:, None] * 10 ** random.uniform(0.5, 2, shape),
        "within": half[:, None] * random.uniform(0.01, 0.99, shape),
        "at": half[:, None] + offset * random.uniform(-1, 1, shape),
        "beyond": half[:, None] * random.uniform(1.1, 3, shape),
    }
    order = random.permuted(np.broadcast_to(np.arange(dim), shape), axis=-1)
    chosen = np.zeros(shape)
    for axis, place in enumerate(places[:dim]):
        chosen = np.where(order == axis, drawn[place], chosen)
    return chosen * random.choice([-1.0, 1.0], shape)


def box_truth(kind: SourceColumns, rows: np.ndarray, local: np.ndarray) -> tuple:
    """Potential and field of every box at its points in its frame, field in space."""
    turn = frames(kind, rows)
    moment = np.einsum("sij,si->sj", turn, part(kind, rows, "moment"))
    sides = part(kind, rows, "dimension")
    values = [
        [box_values(m, point, side) for point in points]
        for m, side, points in zip(moment, sides, local, strict=True)
    ]
    potential = np.array([[phi for phi, _ in row] for row in values])
    field = np.array([[h for _, h in row] for row in values])
    return potential, np.einsum("sij,spj->spi", turn, field)


_REGIONS: dict[str, tuple[tuple[Place, ...], float]] = {
    "inside": (("within", "within", "within"), 0.0),
    "beside a face": (("at", "within", "within"), 0.01),
    "beside an edge": (("at", "at", "within"), 0.01),
    "beside a corner": (("at", "at", "at"), 0.01),
    "on the extension of a face": (("at", "beyond", "beyond"), 1e-14),
    "on the extension of an edge": (("at", "at", "beyond"), 1e-14),
    "before a face": (("beyond", "within", "within"), 0.0),
    "before an edge": (("beyond", "beyond", "within"), 0.0),
    "before a corner": (("beyond", "beyond", "beyond"), 0.0),
    "far along an axis": (("far", "within", "within"), 0.0),
    "far": (("far", "far", "far"), 0.0),
}


@pytest.mark.parametrize("region", _REGIONS)
@pytest.mark.parametrize("kind", BOXES.values(), ids=BOXES)
def test_a_box_has_the_values_of_its_charges(kind: SourceColumns, region: str) -> None:
    random = np.random.default_rng(11)
    rows = random_rows(kind, random, _MAGNETS)
    rows[:, kind.dim : 2 * kind.dim] = 0
    places, offset = _REGIONS[region]
    if kind.dim == 2 and places == ("at", "at", "beyond"):
        places = ("at", "beyond", "beyond")
    local = coordinates(half_sides(kind, rows), places, random, offset)
    assert_equal(each(kind, rows[:, None], placed(kind, rows, local)), box_truth(kind, rows, local))


def assert_equal(values: tuple, truth: tuple) -> None:
    """Fields differ by little of their length."""
    assert_potentials_equal(values[0], truth[0])
    assert error_of(values[1], truth[1]).max() < _TOLERANCE


def assert_potentials_equal(potential: np.ndarray, truth: np.ndarray) -> None:
    """Potentials differ by little of what they are for the same magnet elsewhere."""
    scale = np.linalg.norm(truth, axis=-1, keepdims=True)
    assert (np.abs(potential - truth) / scale).max() < _TOLERANCE


@pytest.mark.parametrize("distance", [1e-4, 1e-7, 1e-10, 1e-13])
@pytest.mark.parametrize("kind", BOXES.values(), ids=BOXES)
def test_near_an_edge_the_field_is_right_up_to_rounding_of_the_point(
    kind: SourceColumns, distance: float
) -> None:
    """The field changes by about eps / distance when a coordinate changes by eps."""
    random = np.random.default_rng(12)
    rows = random_rows(kind, random, _MAGNETS)
    rows = rows_of(kind, moment=part(kind, rows, "moment"), dimension=part(kind, rows, "dimension"))
    local = coordinates(half_sides(kind, rows), ("at", "at", "within"), random, distance)
    potential, field = each(kind, rows[:, None], local)
    true_potential, true_field = box_truth(kind, rows, local)
    gap = np.sort(np.abs(np.abs(local) - half_sides(kind, rows)[:, None]), -1)[..., :2]
    rounding = np.finfo(np.float64).eps / np.linalg.norm(gap, axis=-1)
    # Points on a face but for rounding have the mean of its two sides.
    reach = np.linalg.norm(half_sides(kind, rows), axis=-1)[:, None]
    off = gap[..., 0] > ROUNDINGS * np.finfo(np.float64).eps * reach
    assert off.mean() > 0.9
    assert (error_of(field, true_field) / (1e-14 + rounding))[off].max() < 2
    assert_potentials_equal(potential, true_potential)


def test_a_disc_has_the_values_of_its_charges() -> None:
    kind, random = KINDS["disc in 2D"], np.random.default_rng(13)
    rows = random_rows(kind, random, _MAGNETS)
    distance = np.array([0.0, 0.3, 0.95, 1.05, 2.0, 30.0])
    d = distance[:, None] * directions(random, _MAGNETS, 6, 2) * half_sides(kind, rows)[:, None]
    truth = [
        [disc_values(part(kind, row, "moment"), point, part(kind, row, "radius")) for point in at]
        for row, at in zip(rows, d, strict=True)
    ]
    potential = np.array([[phi for phi, _ in row] for row in truth])
    field = np.array([[h for _, h in row] for row in truth])
    assert_equal(each(kind, rows[:, None], placed(kind, rows, d)), (potential, field))


@pytest.mark.parametrize("dim", [2, 3])
def test_charges_and_dipoles_of_a_box_agree(dim: int) -> None:
    """The two integrals share nothing; both are exact from 4 to 40 half diagonals."""
    random = np.random.default_rng(14)
    methods: tuple[Callable, ...] = (surface_charges, volume_dipoles)
    for distance in (4, 12, 40):
        sides = 4 ** random.uniform(-0.5, 0.5, dim)
        point = directions(random, dim) * distance * np.linalg.norm(sides) / 2
        exact = [np.asarray(v, np.longdouble) for v in (random.normal(size=dim), point, sides)]
        (phi, field), (other_phi, other_field) = (method(*exact) for method in methods)
        assert abs(phi / other_phi - 1) < 1e-14
        assert error_of(np.float64(field), np.float64(other_field)) < 1e-14

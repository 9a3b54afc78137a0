"""Laws of magnetostatics off the surfaces, for every body."""

import numpy as np
import pytest
from magnets import (
    DIPOLES,
    EXTENDED,
    KINDS,
    around,
    each,
    error_of,
    half_sides,
    jacobians,
    part,
    placed,
    random_rows,
    rows_of,
    volumes,
    within,
)

from hypermagnetics.sources import SourceColumns

_MAGNETS = 20
_EVERY_KIND = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def magnets_and_points(kind: SourceColumns) -> tuple[np.ndarray, np.ndarray]:
    """Random magnets, and points inside (but of dipoles), near and far."""
    random = np.random.default_rng(61)
    rows = random_rows(kind, random, _MAGNETS)
    reach = 10 ** random.uniform(-2, 5, (_MAGNETS, 30))
    local = around(kind, rows, random, reach)
    if kind in EXTENDED.values():
        local = np.concatenate([local, within(kind, rows, random, 30)], axis=1)
    return rows, placed(kind, rows, local)


@pytest.mark.slow_cases
@_EVERY_KIND
def test_the_field_is_minus_the_gradient_of_the_potential(kind: SourceColumns) -> None:
    rows, points = magnets_and_points(kind)
    _, field = each(kind, rows[:, None], points)
    assert error_of(-jacobians(kind, rows, points)[:, :, 0], field).max() < 1e-13


@pytest.mark.slow_cases
@_EVERY_KIND
def test_the_field_has_neither_sources_nor_curls(kind: SourceColumns) -> None:
    """Div H = 0, so Laplace's equation holds, and curl H = 0: inside and outside."""
    rows, points = magnets_and_points(kind)
    jacobian = jacobians(kind, rows, points)[:, :, 1:]
    _, field = each(kind, rows[:, None], points)
    away = np.linalg.norm(points - part(kind, rows, "position")[:, None], axis=-1)
    scale = np.linalg.norm(jacobian, axis=(-1, -2)) + 1e-3 * np.linalg.norm(field, axis=-1) / away
    assert (np.abs(np.trace(jacobian, axis1=-2, axis2=-1)) / scale).max() < 1e-12
    curl = np.linalg.norm(jacobian - jacobian.swapaxes(-1, -2), axis=(-1, -2))
    assert (curl / scale).max() < 1e-12


@_EVERY_KIND
def test_values_are_linear_in_the_moment(kind: SourceColumns) -> None:
    """Powers of two and signs round nothing."""
    rows, points = magnets_and_points(kind)
    moments = slice(0, kind.dim)
    values = each(kind, rows[:, None], points)
    for factor in (-1, 4, 2**-30):
        larger = rows.copy()
        larger[:, moments] *= factor
        for one, other in zip(each(kind, larger[:, None], points), values, strict=True):
            np.testing.assert_array_equal(one, factor * other)
    other, both = rows.copy(), rows.copy()
    other[:, moments] = rows[::-1, moments]
    both[:, moments] += 3 * other[:, moments]
    found, added = (each(kind, table[:, None], points)[1] for table in (both, other))
    scale = np.linalg.norm(values[1], axis=-1) + 3 * np.linalg.norm(added, axis=-1)
    gap = np.linalg.norm(found - values[1] - 3 * added, axis=-1)
    assert (gap / scale).max() < 1e-14


@_EVERY_KIND
def test_no_moment_gives_nothing(kind: SourceColumns) -> None:
    rows, points = magnets_and_points(kind)
    rows[:, : kind.dim] = 0
    for values in each(kind, rows[:, None], points):
        np.testing.assert_array_equal(values, 0)


@_EVERY_KIND
def test_the_potential_is_odd_and_the_field_even_about_the_centre(kind: SourceColumns) -> None:
    """To the last bit, as only signs change."""
    rows, points = magnets_and_points(kind)
    points -= part(kind, rows, "position")[:, None]
    rows[:, kind.dim : 2 * kind.dim] = 0
    (phi, h), (other_phi, other_h) = (
        each(kind, rows[:, None], sign * points) for sign in (1.0, -1.0)
    )
    np.testing.assert_array_equal(other_phi, -phi)
    np.testing.assert_array_equal(other_h, h)


@pytest.mark.parametrize("kind", DIPOLES.values(), ids=DIPOLES)
def test_dipoles_are_reciprocal(kind: SourceColumns) -> None:
    """m1 . H2(r1) = m2 . H1(r2)."""
    random = np.random.default_rng(62)
    one, other = random_rows(kind, random, 100), random_rows(kind, random, 100)
    energies = [
        (part(kind, a, "moment") * each(kind, b, part(kind, a, "position"))[1]).sum(-1)
        for a, b in ((one, other), (other, one))
    ]
    np.testing.assert_allclose(*energies, rtol=1e-11)


@pytest.mark.parametrize("kind", EXTENDED.values(), ids=EXTENDED)
def test_magnets_are_reciprocal(kind: SourceColumns) -> None:
    """m1 . <H2> over body 1 = m2 . <H1> over body 2, for bodies that are apart."""
    random = np.random.default_rng(63)
    one, other = random_rows(kind, random, 10), random_rows(kind, random, 10)
    other[:, kind.dim : 2 * kind.dim] += 5
    energies = [
        (part(kind, a, "moment") * mean_field(kind, b, a)).sum(-1)
        for a, b in ((one, other), (other, one))
    ]
    np.testing.assert_allclose(*energies, rtol=1e-9)


def mean_field(kind: SourceColumns, rows: np.ndarray, over: np.ndarray) -> np.ndarray:
    """The mean of the field of each magnet over another one.

    Over a ball it is the field in the centre: outside its sources H is harmonic.
    """
    if kind.has("radius"):
        return each(kind, rows, part(kind, over, "position"))[1]
    nodes, weights = np.polynomial.legendre.leggauss(12)
    grid = np.stack(np.meshgrid(*[nodes] * kind.dim), -1).reshape(-1, kind.dim)
    weight = np.prod(np.stack(np.meshgrid(*[weights / 2] * kind.dim), -1), -1).ravel()
    points = placed(kind, over, grid * half_sides(kind, over)[:, None])
    return np.einsum("p,spi->si", weight, each(kind, rows[:, None], points)[1])


@pytest.mark.parametrize("kind", EXTENDED.values(), ids=EXTENDED)
def test_demagnetising_factors_add_up_to_one_inside_and_to_nothing_outside(
    kind: SourceColumns,
) -> None:
    """Maxwell: N_xx + N_yy + N_zz, the field of -M along each axis, is 1 or 0 at every point."""
    random = np.random.default_rng(64)
    rows = random_rows(kind, random, _MAGNETS)
    reach = 10 ** random.uniform(-4, 1, (_MAGNETS, 50))
    places = [(within(kind, rows, random, 50), 1), (around(kind, rows, random, reach), 0)]
    for local, expected in places:
        points = placed(kind, rows, local)
        trace = np.zeros(points.shape[:2])
        for i, axis in enumerate(np.eye(kind.dim)):
            rows[:, : kind.dim] = -axis * volumes(kind, rows)[:, None]
            trace += each(kind, rows[:, None], points)[1][..., i]
        np.testing.assert_allclose(trace, expected, atol=1e-13)


def test_the_field_in_the_centre_of_a_box_is_known() -> None:
    """The solid angle of the faces: N_x = 2 / pi atan(b c / (a sqrt(a² + b² + c²))).

    In two dimensions it is 2 / pi atan(b / a).
    """
    kind, random = KINDS["cuboid in 3D"], np.random.default_rng(65)
    sides = 10 ** random.uniform(-1, 1, (50, 3))
    rows = rows_of(kind, moment=np.prod(sides, -1)[:, None] * [1, 0, 0], dimension=sides)
    a, b, c = sides.T
    factor = 2 / np.pi * np.arctan(b * c / (a * np.sqrt(a * a + b * b + c * c)))
    field = each(kind, rows, np.zeros(3))[1]
    np.testing.assert_allclose(-field, factor[:, None] * [1, 0, 0], rtol=1e-13, atol=1e-16)
    kind = KINDS["rectangle in 2D"]
    rows = rows_of(kind, moment=(a * b)[:, None] * [1, 0], dimension=sides[:, :2])
    field = each(kind, rows, np.zeros(2))[1]
    factor = 2 / np.pi * np.arctan(b / a)
    np.testing.assert_allclose(-field, factor[:, None] * [1, 0], rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize("kind", EXTENDED.values(), ids=EXTENDED)
def test_the_field_in_the_centre_of_an_equal_sided_magnet_is_minus_m_over_dim(
    kind: SourceColumns,
) -> None:
    """Of balls everywhere inside."""
    random = np.random.default_rng(66)
    rows = random_rows(kind, random, _MAGNETS, ratio=1)
    points = part(kind, rows, "position")[:, None]
    if kind.has("radius"):
        points = placed(kind, rows, within(kind, rows, random, 20))
    expected = -part(kind, rows, "moment") / volumes(kind, rows)[:, None] / kind.dim
    _, field = each(kind, rows[:, None], points)
    assert error_of(field, expected[:, None]).max() < 1e-14

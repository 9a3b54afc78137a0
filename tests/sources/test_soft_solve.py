"""Magnetisation of soft bodies: closed forms, laws, and the same equations by others."""

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hypermagnetics.errors import SourceError
from hypermagnetics.sources import (
    Cuboid,
    Dipole,
    Disc,
    Rectangle,
    Sphere,
    solve_magnetisation,
    source_table,
    superposition,
)

NONE = [0.0, 0.0, 0.0]
FIELD = np.array([0.3, -0.2, 0.9])


def _sphere(position: list[float], radius: float = 1.0) -> Sphere:
    return Sphere(NONE, position, radius)


@pytest.mark.slow
@pytest.mark.parametrize("chi", [-0.5, 0.1, 10.0, 1e4])
def test_a_ball_in_a_uniform_field_is_the_closed_form(chi: float) -> None:
    """Jackson, Classical Electrodynamics, section 5.11: M = chi H / (1 + chi / d)."""
    for ball, dim in ((Disc([0.0, 0], [0.5, 1], 0.7), 2), (_sphere([0.5, 1, -2], 0.7), 3)):
        columns, table = source_table([ball])
        found = solve_magnetisation(columns, table, chi, FIELD[:dim])
        volume = math.pi * 0.7**2 if dim == 2 else 4 / 3 * math.pi * 0.7**3
        expected = volume * chi * FIELD[:dim] / (1 + chi / dim)
        np.testing.assert_allclose(found.moments[0], expected, rtol=1e-9)
        assert found.residual < 1e-12
        inside = np.asarray(ball.position)[None] + np.full((1, dim), 0.2)
        own = found.field(inside)[0]
        np.testing.assert_allclose(own, -expected / volume / dim, rtol=1e-9)
        np.testing.assert_allclose(found.magnetisation(inside)[0], expected / volume, rtol=1e-9)


@pytest.mark.slow
def test_a_matrix_that_does_not_fit_into_memory_is_not_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of 144 unknowns, in 300 kB: GMRES, with the same moments."""
    squares = [Rectangle([0.0, 0], [1.5 * x, 0.0], [1.0, 1]) for x in range(2)]
    columns, table = source_table(squares)
    dense = solve_magnetisation(columns, table, 100.0, [1.0, 0.3], cells=6)
    monkeypatch.setattr("hypermagnetics.sources.soft.checked.memory_bytes", lambda: 600_000)
    found = solve_magnetisation(columns, table, 100.0, [1.0, 0.3], cells=6)
    assert dense.iterations == 1 < found.iterations
    np.testing.assert_allclose(found.moments, dense.moments, rtol=1e-7)


def _potential_of_two_spheres(gap: float, chi: float, points: np.ndarray, terms: int) -> np.ndarray:
    """Induced potential outside of two unit spheres in a unit field along their axis, z.

    In bispherical coordinates (mu, eta) with foci at z = +-a the surfaces are mu = +-m. Outside
    phi = sqrt(cosh mu - cos eta) sum_n c_n sinh(k mu) / sinh(k m) P_n(cos eta), k = n + 1/2, and
    inside of the upper one exp(-k (mu - m)) stands for the ratio; the normal field jumps by
    1 + chi. With z likewise, of coefficients a sqrt(2) (2n + 1) exp(-k mu), and the recurrence of
    cos eta P_n, the c_n solve a tridiagonal system. Morse and Feshbach, Methods of Theoretical
    Physics (1953), section 10.3.
    """
    half = 1 + gap / 2
    m, a = math.acosh(half), math.sqrt(half**2 - 1)
    n = np.arange(terms)
    k = n + 0.5
    cos_eta = np.diag(n[1:] / (2 * n[1:] - 1), -1) + np.diag(n[1:] / (2 * n[1:] + 1), 1)
    weight, slope = half * np.eye(terms) - cos_eta, math.sinh(m) / 2
    z = a * math.sqrt(2) * (2 * n + 1) * np.exp(-k * m)
    jump = weight * (k / np.tanh(k * m) + (1 + chi) * k) - chi * slope * np.eye(terms)
    c = np.linalg.solve(jump, chi * (weight @ (k * z) - slope * z))
    along, across = points[:, 2], np.hypot(points[:, 0], points[:, 1])
    square = along**2 + across**2
    mu = np.arctanh(2 * a * along / (square + a**2))
    eta = np.arctan2(2 * a * across, square - a**2)
    legendre = np.polynomial.legendre.legvander(np.cos(eta), terms - 1)
    ratio = np.sinh(k * mu[:, None]) / np.sinh(k * m)
    return np.sqrt(np.cosh(mu) - np.cos(eta)) * ((ratio * legendre) @ c)


@pytest.mark.slow
def test_two_balls_are_the_series_in_bispherical_coordinates_as_the_order_grows() -> None:
    """At points around them, and between them."""
    columns, table = source_table([_sphere([0.0, 0, -1.25]), _sphere([0.0, 0, 1.25])])
    points = np.array([[0.0, 0, 0.1], [0.3, 0, -0.2], [1.2, 0.3, 1.1], [0.0, 0, 2.6], [4, 1, -5]])
    expected = _potential_of_two_spheres(0.5, 100.0, points, 40)
    np.testing.assert_allclose(
        expected, _potential_of_two_spheres(0.5, 100.0, points, 60), rtol=1e-10
    )
    errors = []
    for order in (1, 5, 16):
        found = solve_magnetisation(columns, table, 100.0, [0.0, 0, 1], order=order)
        errors.append(np.max(np.abs(np.asarray(found.potential(points)) / expected - 1)))
    assert errors[0] > 0.02
    assert errors[0] > 25 * errors[1]
    assert errors[2] < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize(
    ("chi", "cells"), [(1.0, 6), (9.0, 10), pytest.param(99.0, 16, marks=pytest.mark.slow)]
)
def test_a_cube_has_its_published_polarisability(chi: float, cells: int) -> None:
    """As a fit of surface integral equations, of error below 1e-3, has it for any permeability.

    Sihvola, Ylae-Oijala, Jaervenpaeae and Avelin, IEEE Trans. Antennas Propag. 52 (2004) 2226; the
    magnetometric demagnetising factor is 1 / alpha - 1 / chi.
    """
    t = 1 + chi
    above = t**3 + 4.83981 * t**2 + 5.54742 * t + 1.6383
    below = t**4 + 8.0341 * t**3 + 19.3534 * t**2 + 15.4349 * t + 3.6442
    published = 3.6442 * chi * above / below
    columns, table = source_table([Cuboid(NONE, NONE, [1.0, 1, 1])])
    found = solve_magnetisation(columns, table, chi, [0.0, 0, 1], cells=cells)
    assert float(found.moments[0, 2]) == pytest.approx(published, rel=0.01)


@pytest.mark.slow
def test_a_cube_has_the_polarisability_of_a_conductor() -> None:
    """3.6442 at infinite chi: Sihvola et al., J. Electrostatics 62 (2004) 19."""
    columns, table = source_table([Cuboid(NONE, NONE, [1.0, 1, 1])])
    found = solve_magnetisation(columns, table, 1e7, [0.0, 0, 1], cells=14)
    assert float(found.moments[0, 2]) == pytest.approx(3.6442, rel=0.01)


@pytest.mark.slow
def test_a_cube_comes_near_the_polarisability_of_a_conductor() -> None:
    columns, table = source_table([Cuboid(NONE, NONE, [1.0, 1, 1])])
    moments = [
        float(solve_magnetisation(columns, table, 1e7, [0.0, 0, 1], cells=n).moments[0, 2])
        for n in (2, 4, 8)
    ]
    errors = np.abs(np.array(moments) / 3.6442 - 1)
    assert errors[2] < 0.03
    assert errors[0] > 1.5 * errors[1] > 2.25 * errors[2]


@pytest.mark.slow
def test_a_long_sheet_shields_as_an_endless_one() -> None:
    """Behind it, of the images of a magnet in both faces: Smythe, section 5.304.

    With D = chi / (chi + 2) and a thickness t the field there is (1 - D²) sum_n D^(2n) H(x + 2nt).
    """
    thick, behind = 0.2, np.array([2.6, 0.0])
    magnet = Disc([0.3, 1.0], [0.0, 0], 0.5)
    columns, table = source_table([magnet, Rectangle([0.0, 0], [1.5, 0], [thick, 16.0])])
    found = solve_magnetisation(columns, table, [0.0, 10.0], cells=(4, 160)).field([behind])[0]
    number = np.arange(200)[:, None]
    images = np.asarray(magnet.field(behind + 2 * thick * number * np.array([1, 0])))
    share = 10 / 12
    expected = np.sum((1 - share**2) * share ** (2.0 * number) * images, axis=0)
    assert np.linalg.norm(found - expected) < 0.01 * np.linalg.norm(expected)


@pytest.mark.slow
def test_a_thin_plate_and_a_needle_have_their_limits() -> None:
    """A plate across the field has N = 1, a needle along it 0."""
    for sides, expected in (([1.0, 1, 1e-3], 1 / (1 + 1 / 9)), ([1e-3, 1e-3, 1.0], 9.0)):
        columns, table = source_table([Cuboid(NONE, NONE, sides)])
        found = solve_magnetisation(columns, table, 9.0, [0.0, 0, 1], cells=4)
        magnetisation = float(found.moments[0, 2]) / math.prod(sides)
        factor = 9.0 / (1 + 9.0) if sides[0] == 1 else expected
        assert magnetisation == pytest.approx(factor, rel=0.05)


def _points_matched(boxes: list[Cuboid], chi: list[float], cells: int) -> np.ndarray:
    """Magnetisation of cells by magpylib's fields, matched at their centres, by numpy alone."""
    magpylib = pytest.importorskip("magpylib")
    step = (np.arange(cells) + 0.5) / cells - 0.5
    lattice = np.stack(np.meshgrid(step, step, step, indexing="ij"), -1).reshape(-1, 3)
    places, turns, sides, of = [], [], [], []
    for number, box in enumerate(boxes):
        w, x, y, z = np.asarray(box.rotation, float)
        turn = Rotation.from_quat([x, y, z, w])
        size = np.asarray(box.dimension, float)
        places.append(np.asarray(box.position, float) + turn.apply(lattice * size))
        turns += [turn] * len(lattice)
        sides += [size / cells] * len(lattice)
        of += [number] * len(lattice)
    points, count = np.concatenate(places), len(of)
    matrix = np.eye(3 * count)
    given = np.array([chi[number] for number in of])
    for source in range(count):
        for axis in range(3):
            magnet = magpylib.magnet.Cuboid(
                magnetization=turns[source].inv().apply(np.eye(3)[axis]),
                dimension=sides[source],
                position=points[source],
                orientation=turns[source],
            )
            field = magnet.getH(points).reshape(-1)
            matrix[:, 3 * source + axis] -= np.repeat(given, 3) * field
    right = (given[:, None] * FIELD).reshape(-1)
    return np.linalg.solve(matrix, right).reshape(len(boxes), -1, 3)


_CHAINS = json.loads((Path(__file__).parents[1] / "reference" / "soft_chains.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("scene", _CHAINS["scenes"], ids=lambda scene: scene["name"])
def test_chains_are_those_of_magpylib_material_response(scene: dict[str, Any]) -> None:
    """Of version 0.6 and the same cells; benchmarks/write_reference_soft.py made the numbers."""
    bodies = [
        Cuboid(
            np.prod(body["dimension"]) * np.array(body["magnetisation"]),
            *(body[name] for name in ("position", "dimension", "rotation")),
        )
        for body in scene["bodies"]
    ]
    chi = [body["susceptibility"] for body in scene["bodies"]]
    columns, table = source_table(bodies)
    found = solve_magnetisation(columns, table, chi, scene["applied_field"], cells=_CHAINS["cells"])
    expected = np.array(scene["field"])
    error = np.linalg.norm(np.asarray(found.field(_CHAINS["points"])) - expected, axis=1)
    assert np.max(error / np.linalg.norm(expected, axis=1)) < 1e-6


@pytest.mark.slow
def test_a_chain_of_boxes_is_that_of_magpylibs_fields() -> None:
    turn = np.array([0.8, 0.1, 0.5, -0.3]) / np.linalg.norm([0.8, 0.1, 0.5, -0.3])
    boxes = [
        Cuboid(NONE, NONE, [1.0, 1, 1]),
        Cuboid(NONE, [1.0, 0, 0], [1.0, 1, 0.5]),
        Cuboid(NONE, [0.0, 2, 0.3], [1.0, 0.5, 2], turn),
    ]
    chi = [100.0, 5.0, 1000.0]
    columns, table = source_table(boxes)
    found = solve_magnetisation(columns, table, chi, FIELD, cells=3)
    expected = _points_matched(boxes, chi, 3)
    for own, true in zip(found.magnetisations[0], expected, strict=True):
        np.testing.assert_allclose(own, true, atol=1e-8 * np.abs(expected).max())


@cache
def _mixed() -> tuple:
    """A hard disc, a soft disc and two soft rectangles."""
    bodies = [
        Disc([1.0, -0.4], [-1.5, 0.2], 0.5),
        Disc([0.0, 0.0], [0.1, 1.4], 0.4),
        Rectangle([0.0, 0.0], [0.0, 0.0], [1.0, 0.6], 0.3),
        Rectangle([0.1, 0.0], [1.6, -0.2], [0.8, 1.2], -0.5),
    ]
    columns, table = source_table(bodies)
    return columns, np.asarray(table, np.float64), np.array([0.0, 20.0, 50.0, 8.0])


PLANE_FIELD = np.array([0.4, 0.7])
POINTS = np.array([[0.2, 0.7], [-0.9, -0.8], [2.4, 1.3], [9.0, -7.0]])


def _solved(table: np.ndarray, chi: np.ndarray, field: np.ndarray, **settings: object) -> object:
    return solve_magnetisation(_mixed()[0], table, chi, field, cells=4, order=6, **settings)


@pytest.mark.slow
def test_both_methods_agree() -> None:
    _, table, chi = _mixed()
    dense, gmres = (_solved(table, chi, PLANE_FIELD, method=m) for m in ("dense", "gmres"))
    np.testing.assert_allclose(dense.moments, gmres.moments, rtol=1e-7)
    assert dense.residual < 1e-8
    assert gmres.residual < 1e-8


@pytest.mark.slow
def test_it_turns_and_scales_with_the_bodies() -> None:
    columns, table, chi = _mixed()
    turn, size = 0.9, 1e-3
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    moved = table.copy()
    moved[:, :2] = size**2 * table[:, :2] @ rotation.T
    moved[:, 2:4] = size * table[:, 2:4] @ rotation.T
    for name in ("radius", "dimension_x", "dimension_y"):
        moved[:, columns.index(name)] *= size
    moved[2:, columns.index("angle")] += turn
    first = _solved(table, chi, PLANE_FIELD)
    second = _solved(moved, chi, rotation @ PLANE_FIELD)
    scale = np.abs(first.moments).max()
    expected = size**2 * np.asarray(first.moments) @ rotation.T
    np.testing.assert_allclose(second.moments, expected, atol=1e-9 * scale * size**2)
    field = np.asarray(first.field(POINTS)) @ rotation.T
    found = second.field(size * POINTS @ rotation.T)
    np.testing.assert_allclose(found, field, atol=1e-9 * np.abs(field).max())


@pytest.mark.slow
def test_it_is_linear_in_remanence_and_applied_field() -> None:
    _, table, chi = _mixed()
    other = table.copy()
    other[:, :2] = [[0.2, 0.5], [0.1, 0], [0, 0.3], [0, 0]]
    total = table.copy()
    total[:, :2] += other[:, :2]
    one, two = _solved(table, chi, PLANE_FIELD), _solved(other, chi, -PLANE_FIELD[::-1])
    both = _solved(total, chi, PLANE_FIELD - PLANE_FIELD[::-1])
    np.testing.assert_allclose(one.moments + two.moments, both.moments, atol=1e-10)


@pytest.mark.slow
def test_padding_is_nothing_and_hard_magnets_stay() -> None:
    columns, table, chi = _mixed()
    padded = np.concatenate([table, np.zeros_like(table[:2])])
    found = _solved(padded, np.append(chi, [0.0, 0.0]), PLANE_FIELD)
    expected = _solved(table, chi, PLANE_FIELD)
    np.testing.assert_allclose(found.moments[:4], expected.moments, rtol=1e-10)
    np.testing.assert_allclose(found.field(POINTS), expected.field(POINTS), rtol=1e-10)
    np.testing.assert_array_equal(expected.moments[0], table[0, :2])
    alone = _solved(table[:1], chi[:1], PLANE_FIELD)
    exact = superposition(columns, table[:1], POINTS)
    np.testing.assert_allclose(alone.field(POINTS), exact[1], rtol=1e-12)


@pytest.mark.slow
def test_two_halves_that_touch_are_the_whole() -> None:
    whole = source_table([Rectangle([0.0, 0], [0.0, 0], [1.0, 0.5])])
    halves = source_table([Rectangle([0.0, 0], [x, 0.0], [0.5, 0.5]) for x in (-0.25, 0.25)])
    one = solve_magnetisation(*whole, 50.0, PLANE_FIELD, cells=(4, 2))
    two = solve_magnetisation(*halves, 50.0, PLANE_FIELD, cells=(2, 2))
    np.testing.assert_allclose(one.moments[0], two.moments.sum(axis=0), rtol=1e-10)
    np.testing.assert_allclose(one.field(POINTS), two.field(POINTS), rtol=1e-9)


@pytest.mark.slow
def test_the_response_is_symmetric() -> None:
    """Of a moment to a field, by reciprocity."""
    _, table, chi = _mixed()
    table = table * np.array([0, 0, *[1] * (table.shape[1] - 2)])
    response = np.stack(
        [np.asarray(_solved(table, chi, axis).moments).sum(axis=0) for axis in np.eye(2)]
    )
    assert response[0, 1] == pytest.approx(response[1, 0], rel=2e-2)


@pytest.mark.slow
@pytest.mark.parametrize("law", ["langevin", "tanh"])
def test_a_law_saturates_and_begins_linear(law: str) -> None:
    columns, table = source_table([Rectangle([0.0, 0], [0.0, 0], [1.0, 0.5])])
    weak, linear = (
        solve_magnetisation(columns, table, 30.0, 1e-5 * PLANE_FIELD, cells=3, **kind)
        for kind in ({"law": law, "saturation": 2.0}, {})
    )
    np.testing.assert_allclose(weak.moments, linear.moments, rtol=1e-6)
    strong = solve_magnetisation(
        columns, table, 30.0, 1e3 * PLANE_FIELD, cells=3, law=law, saturation=2.0
    )
    size = np.linalg.norm(strong.magnetisations[0], axis=-1)
    assert (size <= 2 + 1e-12).all()
    assert (size > 1.9).all()


@pytest.mark.slow
def test_a_function_is_a_law() -> None:
    """M = 30 H / (1 + H) solved by hand for a ball: H = H_0 - M / 3."""
    columns, table = source_table([_sphere(NONE)])
    found = solve_magnetisation(
        columns, table, 30.0, [0.0, 0, 2.0], law=lambda h: 30 * h / (1 + h), order=1
    )
    magnetisation = float(found.moments[0, 2]) / (4 / 3 * math.pi)
    inner = 2.0 - magnetisation / 3
    assert magnetisation == pytest.approx(30 * inner / (1 + inner), rel=1e-9)


@pytest.mark.slow
def test_derivatives_are_those_of_differences() -> None:
    columns, table, chi = _mixed()
    direction = np.random.default_rng(0).normal(size=table.shape)
    direction[:, columns.index("body")] = 0

    def of(step: jax.Array, table: jax.Array, chi: jax.Array) -> jax.Array:
        moved = table + step * direction
        found = solve_magnetisation(columns, moved, chi * (1 + step), PLANE_FIELD, cells=3, order=4)
        return found.field(POINTS)[1, 0] + found.moments[2, 1]

    with jax.enable_x64(True):
        rows, given = jnp.asarray(table), jnp.asarray(chi)
        slope = float(jax.jit(jax.grad(of))(jnp.asarray(0.0), rows, given))
        step = 1e-5
        ends = [float(of(jnp.asarray(s), rows, given)) for s in (-step, step)]
    assert slope == pytest.approx((ends[1] - ends[0]) / (2 * step), rel=1e-6)


@pytest.mark.slow
def test_it_is_the_same_under_jit() -> None:
    columns, table, chi = _mixed()
    with jax.enable_x64(True):
        solve = jax.jit(lambda *of: solve_magnetisation(columns, *of, cells=4, order=6).moments)
        found = solve(jnp.asarray(table), jnp.asarray(chi), jnp.asarray(PLANE_FIELD))
        broken = solve(jnp.asarray(table), jnp.asarray(-chi), jnp.asarray(PLANE_FIELD))
    np.testing.assert_allclose(found, _solved(table, chi, PLANE_FIELD).moments, rtol=1e-9)
    assert np.isnan(broken).any()


@pytest.mark.slow_cases
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"susceptibility": None}, "must be a number, or one for each row; got None"),
        ({"susceptibility": [0, -1.0, 0, 0]}, "superconductor, whose field inside is 0 .source 1"),
        ({"susceptibility": [0, -2.0, 0, 0]}, "greater than -1; got -2"),
        ({"susceptibility": [1.0, 2.0]}, r"shape \(\) or \(4,\)"),
        ({"law": "tanh"}, "saturation must be given"),
        ({"saturation": 1.0}, "saturation must be None"),
        ({"law": "tanh", "saturation": 1.0}, "order must be 1"),
        ({"law": lambda h: h + 1, "order": 1}, "must be 0 at 0"),
        ({"cells": 400, "method": "dense"}, "must fit into .* Take fewer: .* cells"),
        ({"cells": (2, 2, 2)}, "cells must be a number, or 2 of them"),
        (
            {"method": "gmres", "max_iterations": 2, "cells": 8},
            "residual of a solution must be at most",
        ),
    ],
)
def test_bad_arguments_are_refused(change: dict, message: str) -> None:
    columns, table, chi = _mixed()
    given = {"susceptibility": chi, "applied_field": PLANE_FIELD, **change}
    with pytest.raises(SourceError, match=message):
        solve_magnetisation(columns, table, **given)


def test_soft_points_and_overlaps_are_refused() -> None:
    columns, table = source_table([Dipole(NONE, NONE), _sphere([1.0, 0, 0]), _sphere([2.5, 0, 0])])
    with pytest.raises(SourceError, match="must have a volume"):
        solve_magnetisation(columns, table, [1.0, 1, 1], FIELD)
    with pytest.raises(SourceError, match="must not overlap others; got an overlap"):
        solve_magnetisation(columns, table, [0.0, 1, 1], FIELD)

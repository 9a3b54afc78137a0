"""What passes through surfaces: conditions of continuity, and the laws of Gauss."""

import itertools

import numpy as np
import pytest
from magnets import (
    BOXES,
    EXTENDED,
    directions,
    each,
    frames,
    half_sides,
    part,
    placed,
    random_rows,
    rows_of,
    volumes,
)

from hypermagnetics.sources import SourceColumns

_MAGNETS, _POINTS = 20, 50
_EVERY_BODY = pytest.mark.parametrize("kind", EXTENDED.values(), ids=EXTENDED)


def surface_and_normals(
    kind: SourceColumns, rows: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Points on the surfaces, off the edges, and outward normals, in the frames of the magnets."""
    shape = (len(rows), _POINTS, kind.dim)
    if kind.has("radius"):
        normals = directions(random, *shape)
        return normals * half_sides(kind, rows)[:, None], normals
    face = np.eye(kind.dim)[random.integers(0, kind.dim, shape[:-1])]
    normals = face * random.choice([-1.0, 1.0], (*shape[:-1], 1))
    on_face = random.uniform(-0.9, 0.9, shape) * (1 - face) + normals
    return on_face * half_sides(kind, rows)[:, None], normals


def magnetisation(kind: SourceColumns, rows: np.ndarray) -> np.ndarray:
    """Moment over volume, (magnets, 1, dim)."""
    return (part(kind, rows, "moment") / volumes(kind, rows)[:, None])[:, None]


@pytest.mark.slow_cases
@_EVERY_BODY
def test_normal_b_and_tangential_h_and_the_potential_pass_through_surfaces(
    kind: SourceColumns,
) -> None:
    """B = mu0 (H + M): H jumps by M.n across the surface, and only along n."""
    random = np.random.default_rng(71)
    rows = random_rows(kind, random, _MAGNETS)
    surface, normals = surface_and_normals(kind, rows, random)
    gap = 1e-10
    (phi_in, h_in), (phi_out, h_out) = (
        each(kind, rows[:, None], placed(kind, rows, surface + side * gap * normals))
        for side in (-1, 1)
    )
    outwards = np.einsum("sij,spj->spi", frames(kind, rows), normals)
    m = magnetisation(kind, rows)
    strength = np.linalg.norm(m, axis=-1)
    jump = (m * outwards).sum(-1, keepdims=True) * outwards
    error = np.linalg.norm(h_out - h_in - jump, axis=-1)
    assert (error / strength).max() < 30 * gap
    assert (np.abs(phi_out - phi_in) / strength).max() < 4 * gap


@pytest.mark.slow_cases
@_EVERY_BODY
def test_on_a_surface_the_field_is_the_mean_of_both_sides(kind: SourceColumns) -> None:
    """Wherever rounding puts the point, in a turned body too."""
    random = np.random.default_rng(72)
    rows = random_rows(kind, random, _MAGNETS)
    surface, normals = surface_and_normals(kind, rows, random)
    on, inside, outside = (
        each(kind, rows[:, None], placed(kind, rows, surface + step * normals))[1]
        for step in (0, -1e-11, 1e-11)
    )
    strength = np.linalg.norm(magnetisation(kind, rows), axis=-1)
    assert (np.linalg.norm(outside - inside, axis=-1) / strength).max() > 0.5
    assert (np.linalg.norm(on - (inside + outside) / 2, axis=-1) / strength).max() < 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("kind", BOXES.values(), ids=BOXES)
def test_the_potential_is_continuous_at_edges_and_corners_and_their_extensions(
    kind: SourceColumns,
) -> None:
    """Where the closed form is made of 0 log(0) and 0/0, it is what it is around."""
    random = np.random.default_rng(76)
    rows = random_rows(kind, random, _MAGNETS)
    rows = rows_of(kind, moment=part(kind, rows, "moment"), dimension=part(kind, rows, "dimension"))
    places = np.array(list(itertools.product((-2, -1, 0, 0.5, 1), repeat=kind.dim)))
    points = places * half_sides(kind, rows)[:, None]
    phi, _ = each(kind, rows[:, None], points)
    strength = np.linalg.norm(magnetisation(kind, rows), axis=-1)
    for _ in range(4):
        beside = points + 1e-11 * random.normal(size=points.shape)
        step = np.abs(each(kind, rows[:, None], beside)[0] - phi)
        assert (step / strength).max() < 1e-9


def gauss(dim: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes in the cube [0, 1]^dim and weights that integrate smooth functions."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    grid = np.meshgrid(*[nodes / 2 + 0.5] * dim, indexing="ij")
    weight = np.meshgrid(*[weights / 2] * dim, indexing="ij")
    return np.stack(grid, -1).reshape(-1, dim), np.prod(np.stack(weight, -1), -1).ravel()


def outward_flux(
    kind: SourceColumns, rows: np.ndarray, low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """The flux of H out of the block from `low` to `high`, given in the frame of each magnet."""
    nodes, weight = gauss(kind.dim - 1, 48)
    total = np.zeros(len(rows))
    sides = high - low
    for axis, end in itertools.product(range(kind.dim), (0, 1)):
        places = np.insert(nodes, axis, end, axis=-1)
        points = low[:, None] + places * sides[:, None]
        _, field = each(kind, rows[:, None], placed(kind, rows, points))
        normal = frames(kind, rows)[..., axis] * (2 * end - 1)
        area = np.prod(np.delete(sides, axis, -1), -1)
        total += area * np.einsum("p,spi,si->s", weight, field, normal)
    return total


@pytest.mark.slow_cases
@_EVERY_BODY
def test_the_flux_through_a_surface_around_a_magnet_vanishes(kind: SourceColumns) -> None:
    """No charge, but pairs: outside B = mu0 H has no net flux."""
    rows = random_rows(kind, np.random.default_rng(73), 4)
    reach = half_sides(kind, rows) + half_sides(kind, rows).max(-1, keepdims=True)
    flux = outward_flux(kind, rows, -reach, 1.2 * reach)
    strength = np.linalg.norm(magnetisation(kind, rows), axis=-1)[:, 0]
    assert (np.abs(flux) / strength).max() < 1e-12


@pytest.mark.parametrize("kind", BOXES.values(), ids=BOXES)
@pytest.mark.parametrize("cut", [1, 2, 3])
def test_the_flux_out_of_a_surface_through_a_box_is_the_charge_in_it(
    kind: SourceColumns, cut: int
) -> None:
    """Gauss: the flux of H is the charge M.n of the faces enclosed; that of B is nothing.

    The surface goes through the middle of the box across `cut` axes. On those planes the flux of M
    is as large as the charge enclosed, and of the opposite sign, so that div B = 0 is the same.
    """
    rows = random_rows(kind, np.random.default_rng(74), 3, ratio=1.5)
    half = half_sides(kind, rows)
    is_cut = np.arange(kind.dim) < cut
    flux = outward_flux(kind, rows, np.where(is_cut, 0, -2 * half), 2 * half)
    along = np.einsum("sij,si->sj", frames(kind, rows), magnetisation(kind, rows)[:, 0])
    enclosed = half - np.where(is_cut, 0, -half)
    charges = along * np.prod(enclosed, -1, keepdims=True) / enclosed
    expected = (charges * is_cut).sum(-1)
    strength = np.linalg.norm(along, axis=-1)
    assert (np.abs(flux - expected) / strength).max() < 1e-12


@_EVERY_BODY
def test_the_circulation_of_h_vanishes_through_a_magnet(kind: SourceColumns) -> None:
    """The integral of H along a line through the body is the difference of the potential."""
    random = np.random.default_rng(75)
    rows = random_rows(kind, random, _MAGNETS)
    half = half_sides(kind, rows)
    offset = random.uniform(-0.6, 0.6, kind.dim)
    offset[0] = 0
    chord = np.sqrt(1 - offset @ offset) if kind.has("radius") else 1.0
    breaks = chord * np.array([-3, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 3])
    nodes, weight = gauss(1, 24)
    along = breaks[:-1, None] + np.diff(breaks)[:, None] * nodes[:, 0]
    step = (np.diff(breaks)[:, None] * weight).ravel()
    line = np.eye(kind.dim)[0] * along.ravel()[:, None] + offset
    _, field = each(kind, rows[:, None], placed(kind, rows, line * half[:, None]))
    tangent = frames(kind, rows)[..., 0] * half[:, :1]
    integral = np.einsum("p,spi,si->s", step, field, tangent)
    ends = np.eye(kind.dim)[0] * breaks[[0, -1], None] + offset
    phi, _ = each(kind, rows[:, None], placed(kind, rows, ends * half[:, None]))
    strength = np.linalg.norm(magnetisation(kind, rows), axis=-1)[:, 0]
    assert (np.abs(integral + phi[:, 1] - phi[:, 0]) / strength).max() < 1e-12

"""Places: which points count as inside, near and beyond, how far they are, and next to what."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermagnetics.data import Block
from hypermagnetics.evaluate.measuring.places import DISTANCES, Places, length_unit, places
from hypermagnetics.sources import (
    BODIES,
    REGIONS,
    Cuboid,
    Dipole,
    Disc,
    Rectangle,
    SourceColumns,
    body_size,
    signed_distance,
    source_table,
)

DIPOLES = SourceColumns.of("dipole", dim=2)


def _places(
    columns: SourceColumns, sources: np.ndarray, used: np.ndarray, points: np.ndarray
) -> Places:
    shape = (len(sources), len(points))
    block = Block(sources, used, points, np.zeros(shape), np.zeros((*shape, columns.dim)))
    return places(columns, block, 1.0)


def regions(columns, sources, used, points) -> np.ndarray:  # type: ignore[no-untyped-def]
    """The codes of the regions alone."""
    return _places(columns, sources, used, points).region


def _tables(*positions: tuple[float, float]) -> np.ndarray:
    return np.array([[(1.0, 0.0, *position) for position in positions]], np.float32)


def _discs(radius: float) -> SourceColumns:
    return SourceColumns.of("disc", constants={"radius": radius})


def _names(columns: SourceColumns, sources: np.ndarray, used: list[int], points: list) -> list:
    codes = regions(columns, sources, np.array(used), np.array(points, np.float32))
    return [[REGIONS[code] for code in row] for row in codes]


def test_the_surface_belongs_to_the_inside_and_near_ends_at_half_a_radius():
    points = [(0, 0), (2, 0), (2.01, 0), (0, -3), (0, -3.01)]
    assert _names(_discs(2.0), _tables((0, 0)), [1], points) == [
        ["inside", "inside", "near", "near", "beyond"]
    ]


def test_the_nearest_source_decides():
    points = [(0, 0), (5, 0), (3.4, 0)]
    apart, closer = _tables((0, 0), (5, 0)), _tables((0, 0), (4.6, 0))
    assert _names(_discs(1.0), apart, [2], points) == [["inside", "inside", "beyond"]]
    assert _names(_discs(1.0), closer, [2], points) == [["inside", "inside", "near"]]


def test_padding_rows_are_no_sources():
    # A row of zeros behind the last source would put a body on the origin.
    sources = np.concatenate([_tables((5, 5), (0, 0)), _tables((5, 5), (0, 0))])
    assert _names(_discs(1.0), sources, [1, 2], [(0, 0)]) == [["beyond"], ["inside"]]


def test_a_dipole_has_no_inside():
    points = [(1e-3, 0), (1, 1)]
    assert _names(DIPOLES, _tables((0, 0)), [1], points) == [["beyond", "beyond"]]


def test_near_a_box_is_half_of_half_its_shortest_side():
    columns, table = source_table([Rectangle([1.0, 0.0], [1.0, 1.0], [4.0, 2.0], np.pi / 2)])
    # A quarter turn makes it 2 wide and 4 high; half of half the shortest side is 0.5.
    points = [(1, 1), (1.9, 2.9), (2.49, 1), (2.51, 1), (1, 3.49), (1, 3.51), (2.4, 3.4)]
    sources = np.asarray(table, np.float32)[None]
    assert _names(columns, sources, [1], points) == [
        ["inside", "inside", "near", "beyond", "near", "beyond", "beyond"]
    ]


def test_a_point_near_a_large_body_is_near_though_a_small_one_is_nearer():
    columns, table = source_table([Disc([1.0, 0.0], [0, 0], 2.0), Disc([1.0, 0.0], [3, 0], 0.1)])
    sources = np.asarray(table, np.float32)[None]
    assert _names(columns, sources, [2], [(2.8, 0), (3.2, 0)]) == [["near", "beyond"]]


@pytest.mark.slow
def test_the_surface_of_a_turned_box_is_where_the_field_jumps():
    """Crossing it along x changes H by M.n n, here where the region changes from inside."""
    turned = [0.9, 0.1, -0.3, 0.3]
    body = Cuboid(
        [1.0, 2.0, 3.0], [0.1, 0.2, 0.3], [1.0, 1.5, 2.0], turned / np.linalg.norm(turned)
    )
    x = np.linspace(-2, 2, 4001)
    points = np.stack([x, np.full_like(x, 0.3), np.full_like(x, 0.1)], axis=-1)
    jump = np.linalg.norm(np.diff(np.asarray(body.field(points)), axis=0), axis=1)
    row = np.asarray(body.row, np.float64)
    codes = regions(body.columns, row[None, None], np.array([1]), points)[0]
    edges = np.flatnonzero(np.diff(codes == REGIONS.index("inside")))
    assert sorted(np.argsort(jump)[-2:]) == list(edges)
    assert [key for key, later in pairwise([*codes, 9]) if key != later] == [2, 1, 0, 1, 2]


@pytest.mark.slow
def test_mixtures_agree_with_plain_loops(mixture):
    block = mixture.dataset.split("test").block(0)
    codes = regions(mixture.columns, block.sources, block.num_sources, block.grid)
    for sample, count in enumerate(block.num_sources):
        rows = block.sources[sample, :count]
        gaps = [signed_distance(mixture.columns, row[None], block.grid)[0] for row in rows]
        sizes = [float(body_size(mixture.columns, row[None])[0]) for row in rows]
        for point, code in enumerate(codes[sample]):
            mine = [(gap[point], size) for gap, size in zip(gaps, sizes, strict=True)]
            inside = any(gap <= 0 for gap, _ in mine)
            near = any(gap <= size / 2 for gap, size in mine)
            assert REGIONS[code] == ("inside" if inside else "near" if near else "beyond")
    assert len(np.unique(codes)) == 3


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.floats(0.01, 3))
def test_regions_agree_with_plain_loops(seed, num_sources, radius):
    rng = np.random.default_rng(seed)
    sources = rng.normal(size=(3, num_sources, 4)).astype(np.float32)
    points = rng.uniform(-3, 3, (8, 2)).astype(np.float32)
    counts = rng.integers(1, num_sources + 1, 3)
    codes = regions(_discs(radius), sources, counts, points)
    for sample in range(3):
        for point in range(8):
            gaps = [
                np.hypot(*(points[point].astype(float) - row[2:].astype(float))) - radius
                for row in sources[sample, : counts[sample]]
            ]
            gap = min(gaps)
            expected = "inside" if gap <= 0 else "near" if gap <= radius / 2 else "beyond"
            assert REGIONS[codes[sample, point]] == expected


def test_distances_are_signed_and_in_length_units():
    points = np.array([(0, 0), (2, 0), (2.01, 0), (0, 2.5), (-2.7, 0), (30, 0)], np.float32)
    block = Block(_tables((0, 0)), np.array([1]), points, np.zeros((1, 6)), np.zeros((1, 6, 2)))
    found = places(_discs(2.0), block, 2.0).distance[0]
    ends = [DISTANCES[code] if code < len(DISTANCES) else None for code in found]
    # -1, 0, 0.005, 0.25, 0.35 and 14 units of two metres
    assert ends == [-0.5, 0.0, 0.03, 0.25, 0.5, None]


def test_the_body_is_that_of_the_nearest_surface():
    columns, table = source_table(
        [
            Disc([1.0, 0.0], [0, 0], 2.0),
            Rectangle([1.0, 0.0], [5, 0], [2.0, 2.0]),
            Dipole([1.0, 0.0], [0.5, 0]),
        ]
    )
    points = np.array([(-1.9, 0), (2.5, 0), (3.5, 0), (0.35, 0)], np.float32)
    sources = np.asarray(table, np.float32)[None]
    found = _places(columns, sources, np.array([3]), points)
    assert [BODIES[code] for code in found.body[0]] == ["disc", "disc", "rectangle", "dipole"]
    # In the disc, next to the dipole: 0.15 from the nearest surface, and inside.
    assert DISTANCES[found.distance[0, 3]] == -0.1


@pytest.mark.slow
def test_distances_agree_with_plain_loops(mixture):
    block = mixture.dataset.split("test").block(0)
    unit = length_unit(mixture.dataset, mixture.columns)
    found = places(mixture.columns, block, unit)
    for sample, count in enumerate(block.num_sources):
        rows = block.sources[sample, :count]
        gaps = np.stack(
            [signed_distance(mixture.columns, row[None], block.grid)[0] for row in rows]
        )
        nearest = np.abs(gaps).min(axis=0) * np.where((gaps <= 0).any(axis=0), -1, 1) / unit
        for distance, code in zip(nearest, found.distance[sample], strict=True):
            low = -np.inf if code == 0 else DISTANCES[code - 1]
            high = np.inf if code == len(DISTANCES) else DISTANCES[code]
            assert low - 1e-6 <= distance <= high + 1e-6


@pytest.mark.slow
def test_the_length_unit_is_the_median_size_of_the_bodies(tiny, mixture):
    assert length_unit(tiny, _discs(0.75)) == 0.75
    block = mixture.dataset.split("test").block(0)
    sizes = [
        size
        for sample, count in enumerate(block.num_sources)
        for size in body_size(mixture.columns, block.sources[sample, :count])
        if size > 0
    ]
    assert length_unit(mixture.dataset, mixture.columns) == np.median(sizes)


def test_without_bodies_it_is_a_twentieth_of_the_grid(tiny):
    sides = np.ptp(tiny.split("train").block(0).grid, axis=0)
    assert length_unit(tiny, DIPOLES) == float(sides.max() / 20)

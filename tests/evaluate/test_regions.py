"""Regions: which points count as inside, near and beyond."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hypermagnetics.evaluate.regions import REGIONS, regions


def _tables(*positions: tuple[float, float]) -> np.ndarray:
    return np.array([[(1.0, 0.0, *position) for position in positions]], np.float32)


def _names(sources: np.ndarray, used: list[int], points: list, radius: float | None) -> list:
    codes = regions(sources, np.array(used), np.array(points, np.float32), radius)
    return [[REGIONS[code] for code in row] for row in codes]


def test_the_surface_belongs_to_the_inside_and_near_ends_at_half_a_radius():
    points = [(0, 0), (2, 0), (2.01, 0), (0, -3), (0, -3.01)]
    assert _names(_tables((0, 0)), [1], points, 2.0) == [
        ["inside", "inside", "near", "near", "beyond"]
    ]


def test_the_nearest_source_decides():
    points = [(0, 0), (5, 0), (3.4, 0)]
    assert _names(_tables((0, 0), (5, 0)), [2], points, 1.0) == [["inside", "inside", "beyond"]]
    assert _names(_tables((0, 0), (4.6, 0)), [2], points, 1.0) == [["inside", "inside", "near"]]


def test_padding_rows_are_no_sources():
    # A row of zeros behind the last source would put a body on the origin.
    sources = np.concatenate([_tables((5, 5), (0, 0)), _tables((5, 5), (0, 0))])
    assert _names(sources, [1, 2], [(0, 0)], 1.0) == [["beyond"], ["inside"]]


def test_a_dipole_has_no_inside():
    assert _names(_tables((0, 0)), [1], [(1e-3, 0), (1, 1)], None) == [["beyond", "beyond"]]


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.floats(0.01, 3))
def test_regions_agree_with_plain_loops(seed, num_sources, radius):
    rng = np.random.default_rng(seed)
    sources = rng.normal(size=(3, num_sources, 4)).astype(np.float32)
    points = rng.uniform(-3, 3, (8, 2)).astype(np.float32)
    counts = rng.integers(1, num_sources + 1, 3)
    codes = regions(sources, counts, points, radius)
    for sample in range(3):
        for point in range(8):
            gaps = [
                np.hypot(*(points[point].astype(float) - row[2:].astype(float))) - radius
                for row in sources[sample, : counts[sample]]
            ]
            gap = min(gaps)
            expected = "inside" if gap <= 0 else "near" if gap <= radius / 2 else "beyond"
            assert REGIONS[codes[sample, point]] == expected

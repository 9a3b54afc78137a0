"""Single precision against double, from a hundredth of a size to ten thousand sizes away."""

import numpy as np
import pytest
from magnets import KINDS, around, each, error_of, part, placed, potential_scale, random_rows

from hypermagnetics.sources import SourceColumns

_MAGNETS, _POINTS = 100, 200
_MEDIAN, _WORST = 1e-6, 1e-4
_LENGTHS = ("position_", "radius", "dimension_")
_EVERY_KIND = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def magnets_and_points(kind: SourceColumns) -> tuple[np.ndarray, np.ndarray]:
    """Magnets whose sides differ by up to 4 and points around them, all of them float32 numbers."""
    random = np.random.default_rng(31)
    rows = random_rows(kind, random, _MAGNETS, ratio=4)
    reach = 10 ** random.uniform(-2, 4, (_MAGNETS, _POINTS))
    points = placed(kind, rows, around(kind, rows, random, reach))
    return rows.astype(np.float32), points.astype(np.float32)


def assert_close(potential: np.ndarray, field: np.ndarray, kind: SourceColumns) -> None:
    """The bounds on medians and on the worst."""
    rows, points = (array.astype(np.float64) for array in magnets_and_points(kind))
    exact_potential, exact_field = each(kind, rows[:, None], points)
    error = np.abs(potential - exact_potential)
    of_field = error_of(field, exact_field)
    of_potential = error / potential_scale(kind, rows[:, None], points)
    assert max(of_field.max(), of_potential.max()) < _WORST
    assert max(np.median(of_field), np.median(of_potential)) < _MEDIAN
    assert np.median(error / np.abs(exact_potential)) < _MEDIAN


@pytest.mark.slow_cases
@_EVERY_KIND
def test_single_precision_is_double_precision_to_six_digits(kind: SourceColumns) -> None:
    rows, points = magnets_and_points(kind)
    assert_close(*each(kind, rows[:, None], points, "float32"), kind)


@_EVERY_KIND
def test_labels_are_double_precision_rounded_to_single(kind: SourceColumns) -> None:
    """As datasets store them: computed in float64 from what is stored in float32."""
    rows, points = (array.astype(np.float64) for array in magnets_and_points(kind))
    potential, field = each(kind, rows[:, None], points)
    assert_close(potential.astype(np.float32), field.astype(np.float32), kind)


def test_the_points_reach_from_near_to_far() -> None:
    """Or the tests above would say less than they seem to."""
    kind = KINDS["sphere in 3D"]
    rows, points = magnets_and_points(kind)
    distance = np.linalg.norm(points - part(kind, rows, "position")[:, None], axis=-1)
    sizes_away = (distance / part(kind, rows, "radius")[:, None] - 1) / 2
    assert sizes_away.min() < 0.011
    assert sizes_away.max() > 9000


@pytest.mark.slow_cases
@_EVERY_KIND
@pytest.mark.parametrize(("unit", "reach"), [(1e-9, 0.5), (1e-9, 10), (1e6, 0.5), (1e6, 3e5)])
def test_single_precision_serves_bodies_of_nanometres_and_distances_of_1e12_metres(
    kind: SourceColumns, unit: float, reach: float
) -> None:
    """Of some magnetisation of 1e6 A/m. Products beyond leave the range of float32."""
    random = np.random.default_rng(32)
    rows = random_rows(kind, random, _MAGNETS, ratio=4)
    lengths = [i for i, name in enumerate(kind.names) if name.startswith(_LENGTHS)]
    rows[:, lengths] *= unit
    rows[:, : kind.dim] *= 1e6 * unit**kind.dim
    rows = rows.astype(np.float32).astype(np.float64)
    points = placed(kind, rows, around(kind, rows, random, np.full((_MAGNETS, 2), reach)))
    points = points.astype(np.float32).astype(np.float64)
    assert np.abs(points).max() < 2e12
    exact = each(kind, rows[:, None], points)
    for found, true in zip(each(kind, rows[:, None], points, "float32"), exact, strict=True):
        shape = (*points.shape[:2], -1)
        assert np.median(error_of(found.reshape(shape), true.reshape(shape))) < _MEDIAN

"""Boxes a thousand times as long as thin: needles, plates and blades, near and far."""

import numpy as np
import pytest
from charge_integrals import box_values
from magnets import BOXES, directions, each, error_of, half_sides, part, rows_of

from hypermagnetics.sources import SourceColumns

_ASPECT = 1000
_SHAPES = {
    "needle": ("rectangle", (1.0, 1 / _ASPECT)),
    "needle in 3D": ("cuboid", (1 / _ASPECT, 1.0, 1 / _ASPECT)),
    "plate": ("cuboid", (1.0, 1.0, 1 / _ASPECT)),
    "blade": ("cuboid", (1 / _ASPECT, 1 / 30, 1.0)),
}
_RANGES = {
    # Distances from the surface, in the thickness of the box.
    "a tenth of the thickness": (0.1, 1.0),
    "a few thicknesses": (1.0, 30.0),
    "between thickness and length": (30.0, 1000.0),
    "a few lengths": (1e3, 3e4),
    "very far": (3e4, 1e8),
}
_WORST = {"float64": 1e-12, "float32": 1e-4}
"""Nearer to the box than 1e-3 of its length: what rounding a coordinate changes, eps / distance."""

_MEDIAN = {"float64": 1e-14, "float32": 1e-6}


def thin_boxes(name: str, dtype: str) -> tuple[SourceColumns, np.ndarray]:
    """Kind and rows of boxes of a shape, magnetised in any direction; all that `dtype` can hold."""
    body, sides = _SHAPES[name]
    kind, random = BOXES[body], np.random.default_rng(21)
    moment = random.normal(size=(20, kind.dim))
    return kind, rows_of(kind, moment=moment, dimension=sides).astype(dtype).astype(np.float64)


def truth_of(kind: SourceColumns, rows: np.ndarray, points: np.ndarray) -> tuple:
    """Potential and field, by integration."""
    values = [
        [box_values(part(kind, row, "moment"), at, part(kind, row, "dimension")) for at in near]
        for row, near in zip(rows, points, strict=True)
    ]
    return (
        np.array([[phi for phi, _ in row] for row in values]),
        np.array([[field for _, field in row] for row in values]),
    )


@pytest.mark.slow_cases
@pytest.mark.parametrize("dtype", _WORST)
@pytest.mark.parametrize("name", _SHAPES)
@pytest.mark.parametrize("distance", _RANGES)
def test_a_thin_box_is_right(name: str, distance: str, dtype: str) -> None:
    kind, rows = thin_boxes(name, dtype)
    random = np.random.default_rng(22)
    half = half_sides(kind, rows)[:, None]
    side = random.uniform(-1, 1, (20, 5, kind.dim))  # any place on any face
    surface = half * np.where(side == side.max(-1, keepdims=True), np.sign(side), side)
    low, high = np.log10(_RANGES[distance])
    reach = 10 ** random.uniform(low, high, (20, 5, 1)) / _ASPECT
    outwards = np.sign(surface) * np.abs(directions(random, 20, 5, kind.dim))
    points = (surface + reach * outwards).astype(dtype).astype(np.float64)
    potential, field = each(kind, rows[:, None], points, dtype)
    true_potential, true_field = truth_of(kind, rows, points)
    scale = np.linalg.norm(true_field, axis=-1) * np.linalg.norm(points, axis=-1)
    errors = np.stack([np.abs(potential - true_potential) / scale, error_of(field, true_field)])
    assert (errors / np.maximum(_WORST[dtype], np.finfo(dtype).eps / reach[..., 0])).max() < 1
    assert np.median(errors, (1, 2)).max() < _MEDIAN[dtype]

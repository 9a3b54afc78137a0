"""Differences of fourth order, of polynomials that they are exact for."""

import numpy as np
import pytest

from hypermagnetics.evaluate.physics.probe import NUM_POINTS, Configuration, Probe
from hypermagnetics.evaluate.physics.stencil import derivatives
from hypermagnetics.evaluate.subjects.subject import PotentialAndField
from hypermagnetics.sources import SourceColumns

DIPOLES = {dim: SourceColumns.of("dipole", dim=dim) for dim in (2, 3)}


class _Polynomial:
    """phi = x⁴ - y³ + 2 x y, and a field of components (x² y, x y⁴, 3 z)."""

    def __init__(self) -> None:
        self.asked: list[np.ndarray] = []

    def predict(self, sources, points, num_samples) -> PotentialAndField:
        self.asked.append(points)
        where = points.astype(np.float64)
        x, y = where[:, 0], where[:, 1]
        field = [x**2 * y, x * y**4, 3 * where[:, -1]][: where.shape[1]]
        potential = x**4 - y**3 + 2 * x * y
        return PotentialAndField(potential[None], np.stack(field, axis=-1)[None])


@pytest.mark.parametrize("dim", [2, 3])
def test_derivatives_of_polynomials_are_exact(dim):
    random = np.random.default_rng(dim)
    rows = random.normal(size=(2, 2 * dim)).astype(np.float32)
    points = random.uniform(-2, 2, (200, dim))
    model = _Polynomial()
    found = derivatives(Probe(model, 2), Configuration(DIPOLES[dim], rows, points))
    count = len(found.gap)
    assert 0 < count <= NUM_POINTS // (1 + 4 * dim)
    x, y = model.asked[0][:count, :2].astype(np.float64).T
    np.testing.assert_allclose(found.gradient[:, 0], 4 * x**3 + 2 * y, atol=1e-9)
    np.testing.assert_allclose(found.gradient[:, 1], -3 * y**2 + 2 * x, atol=1e-9)
    expected = 2 * x * y + 4 * x * y**3 + (3 if dim == 3 else 0)
    np.testing.assert_allclose(found.divergence, expected, atol=1e-9)


def test_the_stencil_is_exact_in_float32_and_keeps_away_from_sources():
    random = np.random.default_rng(0)
    rows = random.normal(size=(3, 4)).astype(np.float32)
    model = _Polynomial()
    configuration = Configuration(DIPOLES[2], rows, random.uniform(-3, 3, (400, 2)))
    found = derivatives(Probe(model, 3), configuration)
    count = len(found.gap)
    (asked,) = model.asked
    centres = asked[:count].astype(np.float64)
    moved = asked[count : 9 * count].astype(np.float64).reshape(2, 4, count, 2) - centres
    steps = moved[0, 0, :, 0]
    assert (np.log2(steps) % 1 == 0).all()
    for axis in range(2):
        for number, times in enumerate((1, -1, 2, -2)):
            np.testing.assert_array_equal(moved[axis, number, :, axis], times * steps)
            assert not moved[axis, number, :, 1 - axis].any()
    assert (found.gap > 60 * steps).all()
    assert (found.gap < 130 * steps).all()
    assert found.gap.min() > 6 / 33


def test_points_close_to_sources_have_no_derivatives():
    rows = np.array([[1.0, 0.0, 0.0, 0.0]], np.float32)
    points = np.array([[-4.0, 0.0], [4.0, 0.0], [0.01, 0.02], [0.0, 0.1]])
    near, far = points[2:], points[:2]
    whole = derivatives(Probe(_Polynomial(), 2), Configuration(DIPOLES[2], rows, points))
    assert len(whole.gap) == len(far)
    spread = np.concatenate([near, [[0.0, 0.0]]])
    at_source = Configuration(DIPOLES[2], rows, spread[-1:])
    assert derivatives(Probe(_Polynomial(), 2), at_source) is None

"""Quantiles against numpy, over all and in groups."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypermagnetics.metrics import grouped_quantiles, quantiles


@settings(deadline=None)
@given(
    st.lists(st.floats(0, 1e6, width=32), min_size=1, max_size=40),
    st.lists(st.floats(0, 1), min_size=1, max_size=5),
)
def test_quantiles_of_finite_numbers_are_those_of_numpy(values, probabilities):
    array = np.array(values)
    expected = np.quantile(array, probabilities)
    np.testing.assert_allclose(quantiles(array, probabilities), expected, rtol=1e-12, atol=1e-12)


def test_quantiles_among_infinities():
    values = np.array([np.inf, 1.0, np.inf, 3.0])
    found = quantiles(values, [0.0, 1 / 3, 0.5, 0.9, 1.0])
    assert found.tolist() == [1, 3, math.inf, math.inf, math.inf]
    assert np.isnan(quantiles(np.array([]), [0.5])).all()


_ERRORS = st.one_of(
    st.floats(0, 2.0**127, width=32),
    st.sampled_from([0.0, 0.25, 0.25, math.inf, math.nan]),
)


@pytest.mark.slow
@settings(max_examples=200)
@given(st.lists(st.tuples(_ERRORS, st.integers(0, 3)), min_size=1, max_size=60))
def test_quantiles_of_groups_are_those_of_their_values(pairs):
    values = np.array([value for value, _ in pairs], np.float32)
    codes = np.array([code for _, code in pairs], np.uint8)
    found = grouped_quantiles(values[:, None], codes[:, None], 3, (0.0, 0.37, 0.5, 0.99, 1.0))
    for group in range(3):  # code 3 is in no group
        own = values[codes == group]
        defined = own[~np.isnan(own)]
        expected = quantiles(defined, (0.0, 0.37, 0.5, 0.99, 1.0))
        np.testing.assert_array_equal(found.values[group], expected)
        assert found.num_points[group] == own.size
        assert found.num_undefined[group] == own.size - defined.size


def test_groups_of_points_and_of_samples(monkeypatch):
    monkeypatch.setattr("hypermagnetics.metrics.order_statistics._VALUES_PER_STEP", 100)
    random = np.random.default_rng(0)
    values = random.lognormal(size=(50, 30)).astype(np.float32)
    points, samples = random.integers(0, 4, (50, 30)), random.integers(0, 4, (50, 1))
    for codes in (points, samples):
        found = grouped_quantiles(values, codes, 4, (0.5, 0.9))
        for group in range(4):
            own = values[np.broadcast_to(codes, values.shape) == group]
            np.testing.assert_allclose(
                found.values[group], np.quantile(own.astype(float), (0.5, 0.9)), rtol=1e-12
            )


def test_values_in_a_mapped_file_are_read_in_pieces(tmp_path):
    values = np.memmap(tmp_path / "values", np.float32, "w+", shape=(300, 5000))
    values[:] = np.random.default_rng(0).random(values.shape, np.float32)
    found = grouped_quantiles(values, np.zeros((300, 1), np.uint8), 1, (0.5,))
    assert found.values.item() == pytest.approx(np.median(values.astype(float)), rel=1e-12)

"""Paired comparisons: known differences are found, and none is invented."""

import math

import numpy as np
import pytest
from evaluate_records import measured

from hypermagnetics.evaluate.compare.pairing import compare_errors
from hypermagnetics.evaluate.measuring.sample_file import SampleErrors, sample_table


def _errors(relative: np.ndarray) -> SampleErrors:
    return sample_table(measured(relative)).potential


def _draw(samples: int = 300) -> np.ndarray:
    random = np.random.default_rng(3)
    return random.lognormal(sigma=1.5, size=(samples, 1)) * random.random((samples, 20))


def _alike() -> np.ndarray:
    """Samples none of which holds much of the norm, unlike those of `_draw`."""
    return np.random.default_rng(3).random((300, 20))


def test_a_factor_is_found_with_certainty_and_a_narrow_interval():
    found_of_all = compare_errors(_errors(_alike()), _errors(0.9 * _alike()))
    for found in (*found_of_all, *compare_errors(_errors(_draw()), _errors(0.9 * _draw()))[:2]):
        assert found.ratio == pytest.approx(0.9, rel=1e-5)
        # Both see the same samples, so what varies from sample to sample cancels.
        np.testing.assert_allclose(found.ratio_ci95, (0.9, 0.9), rtol=0.01)
        assert found.verdict == "second"
        assert found.second_better == 1


def test_the_order_of_the_two_turns_everything_around():
    pairs = []
    for draw, num_metrics in ((_alike(), 3), (_draw(), 2)):
        first, second = _errors(draw), _errors(2 * draw[::-1])
        there, back = compare_errors(first, second), compare_errors(second, first)
        pairs += list(zip(there, back, strict=True))[:num_metrics]
    for one, other in pairs:
        assert one.ratio == pytest.approx(1 / other.ratio)
        assert one.second_better == pytest.approx(1 - other.second_better)
        np.testing.assert_allclose(one.ratio_ci95, 1 / np.array(other.ratio_ci95)[::-1], rtol=1e-4)


def test_the_interval_agrees_with_plain_resampling():
    first, second = _draw(120), 1.1 * np.random.default_rng(5).permutation(_draw(120))
    found = compare_errors(_errors(first), _errors(second))[0]
    random = np.random.default_rng(6)
    medians = np.median(first, axis=1), np.median(second, axis=1)
    ratios = []
    for _ in range(2000):
        drawn = random.integers(120, size=120)
        ratios.append(np.median(medians[1][drawn]) / np.median(medians[0][drawn]))
    slow = np.quantile(ratios, [0.025, 0.975])
    np.testing.assert_allclose(found.ratio_ci95, slow, atol=0.15 * (slow[1] - slow[0]))


def test_models_that_are_alike_are_undecided():
    random = np.random.default_rng(7)
    noise = random.lognormal(sigma=0.3, size=(2, 100, 20))
    first, second = (_errors(_draw(100) * part) for part in noise)
    assert {found.verdict for found in compare_errors(first, second)} == {"undecided"}
    same = compare_errors(first, first)
    assert {found.verdict for found in same} == {"equal"}
    assert [found.withheld for found in same] == [False, False, True]
    assert all(found.second_better == 0.5 for found in same[:2])
    first = _errors(_alike())
    assert all(found.second_better == 0.5 for found in compare_errors(first, first))


def test_a_single_sample_decides_nothing():
    for found in compare_errors(_errors(_draw(1)), _errors(2 * _draw(1))):
        assert found.ratio == pytest.approx(2)
        assert found.ratio_ci95 is None
        assert math.isnan(found.second_better)
        assert found.verdict == "undecided"


def test_infinite_errors_are_worse_than_any():
    broken = _draw()
    broken[:, 3] = np.inf
    _, sample_l2, global_l2 = compare_errors(_errors(_draw()), _errors(broken))
    assert sample_l2.verdict == "first"
    assert sample_l2.ratio == global_l2.ratio == math.inf


def test_a_global_l2_that_hangs_on_one_sample_decides_nothing():
    heavy = _draw()
    heavy[17] *= 100
    median, _, found = compare_errors(_errors(heavy), _errors(0.5 * heavy))
    assert median.verdict == "second"
    assert found.largest_share > 0.5
    assert found.withheld
    assert found.verdict == "undecided"
    assert found.ratio_ci95 is None
    assert math.isnan(found.second_better)
    assert found.ratio == pytest.approx(0.5)
    # One of the two is enough.
    light = np.random.default_rng(4).random(heavy.shape)
    for pair in ((heavy, light), (light, heavy)):
        assert compare_errors(*map(_errors, pair))[2].verdict == "undecided"

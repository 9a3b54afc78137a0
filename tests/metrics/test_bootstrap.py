"""Bootstrap intervals against plain resampling, and laws."""

import math
import tracemalloc

import numpy as np
import pytest
from work_limits import few_lines

from hypermagnetics.metrics import Interval, interval, median_intervals, resampled_ratios


def median_interval(relative: np.ndarray) -> Interval | None:
    """Of all points together."""
    (found,) = median_intervals(relative, np.zeros((len(relative), 1), np.uint8), 1)
    return found


def _random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_the_interval_is_deterministic_and_holds_the_median():
    relative = np.abs(_random(50, 40))
    interval = median_interval(relative)
    assert interval == median_interval(relative.copy())
    assert interval[0] < np.median(relative) < interval[1]


def test_the_interval_covers_the_truth_nineteen_times_of_twenty():
    # |N(0, 1)| times a factor of the sample: the median over all is that of the product.
    rng = np.random.default_rng(5)

    def draw(samples: int) -> np.ndarray:
        factor = rng.lognormal(size=(samples, 1))
        return (factor * np.abs(rng.normal(size=(samples, 20)))).astype(np.float32)

    truth = np.median(draw(100_000))
    intervals = [median_interval(draw(60)) for _ in range(100)]
    covered = sum(low <= truth <= high for low, high in intervals)
    assert 87 <= covered <= 100


def test_the_interval_agrees_with_a_bootstrap_by_plain_resampling():
    rng = np.random.default_rng(6)
    relative = (rng.lognormal(size=(200, 1)) * rng.random((200, 64))).astype(np.float32)
    medians = [np.median(relative[rng.integers(200, size=200)]) for _ in range(1000)]
    slow = np.quantile(medians, [0.025, 0.975])
    width = slow[1] - slow[0]
    np.testing.assert_allclose(median_interval(relative), slow, atol=0.1 * width)


def test_the_interval_is_narrower_with_more_samples():
    rng = np.random.default_rng(7)
    widths = [
        np.subtract(*reversed(median_interval(rng.random((n, 4)).astype(np.float32))))
        for n in (30, 3000)
    ]
    assert widths[1] == pytest.approx(widths[0] / 10, rel=0.5)


def test_the_interval_does_not_invent_values_between_two_that_occur():
    relative = np.where(np.arange(100)[:, None] < 50, 0.0, 1.0).astype(np.float32)
    assert median_interval(relative) == pytest.approx((0, 1), abs=1e-15)


def test_a_single_sample_has_no_interval():
    assert median_interval(np.ones((1, 9), np.float32)) is None


def test_the_points_of_a_thousand_samples_are_not_resampled():
    """Lines and memory bound the work: a thousand copies are neither gone through nor held."""
    relative = np.abs(_random(1000, 1024))
    tracemalloc.start()
    try:
        with few_lines(400):
            median_interval(relative)
        assert tracemalloc.get_traced_memory()[1] < 16 * relative.nbytes
    finally:
        tracemalloc.stop()


def test_the_interval_of_a_group_agrees_with_plain_resampling():
    rng = np.random.default_rng(8)
    relative = (rng.lognormal(size=(150, 1)) * rng.random((150, 40))).astype(np.float32)
    points = rng.integers(0, 3, (150, 40))
    samples = rng.integers(0, 3, (150, 1))
    for codes in (points, samples):
        medians = []
        for _ in range(1000):
            drawn = rng.integers(150, size=150)
            chosen = np.broadcast_to(codes[drawn] == 1, (150, 40))
            medians.append(np.median(relative[drawn][chosen]))
        slow = np.quantile(medians, [0.025, 0.975])
        _, found, _ = median_intervals(relative, codes, 3)
        np.testing.assert_allclose(found, slow, atol=0.12 * (slow[1] - slow[0]))


def test_groups_of_points_have_the_intervals_of_each():
    rng = np.random.default_rng(9)
    first, second = rng.random((2, 40, 7)).astype(np.float32)
    codes = np.repeat([[0] * 7 + [1] * 7], 40, axis=0)
    both = median_intervals(np.concatenate([first, second], axis=1), codes, 2)
    assert both == [median_interval(first), median_interval(second)]


def test_a_group_in_a_single_sample_has_no_interval():
    codes = np.zeros((5, 1), np.uint8)
    codes[2] = 1
    values = np.ones((5, 3), np.float32)
    assert median_intervals(values, codes, 3) == [(1, 1), None, None]


def test_the_interval_of_a_ratio_agrees_with_plain_resampling():
    rng = np.random.default_rng(10)
    truth = rng.lognormal(size=120)
    error = truth * rng.lognormal(-3, 1, 120)
    slow_values = []
    for _ in range(2000):
        drawn = rng.integers(120, size=120)
        slow_values.append(math.sqrt(error[drawn].sum() / truth[drawn].sum()))
    slow = np.quantile(slow_values, [0.025, 0.975])
    found = interval(resampled_ratios(error, truth))
    np.testing.assert_allclose(found, slow, atol=0.12 * (slow[1] - slow[0]))


def test_an_infinite_error_is_in_most_resamples():
    error = np.ones(50)
    error[7] = np.inf
    low, high = interval(resampled_ratios(error, np.ones(50)))
    assert (low, high) == (1, math.inf)
    assert interval(resampled_ratios(np.ones(2), np.zeros(2))) is None


def test_bins_made_from_some_values_hold_all(monkeypatch):
    # Bins come from some of the values only; the others must be counted too.
    monkeypatch.setattr("hypermagnetics.metrics.histograms._MAX_VALUES", 200)
    rng = np.random.default_rng(11)
    relative = rng.lognormal(size=(300, 20)).astype(np.float32)
    coarse = median_interval(relative)
    monkeypatch.undo()
    fine = median_interval(relative)
    np.testing.assert_allclose(coarse, fine, rtol=0.02)

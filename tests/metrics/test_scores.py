"""Metrics: hand-computed cases, a slow and obvious implementation, and laws."""

import dataclasses
import math
import statistics

import numpy as np
import pytest

from hypermagnetics.errors import HypermagneticsError, LabelError
from hypermagnetics.metrics import Errors, measure, scores


def _random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_a_perfect_model_scores_zero_everywhere():
    truth = _random(500, 7, 2)
    found = scores(measure(truth, truth))
    assert found.ci95 == found.global_relative_l2_ci95 == (0, 0)
    values = dataclasses.asdict(found)
    assert {name for name, value in values.items() if value not in (0, (0, 0))} == {
        "num_points",
        "num_samples",
        "global_relative_l2_largest_share",
    }


def test_one_bad_sample_moves_the_global_error_but_not_the_median():
    truth = _random(100, 16)
    predicted = truth.copy()
    predicted[42] *= 100
    found = scores(measure(predicted, truth))
    assert found.median_relative_error == 0
    assert found.median_sample_relative_l2 == 0
    assert found.global_relative_l2 > 5


def test_metrics_computed_by_hand():
    truth = np.array([[1.0, -2.0], [4.0, 5.0]], np.float32)
    predicted = np.array([[1.5, -2.0], [4.0, 6.0]], np.float32)
    # relative errors 0.5, 0, 0, 0.2
    found = scores(measure(predicted, truth))
    assert found.median_relative_error == pytest.approx(0.1)
    assert found.p90_relative_error == pytest.approx(0.2 + 0.7 * 0.3)
    assert found.p99_relative_error == pytest.approx(0.2 + 0.97 * 0.3)
    assert found.median_sample_relative_l2 == pytest.approx(
        (0.5 / math.sqrt(5) + 1 / math.sqrt(41)) / 2
    )
    assert found.global_relative_l2 == pytest.approx(math.sqrt(1.25 / 46))
    assert found.num_samples == 2


def test_field_errors_are_of_vectors():
    truth = np.array([[[3.0, 4.0]]], np.float32)
    predicted = np.array([[[3.0, 3.0]]], np.float32)
    # By components the errors would be 0 and 1/4.
    assert measure(predicted, truth).relative.item() == pytest.approx(1 / 5)


@pytest.mark.parametrize("share", [1e-3, 0.25, 3.0])
def test_scaled_truth_has_exactly_that_error(share):
    truth = _random(20, 30, 2)
    found = scores(measure(truth.astype(np.float64) * (1 + share), truth))
    for value in (
        found.median_relative_error,
        found.p99_relative_error,
        found.median_sample_relative_l2,
        found.global_relative_l2,
        *found.ci95,
    ):
        assert value == pytest.approx(share, rel=1e-6)


def _slow_scores(predicted: np.ndarray, truth: np.ndarray) -> tuple[float, float, float]:
    """Median relative error, median sample and global relative L2, by plain loops."""
    relative, per_sample, all_error, all_truth = [], [], 0.0, 0.0
    for sample, true_sample in zip(predicted.tolist(), truth.tolist(), strict=True):
        sum_error = sum_truth = 0.0
        for value, true_value in zip(sample, true_sample, strict=True):
            vector, true_vector = (v if isinstance(v, list) else [v] for v in (value, true_value))
            error = sum((a - b) ** 2 for a, b in zip(vector, true_vector, strict=True))
            size = sum(b**2 for b in true_vector)
            relative.append(math.sqrt(error) / math.sqrt(size))
            sum_error, sum_truth = sum_error + error, sum_truth + size
        per_sample.append(math.sqrt(sum_error / sum_truth))
        all_error, all_truth = all_error + sum_error, all_truth + sum_truth
    return (
        statistics.median(relative),
        statistics.median(per_sample),
        math.sqrt(all_error / all_truth),
    )


@pytest.mark.parametrize("shape", [(9, 13), (9, 13, 2), (4, 6, 3)])
def test_agrees_with_plain_loops(shape):
    truth = _random(*shape)
    predicted = truth + 0.3 * _random(*shape, seed=1)
    found = scores(measure(predicted, truth))
    assert (
        found.median_relative_error,
        found.median_sample_relative_l2,
        found.global_relative_l2,
    ) == pytest.approx(_slow_scores(predicted, truth), rel=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_predictions_that_are_not_finite_are_infinite_errors(bad):
    truth = _random(4, 10, 2)
    predicted = truth.copy()
    predicted[:, :3, 1] = bad
    found = scores(measure(predicted, truth))
    assert found.nonfinite_fraction == pytest.approx(0.3)
    assert found.median_relative_error == 0
    assert found.p90_relative_error == math.inf
    assert found.median_sample_relative_l2 == math.inf
    assert found.global_relative_l2 == math.inf
    predicted[:, :8, 0] = bad
    found = scores(measure(predicted, truth))
    assert found.median_relative_error == math.inf
    assert found.ci95 == (math.inf, math.inf)


def test_points_of_zero_truth_are_counted_and_have_no_relative_error():
    truth = np.array([[0.0, 1.0, 2.0], [0.0, 0.0, 0.0]], np.float32)
    predicted = np.array([[5.0, 1.5, 2.0], [1.0, 1.0, 1.0]], np.float32)
    errors = measure(predicted, truth)
    found = scores(errors)
    assert found.zero_truth_points == 4
    assert found.median_relative_error == pytest.approx(0.25)
    np.testing.assert_allclose(errors.sample_relative_l2(), [math.sqrt(25.25 / 5), np.nan])
    assert found.median_sample_relative_l2 == pytest.approx(math.sqrt(25.25 / 5))


def test_all_zero_truth_leaves_everything_undefined():
    found = scores(measure(np.ones((2, 3)), np.zeros((2, 3))))
    assert math.isnan(found.median_relative_error)
    assert math.isnan(found.global_relative_l2)
    assert found.ci95 is None
    assert found.zero_truth_points == 6


def test_a_vector_with_one_zero_component_is_no_zero():
    truth = np.array([[[0.0, 2.0]]], np.float32)
    found = scores(measure(np.array([[[1.0, 2.0]]], np.float32), truth))
    assert (found.zero_truth_points, found.median_relative_error) == (0, 0.5)


def test_other_shapes_and_wrong_truth_are_refused():
    with pytest.raises(HypermagneticsError, match=r"shape of the truth, \(2, 3\); got \(2, 4\)"):
        measure(np.ones((2, 4)), np.ones((2, 3)))
    truth = np.ones((2, 3))
    truth[1, 2] = np.nan
    with pytest.raises(LabelError, match="sample 1"):
        measure(np.ones((2, 3)), truth)


def test_the_errors_of_a_sample_depend_on_it_alone():
    """So that a split may be measured part by part."""
    truth, predicted = _random(10, 4, 2), _random(10, 4, 2, seed=1)
    whole = measure(predicted, truth)
    cuts = (slice(0, 3), slice(3, 4), slice(4, 10))
    parts = [measure(predicted[cut], truth[cut]) for cut in cuts]
    for entry in dataclasses.fields(Errors):
        joined = np.concatenate([getattr(part, entry.name) for part in parts])
        np.testing.assert_array_equal(joined, getattr(whole, entry.name))

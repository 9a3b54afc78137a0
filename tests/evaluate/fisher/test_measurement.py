"""Fisher information and estimates of networks whose summaries are known."""

import numpy as np
import pytest
from linear_summaries import (
    BOUND,
    COUNT,
    JACOBIAN,
    SIGMA,
    THETA,
    linear_network,
    readings_of,
    view_of,
)

from hypermagnetics.data.array_view import ArrayView
from hypermagnetics.data.parameters import Parameter
from hypermagnetics.evaluate.fisher.measurement import Summaries, measure_fisher
from hypermagnetics.evaluate.fisher.records import FisherScores
from hypermagnetics.log import SILENT
from hypermagnetics.models import Noise

SUFFICIENT = JACOBIAN @ np.array([[1.0, 0.4], [-0.3, 2.0]])
"""A linear map of J^T x, which keeps all information."""
KNOWN, UNKNOWN = Noise(std=SIGMA), Noise(std=SIGMA, parameter="variance")
FRESH = 20_000


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> ArrayView:
    """Readings without noise."""
    return view_of(readings_of(tmp_path_factory.mktemp("exact") / "lines", "none"))


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> ArrayView:
    """Readings with noise of their own."""
    return view_of(readings_of(tmp_path_factory.mktemp("noisy") / "lines", "added"))


def scores(view: ArrayView, weights: np.ndarray, noise: Noise | None) -> FisherScores:
    """Scores of a linear network."""
    return measure_fisher(linear_network(weights, noise), view, FRESH, SILENT)


@pytest.mark.slow
def test_sufficient_summaries_reach_the_bound(exact: ArrayView) -> None:
    """As det F does within its interval, whichever linear map of J^T x they are."""
    found = scores(exact, SUFFICIENT, KNOWN)
    bound = np.linalg.det(BOUND)
    assert found.analytic is not None
    np.testing.assert_allclose(found.analytic.information, BOUND, rtol=1e-6, atol=1e-6)
    assert found.analytic.determinant == pytest.approx(bound)
    assert found.analytic.share == pytest.approx(1, abs=0.06)
    assert found.ci95 is not None
    assert found.ci95[0] < bound < found.ci95[1]
    assert found.determinant == pytest.approx(found.analytic.share * bound)
    assert found.num_samples == FRESH
    np.testing.assert_allclose(found.information, BOUND, atol=0.05 * BOUND[0, 0])


@pytest.mark.slow
def test_summaries_that_leave_readings_out_know_less(exact: ArrayView) -> None:
    """By the information of the readings that they use."""
    used = SUFFICIENT * (np.arange(COUNT) < 3)[:, None]
    found = scores(exact, used, KNOWN)
    part = JACOBIAN[:3]
    expected = np.linalg.det(part.T @ part / SIGMA**2) / np.linalg.det(BOUND)
    assert found.analytic is not None
    assert found.analytic.share == pytest.approx(expected, rel=0.06)


@pytest.mark.slow
@pytest.mark.parametrize("noise", [KNOWN, None])
def test_estimates_are_unbiased_and_as_good_as_their_error_bars(
    exact: ArrayView, noisy: ArrayView, noise: Noise | None
) -> None:
    """On samples that have not made the estimator."""
    found = scores(noisy if noise is None else exact, SUFFICIENT, noise)
    assert found.num_estimates == (297 if noise is None else 594)
    bars = np.sqrt(np.diag(np.linalg.inv(BOUND)))
    for one, parameter, bar in zip(found.parameters, THETA, bars, strict=True):
        assert (one.name, one.value) == (parameter.name, parameter.value)
        assert abs(one.bias) < 3 * one.bias_standard_error
        assert one.error_bar == pytest.approx(bar, rel=0.15)
        assert one.spread == pytest.approx(one.error_bar, rel=0.15)
    spreads = np.sqrt(np.diag(np.array(found.estimate_covariance)))
    np.testing.assert_allclose(spreads, [one.spread for one in found.parameters], rtol=1e-6)


@pytest.mark.slow
def test_the_estimator_is_a_map_from_summaries_to_parameters(exact: ArrayView) -> None:
    """Right for the exact readings, which are at the parameters of the training."""
    network = linear_network(SUFFICIENT, KNOWN)
    found = measure_fisher(network, exact, FRESH, SILENT).estimator
    (arrays,) = exact.read((0,))
    estimate = np.array(found.offset) + np.array(found.matrix) @ np.asarray(
        network(arrays["inputs"][0])
    )
    np.testing.assert_allclose(estimate, [one.value for one in THETA], atol=0.01)


def test_readings_with_noise_of_their_own_have_no_bound(noisy: ArrayView) -> None:
    """All of them are used, and the derivatives of those that have some."""
    found = scores(noisy, SUFFICIENT, None)
    assert found.analytic is None
    assert (found.num_samples, found.num_derivatives) == (594, 450)
    np.testing.assert_allclose(found.information, BOUND, atol=0.2 * BOUND[0, 0])


@pytest.mark.slow
def test_a_further_variation_of_readings_has_no_bound(noisy: ArrayView) -> None:
    """The analytic one is of noise alone."""
    assert scores(noisy, SUFFICIENT, KNOWN).analytic is None


@pytest.mark.slow
def test_draws_of_a_sample_are_not_independent(noisy: ArrayView) -> None:
    """The interval of 20 000 draws of 594 samples is that of 594, and half of them estimate."""
    found = scores(noisy, SUFFICIENT, Noise(std=1e-3))
    whole = scores(noisy, SUFFICIENT, None)
    assert found.determinant == pytest.approx(whole.determinant, rel=0.02)
    assert found.num_derivatives == pytest.approx(FRESH * 450 / 594, rel=0.02)
    assert found.ci95 is not None
    assert whole.ci95 is not None
    widths = [high - low for low, high in (found.ci95, whole.ci95)]
    # ln det F of two parameters has a variance of 4 / n.
    assert widths == pytest.approx([3.92 * whole.determinant * np.sqrt(4 / 594)] * 2, rel=0.25)
    assert found.num_estimates == 297


def test_the_inverse_of_a_covariance_of_few_draws_has_no_bias() -> None:
    """Without its factor F of six summaries from 40 draws would be a fifth too large."""
    random, found = np.random.default_rng(0), []
    for _ in range(400):
        values = SIGMA * random.normal(size=(40, COUNT))
        slopes = np.tile(JACOBIAN, (40, 1, 1))
        all_, numbers = np.ones(40, bool), np.arange(40)
        found.append(Summaries(values, slopes, all_, numbers).moments.information)
    np.testing.assert_allclose(np.mean(found, axis=0), BOUND, atol=0.05 * BOUND[0, 0])


def test_the_variance_of_noise_is_a_parameter(exact: ArrayView) -> None:
    """Its information is N / (2 v²); linear summaries know next to nothing about it."""
    network = linear_network(
        np.eye(COUNT)[:, :3], UNKNOWN, (*THETA, Parameter(name="variance", value=SIGMA**2))
    )
    found = measure_fisher(network, exact, 5000, SILENT)
    assert found.analytic is not None
    assert found.analytic.information[2][2] == pytest.approx(COUNT / (2 * SIGMA**4))
    assert found.analytic.information[2][:2] == (0.0, 0.0)
    assert found.analytic.share < 1e-2


def test_constant_summaries_have_no_information(exact: ArrayView) -> None:
    """And no number that looks like some."""
    found = scores(exact, np.zeros((COUNT, 2)), KNOWN)
    assert np.isnan(found.determinant)
    assert found.ci95 is None


@pytest.mark.slow
def test_equal_calls_give_equal_numbers(exact: ArrayView) -> None:
    """Fresh noise has a seed."""
    assert scores(exact, SUFFICIENT, KNOWN) == scores(exact, SUFFICIENT, KNOWN)

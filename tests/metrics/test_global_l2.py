"""Intervals of the global L2: those that are given hold the truth, whatever the population."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from scipy.special import log_ndtr

from hypermagnetics.metrics import largest_share
from hypermagnetics.metrics.bootstrap import interval, resampled_ratios
from hypermagnetics.metrics.global_l2 import LARGEST_SHARE, global_l2_interval, widened

Draw = Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]


class Population(NamedTuple):
    """Squared errors and squared truths of samples, and their ratio over all samples there are."""

    draw: Draw
    ratio: float


def _gamma(shape: float) -> Population:
    """Light tails; half of each number is common to both."""

    def draw(random: np.random.Generator, number: int) -> tuple[np.ndarray, np.ndarray]:
        common, error, truth = random.gamma(shape / 2, size=(3, number))
        return common + error, common + truth

    return Population(draw, 1)


def _normal(
    random: np.random.Generator, number: int, correlation: float
) -> tuple[np.ndarray, np.ndarray]:
    first, second = random.standard_normal((2, number))
    return first, correlation * first + math.sqrt(1 - correlation**2) * second


def _lognormal(error: float, truth: float, correlation: float) -> Population:
    def draw(random: np.random.Generator, number: int) -> tuple[np.ndarray, np.ndarray]:
        first, second = _normal(random, number, correlation)
        return np.exp(error * first), np.exp(truth * second)

    return Population(draw, math.exp((error**2 - truth**2) / 2))


def _pareto(error: float, truth: float, correlation: float) -> Population:
    """Power laws of these exponents, of normal variables; an infinite exponent: all are equal."""

    def draw(random: np.random.Generator, number: int) -> tuple[np.ndarray, np.ndarray]:
        first, second = _normal(random, number, correlation)
        return np.exp(-log_ndtr(-first) / error), np.exp(-log_ndtr(-second) / truth)

    return Population(draw, (1 - 1 / truth) / (1 - 1 / error))


POPULATIONS = {
    "gamma 4": _gamma(4),
    "exponential": _gamma(1),
    **{
        f"log-normal {error} {truth} {correlation}": _lognormal(error, truth, correlation)
        for error, truth, correlation in (
            (0.5, 0.5, 0.5), (1, 1, 0.5), (1, 0, 0), (1.5, 1, 0.5), (1.5, 0, 0), (2, 1, 0.5),
            (2, 2, 0.8), (2, 2, 0), (3, 1, 0.5), (3, 2, 0.8), (0.5, 1.5, 0.5), (0.5, 2.5, 0.5),
        )
    },
    **{
        f"Pareto {error} {truth} {correlation}": _pareto(error, truth, correlation)
        for error, truth, correlation in (
            (1.1, math.inf, 0), (1.25, math.inf, 0), (1.5, math.inf, 0), (2, math.inf, 0),
            (3, math.inf, 0), (5, math.inf, 0), (1.25, 3, 0.5), (1.5, 3, 0.5), (2, 3, 0.5),
            (1.5, 1.5, 0.8), (2, 2, 0.8), (3, 3, 0.8), (5, 1.5, 0.5), (5, 2, 0.5),
        )
    },
}  # fmt: skip


class Coverage(NamedTuple):
    """Draws from a population: all, those with an interval, and those whose interval holds it."""

    draws: int
    given: int
    hold: int


def _coverage(population: Population, number: int, draws: int) -> Coverage:
    random, truth = np.random.default_rng(number), math.sqrt(population.ratio)
    found = [global_l2_interval(*population.draw(random, number)) for _ in range(draws)]
    given = [one for one in found if one is not None]
    return Coverage(draws, len(given), sum(low <= truth <= high for low, high in given))


@pytest.mark.parametrize("name", ["gamma 4", "Pareto 3 3 0.8", "Pareto 2 inf 0"])
def test_intervals_that_are_given_hold_the_truth(name):
    """A light tail, one of relative errors, and the heaviest that is still given intervals."""
    found = _coverage(POPULATIONS[name], 1000, 60)
    assert found.given >= 10
    assert found.hold >= 0.9 * found.given


@pytest.mark.parametrize("number", [20, 100, 300])
def test_rare_samples_of_large_errors_leave_no_interval(number):
    """By percentiles half of the intervals would not hold the truth."""
    population = POPULATIONS["log-normal 3 1 0.5"]
    assert _coverage(population, number, 60).given == 0
    random, truth = np.random.default_rng(1), math.sqrt(population.ratio)
    plain = [interval(resampled_ratios(*population.draw(random, number))) for _ in range(60)]
    assert sum(low <= truth <= high for low, high in plain) < 0.7 * 60


@pytest.mark.slow
def test_of_the_intervals_of_every_population_nine_of_ten_hold_the_truth():
    """Wherever a twentieth of the draws or more have one; rarer ones count in all together."""
    found = {
        (name, number): _coverage(one, number, 1000)
        for number in (20, 100, 300, 1000)
        for name, one in POPULATIONS.items()
    }
    for of, one in found.items():
        if one.given >= 0.05 * one.draws:
            assert one.hold >= 0.9 * one.given, (of, one)
        assert one.given - one.hold <= 0.05 * one.draws, (of, one)
    given = sum(one.given for one in found.values())
    assert sum(one.hold for one in found.values()) >= 0.95 * given
    assert found["gamma 4", 1000].given == found["log-normal 0.5 0.5 0.5", 1000].given == 1000


def test_the_largest_share_is_that_of_either_sum():
    error, truth = np.array([1.0, 1, 2]), np.array([7.0, 2, 1])
    assert largest_share(error, truth) == 0.7
    assert largest_share(truth, error) == 0.7
    assert largest_share(np.zeros(3), truth) == 0.7
    assert largest_share(error, np.zeros(3)) is None
    assert largest_share(np.array([1.0, math.inf, 1]), np.ones(3)) == 1


def test_an_interval_is_given_up_to_the_bound():
    number = 200
    ones = np.ones(number)
    for share, is_given in ((LARGEST_SHARE * 0.999, True), (LARGEST_SHARE * 1.001, False)):
        error = ones.copy()
        error[3] = share * (number - 1) / (1 - share)
        assert (global_l2_interval(error, ones) is not None) is is_given
        assert (global_l2_interval(ones, error) is not None) is is_given
    assert global_l2_interval(ones[:1], ones[:1]) is None
    assert global_l2_interval(ones, 0 * ones) is None
    assert global_l2_interval(0 * ones, ones) == (0, 0)


def test_an_interval_is_widened_in_the_logarithm():
    low, high = widened(2.0, (1.0, 8.0))
    assert (low, high) == (pytest.approx(2**-0.5), 16)
    assert widened(0.0, (0.0, 0.0)) == (0, 0)
    assert widened(math.inf, (1.0, math.inf)) == (1, math.inf)
    assert widened(2.0, None) is None

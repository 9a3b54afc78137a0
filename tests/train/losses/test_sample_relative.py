"""The relative error of samples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hypermagnetics.metrics import measure
from hypermagnetics.train.losses.sample_relative import SampleRelative


def values(*seeds: int) -> list[jax.Array]:
    """Fields of a block: two samples of unequal size, seven points."""
    sizes = jnp.array([1.0, 30.0])[None, :, None, None]
    return [sizes * jax.random.normal(jax.random.key(s), (1, 2, 7, 2)) for s in seeds]


def test_it_is_the_square_of_the_relative_error_that_metrics_report() -> None:
    """Of each sample, by the code of the reports."""
    error, truth = values(0, 1)
    found = SampleRelative(floor=1e-6)(error, truth, None)
    measured = measure(np.asarray(truth + error)[0], np.asarray(truth)[0])
    np.testing.assert_allclose(found[0], measured.sample_relative_l2() ** 2, rtol=1e-5)


def test_closed_form_with_weights_of_points() -> None:
    """A point that counts twice is as good as two points."""
    error, truth = values(0, 1)
    weights = jnp.array([2.0, 1, 1, 1, 1, 0, 1])[None, None].repeat(2, axis=1)
    twice_error, twice_truth = (
        jnp.concatenate([a[:, :, :1], a[:, :, :5], a[:, :, 6:]], axis=2) for a in (error, truth)
    )
    floor = SampleRelative(floor=0.3)
    found = floor(error, truth, weights)
    np.testing.assert_allclose(found, floor(twice_error, twice_truth, None), rtol=1e-5)


@pytest.mark.parametrize("weights", [None, jnp.zeros((1, 2, 7))])
def test_samples_without_truth_or_weight_are_finite(weights: jax.Array | None) -> None:
    """The floor stands for the truth."""
    (error,) = values(0)
    found = SampleRelative(floor=0.1)(error, jnp.zeros_like(error), weights)
    expected = 0 if weights is not None else jnp.mean(jnp.sum(error**2, -1), -1) / 0.01
    np.testing.assert_allclose(found, jnp.broadcast_to(jnp.asarray(expected), (1, 2)), rtol=1e-5)

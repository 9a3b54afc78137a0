"""Huber's loss."""

import jax
import jax.numpy as jnp
import numpy as np

from hypermagnetics.train.losses.of_points import Huber, huber


def test_huber_is_quadratic_then_linear() -> None:
    """Closed form on either side, continuous with its slope, finite gradient at zero."""
    delta = 0.2
    errors = jnp.array([0.0, 0.1, 0.2, 0.2000001, 5.0])
    expected = [0.0, 0.01 / 0.4, 0.1, 0.1000001, 4.9]
    np.testing.assert_allclose(huber(errors**2, delta), expected, rtol=1e-6)
    slope = jax.vmap(jax.grad(lambda e: huber(e**2, delta)))(errors)
    np.testing.assert_allclose(slope, [0.0, 0.5, 1.0, 1.0, 1.0], rtol=1e-5, atol=1e-12)


def test_a_vector_has_the_loss_of_its_norm() -> None:
    """Not the sum over its components."""
    error = jnp.array([[3.0, 4.0], [0.03, 0.04]])
    np.testing.assert_allclose(Huber(delta=0.1)(error, error), [4.95, 0.0125], rtol=1e-6)

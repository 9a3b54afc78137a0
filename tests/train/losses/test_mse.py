"""The squared error."""

import jax.numpy as jnp
import numpy as np

from hypermagnetics.train.losses.of_points import MeanSquare


def test_it_is_the_square_of_the_norm() -> None:
    """Whatever the truth."""
    error = jnp.array([[3.0, 4.0], [0.0, 0.0], [-1.0, 0.0]])
    np.testing.assert_array_equal(MeanSquare()(error, 7 * error), [25.0, 0.0, 1.0])

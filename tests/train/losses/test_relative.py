"""The relative error of points."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hypermagnetics.train.losses.of_points import Relative

ERROR = jnp.array([[0.3, 0.4], [3.0, 4.0], [0.0, 0.0], [0.0, 0.0]])
TRUTH = jnp.array([[6.0, 8.0], [0.0, 0.0], [1.0, 0.0], [0.0, 0.0]])


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0, 3.0])
def test_closed_form(power: float) -> None:
    """Errors of norm 0.5 at 10, of 5 where there is no truth, and none at 1 and 0."""
    found = Relative(power=power, floor=0.5)(ERROR, TRUTH)
    expected = [(0.5 / np.sqrt(100.25)) ** power, 10.0**power, 0, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("size", [0.0, 1e-30, 1e-12, 1.0])
def test_the_gradient_is_finite_down_to_no_error(power: float, size: float) -> None:
    """Of a power of 1 it is a unit vector over the truth, but for no error at all."""
    error = (size * ERROR[0]).astype(jnp.float32)
    loss = Relative(power=power, floor=1e-3)
    gradient = jax.grad(lambda e: loss(e, TRUTH[0].astype(jnp.float32)))(error)
    assert np.isfinite(gradient).all()
    if power == 1 and size >= 1e-12:
        np.testing.assert_allclose(gradient, [0.06, 0.08], rtol=1e-4)

"""Cauchy's loss."""

import jax
import jax.numpy as jnp
import numpy as np

from hypermagnetics.train.losses import Cauchy


def test_small_errors_count_by_their_squares_and_large_ones_hardly() -> None:
    """|e|²/(2 delta) where it is small; a tenfold large error adds delta log 100."""
    loss = Cauchy(delta=0.1)
    errors = jnp.array([[1e-4, 0.0], [0.0, 0.1], [300.0, 400.0], [3000.0, 4000.0]])
    found = loss(errors, errors)
    np.testing.assert_allclose(found[:2], [5e-8, 0.1 * np.log(1.5)], rtol=1e-5)
    np.testing.assert_allclose(found[3] - found[2], 0.1 * np.log(100), rtol=1e-4)


def test_its_pull_is_greatest_at_delta_times_the_root_of_two() -> None:
    """It falls on both sides, and is 0, not NaN, without an error."""
    loss = Cauchy(delta=0.1)
    sizes = jnp.linspace(0, 1, 2001)
    pull = jax.vmap(jax.grad(lambda size: loss(size[None], size[None])))(sizes)
    np.testing.assert_allclose(sizes[jnp.argmax(pull)], 0.1 * 2**0.5, atol=1e-3)
    assert pull[0] == 0

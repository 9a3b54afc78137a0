"""The error by wave number."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hypermagnetics.train.losses.spectral import SpectralOnGrid, hartley, mode_weights

GRIDS = [(2, 6), (2, 7), (3, 4), (3, 5)]
"""Space dimension, and points of a side: even and odd."""


def errors(dim: int, side: int, components: int = 2) -> jax.Array:
    """Normal numbers of two blocks of three samples."""
    return jax.random.normal(jax.random.key(0), (2, 3, side**dim, components), jnp.float32)


@pytest.mark.slow_cases
@pytest.mark.parametrize(("dim", "side"), GRIDS)
def test_parseval(dim: int, side: int) -> None:
    """An order of 0 is the mean of the squared error."""
    error = errors(dim, side)
    expected = jnp.mean(jnp.sum(error**2, axis=-1), axis=-1)
    np.testing.assert_allclose(SpectralOnGrid(0.0, dim)(error, error, None), expected, rtol=1e-6)


@pytest.mark.slow_cases
@pytest.mark.parametrize("order", [-1.0, 0.5, 1.0])
@pytest.mark.parametrize(("dim", "side"), GRIDS)
def test_it_is_the_sum_over_all_modes(dim: int, side: int, order: float) -> None:
    """Each taken by itself: the product of e and exp(-2 pi i k.n / side), over all whole k."""
    error = np.asarray(errors(dim, side), np.float64)
    numbers = [k if 2 * k <= side else k - side for k in range(side)]
    places = np.stack(np.meshgrid(*[np.arange(side)] * dim, indexing="ij"), -1).reshape(-1, dim)
    expected = np.zeros(error.shape[:2])
    for k in np.stack(np.meshgrid(*[numbers] * dim, indexing="ij"), -1).reshape(-1, dim):
        wave = np.exp(-2j * np.pi * places @ k / side)
        amplitude = (error * wave[:, None]).mean(axis=2)
        expected += (1 + k @ k) ** order * (np.abs(amplitude) ** 2).sum(axis=-1)
    found = SpectralOnGrid(order, dim)(jnp.asarray(error), jnp.asarray(error), None)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_single_wave() -> None:
    """cos(2 pi (3 x + y)) has |k|² = 10 and a mean square of 1/2."""
    x, y = np.meshgrid(np.arange(8) / 8, np.arange(8) / 8, indexing="ij")
    wave = jnp.asarray(np.cos(2 * np.pi * (3 * x + y)).reshape(1, 1, 64, 1))
    assert float(SpectralOnGrid(2.0, 2)(wave, wave, None)[0, 0]) == pytest.approx(
        0.5 * 11**2, rel=1e-6
    )


def test_transforms_keep_squares() -> None:
    """The matrix is orthogonal but for its scale, so every mode is counted once."""
    for side in (6, 7, 64):
        matrix = hartley(side)
        np.testing.assert_allclose(side * matrix @ matrix.T, np.eye(side), atol=1e-12)
        np.testing.assert_array_equal(mode_weights(side, 2, 0.0), np.ones((side, side)))


def test_the_gradient_is_finite_at_no_error() -> None:
    """And that of an order of 0 is 2 e / points."""
    error = errors(2, 6)
    gradient = jax.grad(lambda e: jnp.sum(SpectralOnGrid(0.0, 2)(e, e, None)))
    np.testing.assert_allclose(gradient(error), 2 * error / 36, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(gradient(jnp.zeros_like(error)), jnp.zeros_like(error))

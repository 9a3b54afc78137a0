"""The error of a sample by wave number, on a regular grid."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from pydantic import Field

from hypermagnetics.train.losses.loss import (
    Loss,
    PointWeights,
    SampleLoss,
    SampleLosses,
    Values,
)


class Spectral(Loss):
    """The error of a sample by wave number; see `SpectralOnGrid`."""

    weighs_points: ClassVar[bool] = False
    kind: Literal["spectral"] = "spectral"
    """Kind of loss: the error by wave number, with weights (1 + |k|²) ** order, on whole regular
    grids."""
    order: Annotated[float, Field(ge=-4, le=4)] = 1.0
    """Exponent: above 0 for more weight on fine structure, below 0 for less."""

    def on_samples(self, dim: int) -> SampleLoss:
        """The loss on grids of `dim` axes."""
        return SpectralOnGrid(self.order, dim)


@dataclass(frozen=True)
class SpectralOnGrid:
    """sum over k of (1 + |k|²)**order |ê_k|², the square of an H^order norm; a `SampleLoss`.

    ê is the discrete Fourier transform of e over the grid, divided by the number of points, and k
    counts whole periods along the sides of the grid. By Parseval's theorem, an order of 0 is the
    mean of |e|². The transform takes the grid for one period, so that a difference between
    opposite sides counts as large wave numbers.

    References:
        Z. Li et al., Learning dissipative dynamics in chaotic systems (2022), arXiv 2106.06898:
        Sobolev losses of neural operators.
    """

    order: float
    """Exponent: above 0 for more weight on fine structure, below 0 for less."""
    dim: int
    """Space dimension; the points are those of a cube, the last coordinate fastest."""

    def __call__(self, error: Values, truth: Values, weights: PointWeights | None) -> SampleLosses:
        """The loss of each sample; there are no weights of points here."""
        assert weights is None, "recipes with weights of regions are refused"
        side = round(error.shape[2] ** (1 / self.dim))
        modes = error.reshape(*error.shape[:2], *(side,) * self.dim, error.shape[3])
        transform = jnp.asarray(hartley(side), error.dtype)
        for axis in range(2, 2 + self.dim):
            # Products with a matrix, each sample by itself: for an FFT, XLA would gather the
            # samples of all devices on each. In full precision, whatever the model computes in.
            modes = jnp.moveaxis(
                jnp.tensordot(modes, transform, (axis, 0), precision="highest"), -1, axis
            )
        energy = jnp.sum(modes**2, axis=-1)
        factors = jnp.asarray(mode_weights(side, self.dim, self.order), energy.dtype)
        return jnp.sum(factors[None, None] * energy, axis=tuple(range(2, 2 + self.dim)))


def hartley(side: int) -> Float[np.ndarray, "side side"]:
    """(cos + sin)(2 pi k x / side) / side for whole x (rows) and k (columns).

    Along each axis, the squares of the amplitudes of k and -k add up to those of the Fourier
    transform, so that any sum in which both weigh the same is the same.

    References:
        R. V. L. Hartley, A more symmetrical Fourier analysis, Proc. IRE 30 (1942) 144.
    """
    # The product is taken modulo the side, so that no large phase loses digits.
    phase = 2 * np.pi / side * (np.outer(np.arange(side), np.arange(side)) % side)
    matrix: np.ndarray = (np.cos(phase) + np.sin(phase)) / side
    return matrix


def mode_weights(side: int, dim: int, order: float) -> Float[np.ndarray, "*modes"]:
    """(1 + |k|²)**order of each mode.

    Args:
        side: Points along each axis, and modes.
        dim: Number of axes.
        order: Exponent.

    Returns:
        Weights of shape (side, ...): k counts up to side / 2, then from there below 0 up.
    """
    numbers = np.meshgrid(*[side * np.fft.fftfreq(side)] * dim, indexing="ij")
    weights: np.ndarray = (1 + sum(k**2 for k in numbers)) ** order
    return weights

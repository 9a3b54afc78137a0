"""Network of a RangeSplit: features of position, and plane waves for their weights."""

import math

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float

from hypermagnetics.models.split.waves import PlaneWaves
from hypermagnetics.shapes import AnyKey


class Factors(eqx.Module):
    """phi(r) = sum_j m_j.w(r_j) . f(r) for dipoles m_j at r_j, in units of the scales.

    f = cos(r Q + b) A and w = cos(r_j Q' + b') B: both factors of the kernel are sums of plane
    waves.
    """

    trunk: PlaneWaves
    mixing: Float[Array, "waves features"]
    """Matrix A."""
    hypernetwork: PlaneWaves
    making: Float[Array, "dim waves features"]
    """Matrix B, for each component of the moment."""

    def __init__(self, dim: int, num_waves: int, rank: int, largest: float, key: AnyKey) -> None:
        """Draw the initial parameters.

        Args:
            dim: Space dimension.
            num_waves: Waves of either factor.
            rank: Number of features K.
            largest: Largest wave number [rad per length scale].
            key: Random key.
        """
        keys = jr.split(key, 4)
        self.trunk = PlaneWaves(dim, num_waves, largest, keys[0])
        self.hypernetwork = PlaneWaves(dim, num_waves, largest, keys[1])
        # so that features and sums over them are of order 1
        spread = math.sqrt(2 / num_waves)
        self.mixing = spread * jr.normal(keys[2], (num_waves, rank), jnp.float32)
        making = jr.normal(keys[3], (dim, num_waves, rank), jnp.float32)
        self.making = spread / math.sqrt(rank) * making

    def weights(
        self, moments: Float[Array, "dipoles dim"], positions: Float[Array, "dipoles dim"]
    ) -> Float[Array, " features"]:
        """The weights of the features, summed over dipoles."""
        amplitudes = moments.T @ self.hypernetwork(positions)
        return amplitudes.ravel() @ self.making.reshape(-1, self.making.shape[-1])

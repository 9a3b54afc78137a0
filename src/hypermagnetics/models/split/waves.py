"""Plane waves: features of a position whose frequencies fill a ball."""

import math

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float

from hypermagnetics.shapes import AnyKey, Points


class PlaneWaves(eqx.Module):
    """z(r) = cos(r.q + b), one for each of many wave vectors q and phases b.

    A function whose spectrum ends at q_max is a sum of such waves. Wave vectors spread evenly over
    the ball |q| < q_max need no period, and so no domain of a certain shape.

    References:
        Rahimi, Recht, Random features for large-scale kernel machines (2007).
    """

    wave_vectors: Float[Array, "dim waves"]
    """[rad per length scale]"""
    phases: Float[Array, " waves"]
    """[rad]"""

    def __init__(self, dim: int, num_waves: int, largest: float, key: AnyKey) -> None:
        """Draw wave vectors and phases.

        Args:
            dim: Space dimension.
            num_waves: Number of waves.
            largest: q_max [rad per length scale].
            key: Random key.
        """
        direction_key, length_key, phase_key = jr.split(key, 3)
        direction = jr.normal(direction_key, (dim, num_waves), jnp.float32)
        direction /= jnp.linalg.norm(direction, axis=0, keepdims=True)
        length = largest * jr.uniform(length_key, (1, num_waves), jnp.float32) ** (1 / dim)
        self.wave_vectors = direction * length
        self.phases = jr.uniform(phase_key, (num_waves,), jnp.float32, 0, 2 * math.pi)

    def __call__(self, positions: Points) -> Float[Array, "points waves"]:
        """The waves at positions [length scales]."""
        return jnp.cos(self._angles(positions))

    def sums(
        self, positions: Points, amplitudes: Float[Array, "waves sums"]
    ) -> tuple[Float[Array, "points sums"], Float[Array, "dim points sums"]]:
        """Sums of the waves, and their derivatives along each axis.

        Args:
            positions: Positions [length scales].
            amplitudes: Of each wave in each sum.

        Returns:
            The sums, and the derivatives with the axis first [1 / length scale].
        """
        angles = self._angles(positions)
        falling = -jnp.sin(angles)
        # The wave vector goes to the amplitudes, fewer than the points mostly.
        gradient = [falling @ (along[:, None] * amplitudes) for along in self.wave_vectors]
        return jnp.cos(angles) @ amplitudes, jnp.stack(gradient)

    def _angles(self, positions: Points) -> Float[Array, "points waves"]:
        return positions @ self.wave_vectors + self.phases[None]

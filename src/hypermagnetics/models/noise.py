"""Noise of the sensors, which exact readings lack."""

import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, Int, UInt32

from hypermagnetics.config import Config, Positive

Readings = Float[Array, "samples ..."]


class Noise(Config):
    """Normal noise of the readings, independent from value to value."""

    std: Positive
    """Standard deviation, in the unit of the readings."""
    redraw: bool = True
    """Whether it is drawn anew in each step; else once for each sample."""
    parameter: str | None = None
    """Name of the variance of the noise as a further parameter, the last; null if it is known."""

    def drawn(self, keys: UInt32[Array, "samples words"], shape: tuple[int, ...]) -> Readings:
        """Noise of some samples.

        Args:
            keys: A random key of each.
            shape: Shape of the readings of one.
        """

        def of_sample(key: Array) -> Array:
            return jr.normal(key, shape, jnp.float32)  # as datasets have them

        found: Array = self.std * jax.vmap(of_sample)(keys)
        return found

    def completed(self, derivatives: Readings, drawn: Readings) -> Readings:
        """Derivatives of noisy readings by all parameters, that of the variance being the last.

        A noise n of unknown variance v is sqrt(v) times numbers that do not depend on it, so its
        derivative by v is n / (2 v).

        Args:
            derivatives: Derivatives of the exact readings, the parameters last.
            drawn: Their noise.
        """
        if self.parameter is None:
            return derivatives
        by_variance = drawn[..., None] / (2 * self.std**2)
        return jnp.concatenate([derivatives, by_variance], axis=-1)


def sample_keys(
    key: jax.Array, blocks: Int[Array, " blocks"], samples: Int[Array, " samples"]
) -> UInt32[Array, "blocks samples words"]:
    """Random keys of samples, each of the numbers of its block and of its own in the block.

    Args:
        key: Key of all of them.
        blocks: Numbers of the blocks.
        samples: Numbers of the samples in each.
    """

    def of(block: Int[Array, ""], sample: Int[Array, ""]) -> UInt32[Array, " words"]:
        return jr.key_data(jr.fold_in(jr.fold_in(key, block), sample))

    found: Array = jax.vmap(jax.vmap(of, (None, 0)), (0, None))(blocks, samples)
    return found

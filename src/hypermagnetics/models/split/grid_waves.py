"""Plane waves on a grid: a smooth kernel of displacements, one coefficient for each wave."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from hypermagnetics.shapes import Points

_Waves = Float[Array, "_ rows"]
"""Products of waves along some axes, at some positions."""


class GridWaves(eqx.Module):
    """phi(r) = -sum_j m_j.grad G(r - r_j), with G(d) = sum_n c_n prod_i cos(2 pi n_i d_i / P_i).

    Every cos(a - b) is cos a cos b + sin a sin b. So phi is a sum over products of one cosine or
    sine for each axis, whose amplitudes are the same product at the dipoles, times c_n: nothing
    mixes, a source or point costs its waves once, and those along an axis are computed for that
    axis alone.
    """

    coefficients: Float[Array, "*harmonics"]
    """c_n for each harmonic along each axis, from 0 on."""
    period: tuple[float, ...] = eqx.field(static=True)
    """P of each axis [length scales]."""

    def amplitudes(
        self, moments: Float[Array, "dipoles dim"], positions: Float[Array, "dipoles dim"]
    ) -> Float[Array, "*waves"]:
        """Amplitude of each product of waves, summed over dipoles.

        Args:
            moments: Moments of dipoles.
            positions: Their positions [length scales].

        Returns:
            Amplitudes; along each axis first those of the cosines, then those of the sines.
        """
        *_, last = axes = [self._waves(positions, axis) for axis in range(len(self.period))]
        # The product over the axes behind the first, and its derivative along the moment.
        value, slope = last[0], moments[:, -1][None] * last[1]
        for axis in reversed(range(1, len(axes) - 1)):
            wave, derivative = axes[axis]
            slope = _outer(moments[:, axis][None] * derivative, value) + _outer(wave, slope)
            value = _outer(wave, value)
        wave, derivative = axes[0]
        total = (moments[:, 0][None] * derivative) @ value.T + wave @ slope.T
        full = self.coefficients
        for axis, count in enumerate(full.shape):
            full = jnp.concatenate([full, jnp.take(full, jnp.arange(1, count), axis=axis)], axis)
        return full * total.reshape(full.shape)

    def sums(
        self, amplitudes: Float[Array, "*waves"], positions: Points
    ) -> tuple[Float[Array, " points"], Float[Array, "dim points"]]:
        """Sum of the products of waves at positions, and its gradient.

        Args:
            amplitudes: As of `amplitudes`.
            positions: Positions [length scales].

        Returns:
            The sum, and its derivatives along each axis [1 / length scale].
        """
        last = len(self.period) - 1
        wave, derivative = self._waves(positions, last)
        value = jnp.tensordot(amplitudes, wave, 1)
        gradient = [jnp.tensordot(amplitudes, derivative, 1)]
        # Points stay the last axis, along which a CPU computes several at once.
        for axis in reversed(range(last)):
            # Like the sums over the axes behind, with an axis for each one before.
            wave, derivative = (
                each.reshape(*(1,) * axis, *each.shape) for each in self._waves(positions, axis)
            )
            along = jnp.sum(value * derivative, axis=-2)
            gradient = [along, *(jnp.sum(part * wave, axis=-2) for part in gradient)]
            value = jnp.sum(value * wave, axis=-2)
        return value, jnp.stack(gradient)

    def _waves(self, positions: Float[Array, "rows dim"], axis: int) -> tuple[_Waves, _Waves]:
        """Cosines and sines along an axis, and their derivatives."""
        lowest, count = 2 * math.pi / self.period[axis], self.coefficients.shape[axis] - 1
        numbers = jnp.asarray(lowest * np.arange(1, count + 1), positions.dtype)[:, None]
        cosines, sines = _multiples(lowest * positions[:, axis][None], count)
        one = jnp.ones_like(positions[:, axis][None])
        return (
            jnp.concatenate([one, cosines, sines]),
            jnp.concatenate([0 * one, -numbers * sines, numbers * cosines]),
        )


def _multiples(angles: _Waves, count: int) -> tuple[_Waves, _Waves]:
    """Cosines and sines of 1 to `count` times some angles.

    Each pass doubles their number by the sum of two angles, which takes less time than to call
    cosine and sine for each; a number is off by as many rounding units as there are passes.
    """
    cosines, sines = jnp.cos(angles), jnp.sin(angles)
    while len(cosines) < count:
        cosine, sine = cosines[-1:], sines[-1:]
        cosines, sines = (
            jnp.concatenate([cosines, cosines * cosine - sines * sine])[:count],
            jnp.concatenate([sines, sines * cosine + cosines * sine])[:count],
        )
    return cosines[:count], sines[:count]


def _outer(one: _Waves, other: _Waves) -> _Waves:
    """Products of each of one and each of the other, for each row."""
    found: jax.Array = one[:, None] * other[None]
    return found.reshape(-1, one.shape[-1])

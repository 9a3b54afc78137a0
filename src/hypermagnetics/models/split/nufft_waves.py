"""Plane waves on a grid by nonuniform fast Fourier transforms, for many of them."""

import importlib
import math
from functools import partial
from types import ModuleType, SimpleNamespace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float

from hypermagnetics.errors import HypermagneticsError
from hypermagnetics.extras import refuse_missing
from hypermagnetics.shapes import Points
from hypermagnetics.sources.sums import sums_platform

_Angles = tuple[Float[Array, " rows"], ...]
"""Positions along each axis [rad of the longest wave]."""
_Rows = Complex[Array, "sets rows"]
_Waves = Complex[Array, "sets *waves"]
_SMALLEST_TOLERANCE = {"float32": 1e-6, "float64": 1e-13}
"""Tolerances of the transform below which rounding decides."""


class NufftWaves(eqx.Module):
    """phi(r) = -sum_j m_j.grad G(r - r_j) as of `GridWaves`, by transforms of all of its waves.

    With the complex amplitudes c_n of exp(i k_n.r), those of phi are -i c_n k_n.sum_j m_j
    exp(-i k_n.r_j). A transform from points at any places to a grid of wave numbers, and one back,
    take a time of points plus waves, not of their product.

    References:
        Barnett, Magland, af Klinteberg, A parallel nonuniform fast Fourier transform library based
        on an exponential of semicircle kernel (2019).
    """

    coefficients: Float[Array, "*harmonics"]
    """c_n for each harmonic along each axis, from 0 on, as of `GridWaves`."""
    period: tuple[float, ...] = eqx.field(static=True)
    """P of each axis [length scales]."""
    tolerance: float = eqx.field(static=True)
    """Relative error of the transforms."""

    def amplitudes(
        self, moments: Float[Array, "dipoles dim"], positions: Float[Array, "dipoles dim"]
    ) -> Complex[Array, "*waves"]:
        """Complex amplitude of each wave, summed over dipoles.

        Args:
            moments: Moments of dipoles.
            positions: Their positions [length scales].

        Returns:
            Amplitudes; along each axis from the lowest wave number to the highest.
        """
        angles, finite = self._angles(positions)
        values = jnp.where(finite[:, None], moments, jnp.nan).T
        summed = _to_waves(self._shape, self._tolerance(positions), _complex(values), angles)
        numbers = self._wave_numbers(summed.dtype)
        along = sum(k * each for k, each in zip(numbers, summed, strict=True))
        found: Array = -1j * self._complex_coefficients().astype(along.dtype) * along
        return found

    def sums(
        self, amplitudes: Complex[Array, "*waves"], positions: Points
    ) -> tuple[Float[Array, " points"], Float[Array, "dim points"]]:
        """Sum of the waves at positions, and its gradient.

        Args:
            amplitudes: As of `amplitudes`.
            positions: Positions [length scales].

        Returns:
            The sum, and its derivatives along each axis [1 / length scale].
        """
        if not len(positions):  # of which the library makes no plan
            return jnp.zeros(0, positions.dtype), jnp.zeros((len(self.period), 0), positions.dtype)
        angles, finite = self._angles(positions)
        numbers = self._wave_numbers(amplitudes.dtype)
        wanted = [amplitudes, *(1j * k * amplitudes for k in numbers)]
        if len(wanted) % 2:
            wanted.append(jnp.zeros_like(amplitudes))
        # All are real at the points, so that one transform serves two of them.
        pairs = [one + 1j * other for one, other in zip(wanted[::2], wanted[1::2], strict=True)]
        kind = jnp.result_type(positions, amplitudes)
        found = _to_points(self._tolerance(positions), jnp.stack(pairs).astype(kind), angles)
        parts = jnp.stack([found.real, found.imag], axis=1).reshape(-1, len(positions))
        value, *gradient = jnp.where(finite[None], parts[: 1 + len(self.period)], jnp.nan)
        return value, jnp.stack(gradient)

    @property
    def _shape(self) -> tuple[int, ...]:
        return tuple(2 * count - 1 for count in self.coefficients.shape)

    def _angles(self, positions: Points) -> tuple[_Angles, Bool[Array, " rows"]]:
        """Positions in rad of the longest wave, in one period, and which of them are numbers."""
        finite = jnp.all(jnp.isfinite(positions), axis=1)
        placed = jnp.where(finite[:, None], positions, 0)
        turns = [placed[:, axis] / period for axis, period in enumerate(self.period)]
        # The library reads any other place from outside of its arrays.
        return tuple(2 * math.pi * (turn - jnp.round(turn)) for turn in turns), finite

    def _wave_numbers(self, dtype: jnp.dtype) -> list[Array]:
        """Wave numbers along each axis [rad per length scale], shaped to that axis."""
        periods = zip(self.period, _harmonics(self._shape, dtype), strict=True)
        return [2 * math.pi / period * numbers for period, numbers in periods]

    def _complex_coefficients(self) -> Float[Array, "*waves"]:
        """Coefficients of complex waves: half of each cosine for a wave and its opposite."""
        full = self.coefficients
        for axis, count in enumerate(full.shape):
            positive = jnp.take(full, jnp.arange(1, count), axis=axis) / 2
            constant = jnp.take(full, jnp.arange(1), axis=axis)
            full = jnp.concatenate([jnp.flip(positive, axis), constant, positive], axis)
        return full

    def _tolerance(self, like: Points) -> float:
        return max(self.tolerance, _SMALLEST_TOLERANCE[like.dtype.name])


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _to_waves(shape: tuple[int, ...], tolerance: float, values: _Rows, angles: _Angles) -> _Waves:
    """sum_j v_j exp(-i n.x_j) for all waves n, of each of several sets of values."""
    found: Array = _transforms().nufft1(shape, values, *angles, eps=tolerance, iflag=-1)
    return found


# The derivatives of the library mix precisions, and ranks of arrays.
@_to_waves.defjvp
def _to_waves_jvp(
    shape: tuple[int, ...],
    tolerance: float,
    primals: tuple[_Rows, _Angles],
    tangents: tuple[_Rows, _Angles],
) -> tuple[_Waves, _Waves]:
    (values, angles), (moved_values, moved_angles) = primals, tangents
    kinds = [moved_values, *(values * moved[None] for moved in moved_angles)]
    first, *others = _by_set(_to_waves(shape, tolerance, jnp.concatenate(kinds), angles), kinds)
    numbers = _harmonics(shape, values.dtype)
    moved = [-1j * n[None] * each for n, each in zip(numbers, others, strict=True)]
    return _to_waves(shape, tolerance, values, angles), sum(moved, start=first)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _to_points(tolerance: float, waves: _Waves, angles: _Angles) -> _Rows:
    """sum_n a_n exp(i n.x) at all points x, of each of several sets of amplitudes."""
    found: Array = _transforms().nufft2(waves, *angles, eps=tolerance, iflag=1)
    return found


@_to_points.defjvp
def _to_points_jvp(
    tolerance: float, primals: tuple[_Waves, _Angles], tangents: tuple[_Waves, _Angles]
) -> tuple[_Rows, _Rows]:
    (waves, angles), (moved_waves, moved_angles) = primals, tangents
    numbers = _harmonics(waves.shape[1:], waves.dtype)
    kinds = [moved_waves, *(1j * n[None] * waves for n in numbers)]
    first, *others = _by_set(_to_points(tolerance, jnp.concatenate(kinds), angles), kinds)
    moved = [each * angle[None] for each, angle in zip(others, moved_angles, strict=True)]
    return _to_points(tolerance, waves, angles), sum(moved, start=first)


def _by_set(joined: Array, kinds: list[Array]) -> list[Array]:
    """Parts of the first axis, one for each kind."""
    return jnp.split(joined, len(kinds))


def _harmonics(shape: tuple[int, ...], dtype: jnp.dtype) -> list[Array]:
    """Numbers of the waves along each axis, shaped to that axis."""
    found = []
    for axis, count in enumerate(shape):
        along = [1] * len(shape)
        along[axis] = count
        found.append(jnp.asarray(np.arange(count) - count // 2, dtype).reshape(along))
    return found


def _complex(values: Float[Array, "sets rows"]) -> _Rows:
    return values.astype(jnp.result_type(values, 1j))


def _transforms() -> ModuleType:
    """The library of the transforms.

    Raises:
        HypermagneticsError: If it is not installed, or this process computes on a GPU.
    """
    use = 'A model with transform "nufft" (model.transform)'
    refuse_missing("jax_finufft", use)
    if sums_platform() == "gpu":
        raise HypermagneticsError(
            f"{use} must be computed on a CPU; got a GPU. Set JAX_PLATFORMS=cpu, or make the model "
            'with transform "products".'
        )
    found: ModuleType = importlib.import_module("jax_finufft")
    of_jax = found.ops.batching
    if not hasattr(of_jax, "not_mapped"):
        # Version 1.3.1 asks JAX for a name of None, which JAX 0.10.2 has no more.
        found.ops.batching = SimpleNamespace(not_mapped=None, moveaxis=of_jax.moveaxis)
    return found

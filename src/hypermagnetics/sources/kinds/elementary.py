"""Angle and logarithm for the closed forms, to the rounding unit and ten times faster on a CPU.

XLA evaluates its own arc tangent element by element; these are a few dozen vector instructions.
Each ends in a division, which XLA:CPU takes for too dear to repeat: a result that is used several
times is computed once, whereas a sum would be computed again in every loop that uses it.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

_Array = Float[Array, "..."]

_LARGEST = 1 / 5
"""Largest argument of the series: tan(pi / 16) = 0.199, and (3/2 - 1) / (3/2 + 1)."""


@jax.custom_jvp
def angle(y: _Array, x: _Array, turn: _Array) -> _Array:
    """The polar angle of (x, y), in (-pi, pi], plus `turn` where it is negative; 0 at the origin.

    With v <= u the absolute values of the coordinates and c = tan(beta) for the nearest beta of
    0, pi/8 and pi/4,

        arctan(v / u) = beta + arctan((v - c u) / (u + c v)),

    and of the last the power series is taken. Its derivative, (x dy - y dx) / (x² + y²), is held at
    0 at the origin.

    Args:
        y: Second coordinate.
        x: First coordinate; shapes and float types are those of `y`.
        turn: Angle that is added to negative angles [rad]: with 2 pi, all are in [0, 2 pi).

    Returns:
        The angle [rad].
    """
    steep, left, below = jnp.abs(y) > jnp.abs(x), x < 0, y < 0
    v = jnp.where(steep, jnp.abs(x), jnp.abs(y))
    u = jnp.where(steep, jnp.abs(y), jnp.abs(x))
    u = jnp.where(u == 0, 1, u)
    first, second = v > math.tan(math.pi / 16) * u, v > math.tan(3 * math.pi / 16) * u
    beta = jnp.where(second, math.pi / 4, jnp.where(first, math.pi / 8, 0))
    c = jnp.where(second, 1, jnp.where(first, math.tan(math.pi / 8), 0))
    numerator, denominator = v - c * u, u + c * v
    rest = numerator * _series(-((numerator / denominator) ** 2))
    # Reflections on the diagonal, the second axis and the first.
    sign = jnp.where(steep != left, -1, 1)
    base = jnp.where(steep, math.pi / 2, jnp.where(left, math.pi, 0)) + sign * beta
    base = jnp.where(below, turn - base, base)
    sign = jnp.where(below, -sign, sign)
    return (base * denominator + sign * rest) / denominator


@angle.defjvp
def _angle_jvp(
    primals: tuple[_Array, _Array, _Array], tangents: tuple[_Array, _Array, _Array]
) -> tuple[_Array, _Array]:
    (y, x, turn), (dy, dx, _) = primals, tangents
    largest = jnp.maximum(jnp.abs(x), jnp.abs(y))
    u = jnp.where(largest == 0, 1, largest)
    cosine, sine = x / u, y / u  # times the distance over u, so that no square overflows
    norm2 = jnp.where(largest == 0, 1, cosine * cosine + sine * sine)
    return angle(y, x, turn), (cosine * dy - sine * dx) / (u * norm2)


@jax.custom_jvp
def log1p_ratio(numerator: _Array, denominator: _Array) -> _Array:
    """The logarithm of 1 + n / d, with all its digits however small n / d is.

    With k such that 2^k is within 3/2 of 1 + n / d,

        log(1 + n / d) = k log 2 + 2 artanh((n + d - 2^k d) / (n + d + 2^k d)),

    and of the last the power series is taken. For small n / d, k = 0 and nothing cancels.

    Args:
        numerator: n, not negative.
        denominator: d, greater than 0; shape and float type are those of `numerator`.

    Returns:
        The logarithm.
    """
    total = numerator + denominator
    # The bits of a float, read as an integer, are its logarithm, piecewise linear.
    float_type = np.finfo(total.dtype)
    integer, shift = jnp.dtype(f"int{float_type.bits}"), float_type.nmant
    bits, bits_below = (jax.lax.bitcast_convert_type(a, integer) for a in (total, denominator))
    k = (bits - bits_below + (1 << (shift - 1))) >> shift
    power = jax.lax.bitcast_convert_type((k + (float_type.maxexp - 1)) << shift, total.dtype)
    scaled = power * denominator
    difference = jnp.where(k == 0, numerator, total - scaled)
    sum_ = total + scaled
    rest = difference * _series((difference / sum_) ** 2)
    return 2 * (k.astype(total.dtype) * (0.5 * math.log(2)) * sum_ + rest) / sum_


@log1p_ratio.defjvp
def _log1p_ratio_jvp(
    primals: tuple[_Array, _Array], tangents: tuple[_Array, _Array]
) -> tuple[_Array, _Array]:
    (n, d), (dn, dd) = primals, tangents
    return log1p_ratio(n, d), (dn - n / d * dd) / (n + d)


def power_of_two_above(value: _Array) -> _Array:
    """The power of two that is greater than a positive number, by at most a factor of two."""
    float_type = np.finfo(value.dtype)
    bits = jax.lax.bitcast_convert_type(value, jnp.dtype(f"int{float_type.bits}"))
    exponent = bits >> float_type.nmant
    power: _Array = jax.lax.bitcast_convert_type((exponent + 1) << float_type.nmant, value.dtype)
    return power


def _series(square: _Array) -> _Array:
    """The sum of square^i / (2 i + 1): artanh(t) / t of t², and arctan(t) / t of -t²."""
    num_terms = round(math.log(float(np.finfo(square.dtype).eps)) / math.log(_LARGEST**2))
    total = jnp.full_like(square, 1 / (2 * num_terms - 1))
    for i in reversed(range(num_terms - 1)):
        total = total * square + 1 / (2 * i + 1)
    return total

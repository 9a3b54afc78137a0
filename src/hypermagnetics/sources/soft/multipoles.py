"""Solid harmonics in two and three dimensions: values, translation and projection.

The regular ones are (r/R)^l Y and the outgoing ones (R/r)^(l + d - 2) Y, l = 1 to L, about a centre
and in lengths of a radius R. The surface functions Y are real, of mean square 1 over the circle or
the sphere; those of l = 1 come first and are sqrt(d) x / r, sqrt(d) y / r and, in three dimensions,
sqrt(d) z / r.
"""

import math
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64, Int64

from hypermagnetics.sources.values import Components, dot, namespace

_Degree = tuple[int, int, int]
"""l, m, and 0 for the cosine or 1 for the sine of m times the azimuth."""


class Quadrature(NamedTuple):
    """Points of a surface of radius 1, and the surface functions there."""

    directions: Float64[np.ndarray, "points dim"]
    weights: Float64[np.ndarray, " points"]
    """Shares of the surface; their sum is 1."""
    functions: Float64[np.ndarray, "points harmonics"]


def degrees(dim: int, order: int) -> Int64[np.ndarray, " harmonics"]:
    """Degree l of each harmonic from 1 to an order.

    Args:
        dim: Space dimension.
        order: Highest degree L.

    Returns:
        The degrees, rising.
    """
    return np.asarray([degree for degree, _, _ in _harmonics(dim, order) if degree > 0])


@lru_cache(maxsize=32)
def quadrature(dim: int, order: int) -> Quadrature:
    """Points by which harmonics up to an order are projected out.

    Products with harmonics of a degree up to 3 L + 2 are integrated exactly: in two dimensions at
    equal angles, in three by Gauss and Legendre along the axis and at equal angles around it.

    Args:
        dim: Space dimension.
        order: Highest degree L.

    Returns:
        The points.
    """
    number = 4 * (order + 1)
    angle = 2 * math.pi * np.arange(number) / number
    around = np.stack([np.cos(angle), np.sin(angle)], -1)
    if dim == 2:
        points, weights = around, np.full(number, 1 / number)
    else:
        height, of_height = np.polynomial.legendre.leggauss(number // 2)
        across = np.sqrt(1 - height**2)[:, None, None] * around
        along = np.broadcast_to(height[:, None, None], (*across.shape[:2], 1))
        points = np.concatenate([across, along], -1).reshape(-1, 3)
        weights = np.repeat(of_height / (2 * number), number)
    functions = np.asarray(regular(list(points.T), order))
    return Quadrature(points, weights, functions)


def regular(offset: Components, order: int) -> Float[Any, "*points harmonics"]:
    """Regular harmonics r^l Y of degrees 1 to an order.

    Args:
        offset: Components of points minus centre, in radii; of numpy or of JAX.
        order: Highest degree L.

    Returns:
        The harmonics, of the same library.
    """
    dim = len(offset)
    table = _regular_table(offset, order)[..., 1:]
    scales = np.asarray(_regular_scales(dim, order)[1:], table.dtype)
    return table * scales.reshape((1,) * (table.ndim - 1) + (-1,))


def translation(
    displacement: Components,
    outgoing_radius: Float[Array, "..."],
    regular_radius: Float[Array, "..."],
    outgoing_order: int,
    regular_order: int,
) -> Float[Array, "... regular outgoing"]:
    """Matrix from outgoing harmonics about one centre to regular ones about another.

    In the nearest ball about the second centre that leaves out the first one, it is exact.

    Args:
        displacement: Components of the second centre minus the first [m], not all zero.
        outgoing_radius: Radius that is the length of the outgoing harmonics [m].
        regular_radius: That of the regular ones [m].
        outgoing_order: Highest degree of the outgoing ones, which begin with 1.
        regular_order: Highest degree of the regular ones, which begin with 0, the constant.

    Returns:
        The coefficients of the regular harmonics, a column for each outgoing one.

    References:
        Epton and Dembart, SIAM J. Sci. Comput. 16 (1995) 865; in two dimensions the binomial
        series.
    """
    dim = len(displacement)
    static = _translation_tables(dim, outgoing_order, regular_order)
    distance = jnp.sqrt(dot(displacement, displacement))
    direction = [part / distance for part in displacement]
    table = _outgoing_table(direction, outgoing_order + regular_order)
    leading = (None,) * distance.ndim
    shares = sum(
        weights[leading] * table[..., places]
        for places, weights in zip(static.places, static.weights, strict=True)
    )
    rows = (regular_radius / distance)[..., None] ** static.regular_degrees[leading]
    column_powers = static.outgoing_degrees + (dim - 2)
    columns = (outgoing_radius / distance)[..., None] ** column_powers[leading]
    found: Array = rows[..., :, None] * shares * columns[..., None, :]
    return found


class _Translation(NamedTuple):
    places: tuple[Int64[np.ndarray, "regular outgoing"], ...]
    """Entries of the table of outgoing harmonics whose weighted sum is the matrix."""
    weights: tuple[Float64[np.ndarray, "regular outgoing"], ...]
    regular_degrees: Int64[np.ndarray, " regular"]
    outgoing_degrees: Int64[np.ndarray, " outgoing"]


def _harmonics(dim: int, order: int) -> list[_Degree]:
    """All harmonics in their order, from l = 0."""
    found = [(0, 0, 0)]
    for degree in range(1, order + 1):
        orders = (degree,) if dim == 2 else range(1, degree + 1)
        found += [(degree, m, part) for m in orders for part in (0, 1)]
        found += [(degree, 0, 0)] if dim == 3 else []
    return found


def _regular_table(offset: Components, order: int) -> Float[Any, "*points harmonics"]:
    """Regular harmonics without their scale, in the order of `_harmonics`.

    In two dimensions z^l; in three (-1)^m r^l P_l^m exp(i m azimuth) / (l + m)!, with the phase of
    Condon and Shortley left out.
    """
    sectors = _sectors(offset, order)
    if len(offset) == 2:
        return _entries(sectors, 2, order)
    m = np.arange(order + 1)
    scales = [1 / (2**one * math.factorial(one)) for one in range(order + 1)]
    widened = partial(namespace(*offset).expand_dims, axis=(-2, -1))
    z, square = widened(offset[2]), widened(dot(offset, offset))

    def after(degree: int, now: Any, before: Any) -> Any:
        divisor = np.where(m <= degree, (degree - m + 1) * (degree + m + 1), 1)
        return ((2 * degree + 1) * z * now - square * before) / _column(divisor, now)

    return _entries(_by_degree(sectors * _column(scales, sectors), after), 3, order)


def _outgoing_table(direction: Components, order: int) -> Float[Any, "*points harmonics"]:
    """Outgoing harmonics at distance 1 without their scale, in the order of `_harmonics`.

    In two dimensions exp(i l azimuth); in three (l - m)! P_l^m exp(i m azimuth), without the phase
    of Condon and Shortley.
    """
    sectors = _sectors(direction, order)
    if len(direction) == 2:
        return _entries(sectors, 2, order)
    m = np.arange(order + 1)
    scales = np.cumprod([1.0, *(2 * m[1:] - 1)])
    z = jnp.expand_dims(direction[2], (-2, -1))

    def after(degree: int, now: Any, before: Any) -> Any:
        return (2 * degree + 1) * z * now - _column(degree**2 - m**2, now) * before

    return _entries(_by_degree(sectors * _column(scales, sectors), after), 3, order)


def _sectors(offset: Components, order: int) -> Float[Any, "*points orders 2"]:
    """Real and imaginary part of (x + i y)^m, m = 0 to an order."""
    x, y, *_ = offset
    stack, cosine = namespace(*offset).stack, namespace(*offset).ones_like(x)
    sine = 0 * cosine
    found = [stack([cosine, sine], -1)]
    for _ in range(order):
        cosine, sine = cosine * x - sine * y, cosine * y + sine * x
        found.append(stack([cosine, sine], -1))
    every: Array = stack(found, -2)
    return every


def _by_degree(
    starts: Float[Any, "*points orders 2"], after: Callable[[int, Any, Any], Any]
) -> Float[Any, "*points degrees orders 2"]:
    """All degrees of all orders m at once, by a recurrence that begins with l = m.

    Of all orders at once, as a program with an operation for each harmonic is long to compile.

    Args:
        starts: Values of l = m.
        after: Values of degree l + 1 from l and those of l and l - 1; 0 where m > l.
    """
    of = namespace(starts)
    m = np.arange(starts.shape[-2])

    def begun(degree: int) -> Any:
        return of.where(_column(m == degree, starts), starts, 0)

    before, now = 0 * starts, begun(0)
    rows = [now]
    for degree in m[:-1].tolist():
        before, now = now, after(degree, now, before) + begun(degree + 1)
        rows.append(now)
    return of.stack(rows, -3)


def _column(values: Any, like: Any) -> Any:
    """A value for each order m, beside an array of points, orders and parts."""
    found = np.asarray(values)
    found = found if found.dtype == bool else found.astype(like.dtype)
    return found.reshape((1,) * (like.ndim - 2) + (-1, 1))


def _entries(table: Float[Any, "..."], dim: int, order: int) -> Float[Any, "..."]:
    """The harmonics of a table of degrees, orders and parts, in the order of `_harmonics`."""
    degree, m, part = np.asarray(_harmonics(dim, order)).T
    found: Array = table[..., m, part] if dim == 2 else table[..., degree, m, part]
    return found


def _regular_scales(dim: int, order: int) -> list[float]:
    """Factors by which the harmonics of `_regular_table` have a mean square of 1."""
    if dim == 2:
        return [1.0 if m == 0 else math.sqrt(2) for _, m, _ in _harmonics(dim, order)]
    return [
        math.sqrt((2 - (m == 0)) * (2 * degree + 1) * math.factorial(degree - m))
        * math.sqrt(math.factorial(degree + m))
        for degree, m, _ in _harmonics(dim, order)
    ]


def _outgoing_scales(dim: int, order: int) -> list[float]:
    """Factors by which the harmonics of `_outgoing_table` have a mean square of 1."""
    if dim == 2:
        return _regular_scales(dim, order)
    return [
        math.sqrt((2 - (m == 0)) * (2 * degree + 1) / math.factorial(degree - m))
        / math.sqrt(math.factorial(degree + m))
        for degree, m, _ in _harmonics(dim, order)
    ]


@lru_cache(maxsize=32)
def _translation_tables(dim: int, outgoing_order: int, regular_order: int) -> _Translation:
    outgoing = _harmonics(dim, outgoing_order)[1:]
    inner = _harmonics(dim, regular_order)
    at = {key: place for place, key in enumerate(_harmonics(dim, outgoing_order + regular_order))}
    out_scales = _outgoing_scales(dim, outgoing_order)[1:]
    in_scales = _regular_scales(dim, regular_order)
    places = np.zeros((2, len(inner), len(outgoing)), np.int64)
    weights = np.zeros((2, len(inner), len(outgoing)))
    for column, source in enumerate(outgoing):
        for row, target in enumerate(inner):
            terms = _terms_2d(source, target) if dim == 2 else _terms_3d(source, target)
            for number, (key, weight) in enumerate(terms):
                places[number, row, column] = at[key]
                weights[number, row, column] = weight * out_scales[column] / in_scales[row]
    return _Translation(
        tuple(places),
        tuple(weights),
        np.asarray([degree for degree, _, _ in inner]),
        np.asarray([degree for degree, _, _ in outgoing]),
    )


def _terms_2d(source: _Degree, target: _Degree) -> list[tuple[_Degree, float]]:
    """1 / (d + z)^l = sum_k (-1)^k binomial(l + k - 1, k) z^k / d^(l + k), in real parts."""
    (degree, _, part), (inner, _, inner_part) = source, target
    factor = (-1) ** inner * math.comb(degree + inner - 1, inner)
    sign = -1 if part and inner_part else 1
    total = degree + inner
    return [((total, total, part ^ inner_part), float(sign * factor))]


def _terms_3d(source: _Degree, target: _Degree) -> list[tuple[_Degree, float]]:
    """Real parts of I_l^m(d + r) = sum (-1)^l' conj(R_l'^m')(r) I_(l + l')^(m + m')(d).

    I and R are the outgoing and regular harmonics with the phase of Condon and Shortley; those of
    -m' are (-1)^m' times the conjugates.
    """
    (degree, m, part), (inner, n, inner_part) = source, target
    total, factor = degree + inner, (-1.0) ** inner
    # With the phase of both and of the table: (-1)^m from the source, (-1)^n from the target.
    found = [_entry(total, m + n, part ^ inner_part, factor * _sign_of(part, inner_part))]
    if n:
        sign = -1.0 if inner_part else 1.0
        sign *= (-1.0) ** n * factor * _sign_of(part, inner_part)
        found.append(_entry(total, m - n, part ^ inner_part, sign))
    phase = (-1.0) ** (m + n)
    return [(key, weight * phase) for key, weight in found if weight]


def _sign_of(part: int, inner_part: int) -> float:
    return -1.0 if part and inner_part else 1.0


def _entry(degree: int, m: int, part: int, weight: float) -> tuple[_Degree, float]:
    """The entry of an order m, also of a negative one, in the table without the phase."""
    phase = (-1.0) ** m
    if m < 0:
        weight *= (-1.0) ** m * (-1.0 if part else 1.0)
    if m == 0 and part:
        weight = 0.0
    return (degree, abs(m), part if m else 0), weight * phase

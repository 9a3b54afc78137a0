"""Coefficients of many plane waves on a grid: a Fourier series, without a fit."""

import itertools
import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import scipy.fft
from jaxtyping import Float64

from hypermagnetics.models.split.density import Density, KaiserBesselDensity, share_polynomial
from hypermagnetics.models.split.displacements import (
    Displacements,
    Fit,
    Matrix,
    Waves,
    drawn_displacements,
    parts,
    unit_values,
)
from hypermagnetics.models.split.kernel import smooth_charge

_Octant = Float64[np.ndarray, "*octant"]
"""Values at the nodes of a grid from 0 to half a period along each axis."""
_Contracted = Float64[np.ndarray, "displacements *rest"]

_DISPLACEMENTS = 1000
"""Displacements at which the error is taken, as many as after a least squares."""
_AT_ONCE = 50


@lru_cache(2)
def fourier_series(region: Displacements, density: Density, waves: Waves) -> Fit:
    """Coefficients of the Fourier series of the smooth kernel, made periodic by a smooth end.

    Along each axis the kernel G is multiplied by a window that is 1 up to the largest displacement
    D, and 0 from P - D on, where the next image begins to count. So the sum of all images is G up
    to D, and as smooth as G where the window falls like the share of a Kaiser-Bessel density: its
    series converges as that of the density does. Values at the nodes of a grid give the
    coefficients by a cosine transform.

    Args:
        region: Displacements and cutoff.
        density: Density of the smoothing.
        waves: The waves.

    Returns:
        The coefficients, and their error.

    References:
        Vico, Greengard, Ferrando, Fast convolution with free-space Green's functions (2016), with
        an end at a radius in place of a window.
    """
    harmonics = waves.harmonics(region.cutoff)
    intervals = tuple(scipy.fft.next_fast_len(count, real=True) for count in harmonics)
    coefficients = scipy.fft.dctn(_periodic(region, density, waves, intervals), type=1)
    for axis, number in enumerate(intervals):
        # The first and the last wave of a cosine transform count twice.
        inner = np.full(number + 1, 1 / number)
        inner[[0, -1]] /= 2
        shape = [1] * len(intervals)
        shape[axis] = number + 1
        coefficients *= inner.reshape(shape)
    coefficients = coefficients[tuple(slice(count) for count in harmonics)]
    largest = waves.bandwidth / region.cutoff
    squares = _outer_sum([wave_numbers**2 for wave_numbers in _wave_numbers(waves, harmonics)])
    coefficients[squares > largest**2] = 0
    coefficients[(0,) * len(harmonics)] = 0  # a constant has no gradient
    return Fit(coefficients, _error(region, density, waves, coefficients))


def _periodic(
    region: Displacements, density: Density, waves: Waves, intervals: tuple[int, ...]
) -> _Octant:
    """The kernel times the window, summed over its images."""
    dim = len(region.widths)

    def kernel(squares: _Octant) -> _Octant:
        found: np.ndarray = smooth_charge(squares, dim, region.cutoff, density)
        return found

    # The smaller the kernel is where the window falls, the less that fall costs.
    level = float(kernel(np.array([max(region.widths) ** 2]))[0])
    total = np.zeros([number + 1 for number in intervals])
    for image in itertools.product((0, 1), repeat=dim):
        away = [
            np.abs(np.linspace(0, period / 2, number + 1) - which * period)
            for number, period, which in zip(intervals, waves.period, image, strict=True)
        ]
        windows = [
            _window(distance, width, period - 2 * width, waves.bandwidth / region.cutoff)
            for distance, width, period in zip(away, region.widths, waves.period, strict=True)
        ]
        counted = tuple(slice(*np.flatnonzero(window)[[0, -1]] + [0, 1]) for window in windows)
        squares = _outer_sum([d[some] ** 2 for d, some in zip(away, counted, strict=True)])
        values = kernel(squares) - level
        for factor in np.ix_(*[w[some] for w, some in zip(windows, counted, strict=True)]):
            values *= factor
        total[counted] += values
    return total


def _window(
    distance: Float64[np.ndarray, " nodes"], width: float, fall: float, largest: float
) -> Float64[np.ndarray, " nodes"]:
    """1 up to a width, then falling to 0 with wave numbers up to the largest."""
    shape = KaiserBesselDensity(0.5 * largest * fall)
    where = np.clip(2 * (distance - width) / fall - 1, -1, 1)
    inside = np.polynomial.polynomial.polyval(1 - where**2, share_polynomial(shape, 1))
    found: np.ndarray = 0.5 * (1 - where * inside)
    return found


def _wave_numbers(waves: Waves, harmonics: tuple[int, ...]) -> list[Float64[np.ndarray, " _"]]:
    """Wave numbers along each axis [rad per length]."""
    pairs = zip(harmonics, waves.period, strict=True)
    return [2 * math.pi / period * np.arange(count) for count, period in pairs]


def _outer_sum(axes: Sequence[Float64[np.ndarray, " _"]]) -> _Octant:
    first, *rest = np.ix_(*axes)
    return sum(rest, start=first)


def _error(region: Displacements, density: Density, waves: Waves, coefficients: _Octant) -> float:
    """Relative root mean square error, the larger of potential and field; see `Fit`."""
    dim = len(region.widths)
    pairs = list(itertools.combinations_with_replacement(range(dim), 2))
    drawn = drawn_displacements(np.random.default_rng(0), region, _DISPLACEMENTS, 0.0)
    twice = np.array([1.0] * dim + [1.0 if i == j else 2.0 for i, j in pairs])
    off, size = np.zeros(len(twice)), np.zeros(len(twice))
    for begin in range(0, len(drawn), _AT_ONCE):
        some = drawn[begin : begin + _AT_ONCE]
        wanted = unit_values(region, density, some)
        off += ((_values(waves, coefficients, some, pairs) - wanted) ** 2).sum(axis=1)
        size += (wanted**2).sum(axis=1)
    off, size = twice * off, twice * size
    return float(max(math.sqrt(off[part].sum() / size[part].sum()) for part in parts(dim)))


def _values(
    waves: Waves, coefficients: _Octant, displacements: Matrix, pairs: Sequence[tuple[int, int]]
) -> Float64[np.ndarray, "kinds displacements"]:
    """-dG/dx_i, and -(-d²G/dx_i dx_j) of axes i <= j, as `unit_values` has them."""
    dim = coefficients.ndim
    factors = []
    for axis, numbers in enumerate(_wave_numbers(waves, coefficients.shape)):
        angles = displacements[:, [axis]] * numbers
        cosine, sine = np.cos(angles), np.sin(angles)
        # Without a derivative, with one and with two.
        factors.append((cosine, -sine * numbers, -cosine * numbers**2))
    last: list[_Contracted] = [
        np.tensordot(each, coefficients, (1, dim - 1)) for each in factors[-1]
    ]

    def derivative(*axes: int) -> Float64[np.ndarray, " displacements"]:
        value = last[axes.count(dim - 1)]
        for axis in reversed(range(dim - 1)):
            value = np.einsum("dn,d...n->d...", factors[axis][axes.count(axis)], value)
        return value

    return np.stack([*(-derivative(i) for i in range(dim)), *(derivative(*pair) for pair in pairs)])

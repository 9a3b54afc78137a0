"""Textbook closed forms of the bodies, in floats or in decimals of as many digits as wanted.

A box is a sum over its corners of logarithms and arc tangents (Yang et al., Supercond. Sci.
Technol. 3, 591, 1990; Engel-Herbert and Hesjedal, J. Appl. Phys. 97, 074504, 2005). These cancel
far away: in floats they are the contrast that shows it, in 60 decimal digits they are the truth.
Nothing here is shared with hypermagnetics: neither the formulas nor the arithmetic.
"""

import decimal
import itertools
import json
import math
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import numpy as np

DIGITS = 60
Values = tuple[np.ndarray, np.ndarray]
"""Potential (points,) and field (dim, points)."""


class Arithmetic(NamedTuple):
    """Functions on arrays of one kind of number."""

    log: Callable[[np.ndarray], np.ndarray]
    arctan: Callable[[np.ndarray], np.ndarray]
    cos: Callable[[np.ndarray], np.ndarray]
    sin: Callable[[np.ndarray], np.ndarray]


FLOATS = Arithmetic(np.log, np.arctan, np.cos, np.sin)


def _series(first: Decimal, ratio: Callable[[int], Decimal]) -> Decimal:
    """The sum of terms that each are a small ratio of the term before."""
    total = term = first
    number = 0
    while abs(term) > abs(total) * Decimal(10) ** -(DIGITS + 2):
        number += 1
        term *= ratio(number)
        total += term
    return total


def _arctan(x: Decimal) -> Decimal:
    halvings = 8
    for _ in range(halvings):
        x /= 1 + (1 + x * x).sqrt()
    square = -x * x
    return 2**halvings * _series(x, lambda n: square * (2 * n - 1) / (2 * n + 1))


def _cos(x: Decimal) -> Decimal:
    return _series(Decimal(1), lambda n: -x * x / (2 * n * (2 * n - 1)))


def _sin(x: Decimal) -> Decimal:
    return _series(x, lambda n: -x * x / (2 * n * (2 * n + 1)))


DECIMALS = Arithmetic(
    *(np.frompyfunc(function, 1, 1) for function in (Decimal.ln, _arctan, _cos, _sin))
)


def decimals(array: np.ndarray) -> np.ndarray:
    """The same numbers, exactly, and all that is computed from them to 60 digits."""
    decimal.getcontext().prec = DIGITS
    return array if array.dtype == object else np.frompyfunc(Decimal, 1, 1)(np.float64(array))


def _pi(like: np.ndarray) -> Decimal | float:
    return 4 * _arctan(Decimal(1)) if like.dtype == object else math.pi


def ball(moment: np.ndarray, point: np.ndarray, radius: np.ndarray) -> Values:
    """Disc or sphere: inside it is uniform, outside the dipole (Jackson, section 5.10)."""
    dim = len(point)
    distance2 = (point * point).sum(0)
    outside = distance2 > radius * radius
    square = np.where(outside, distance2, radius * radius)
    scale = 2 * _pi(moment) * (dim - 1) * (square if dim == 2 else square * np.sqrt(square))
    along = (moment * point).sum(0)
    return along / scale, (np.where(outside, dim * along / square, 0) * point - moment) / scale


def box(
    moment: np.ndarray, point: np.ndarray, sides: np.ndarray, turn: np.ndarray, do: Arithmetic
) -> Values:
    """Rectangle or cuboid, turned by an angle or a quaternion; arrays are (components, points)."""
    axes = _axes_of_angle(turn, do) if len(point) == 2 else _axes_of_quaternion(turn)
    moment, point = ((axes * v).sum(1) for v in (moment, point))
    values = _rectangle if len(point) == 2 else _cuboid
    potential, field = values(moment, point, sides / 2, do)
    return potential, (axes * field[:, None]).sum(0)


def _rectangle(m: np.ndarray, point: np.ndarray, half: np.ndarray, do: Arithmetic) -> Values:
    potential, field = 0 * point[0], 0 * point
    for signs in itertools.product((-1, 1), repeat=2):
        d = point + np.array(signs)[:, None] * half
        logarithm = do.log((d * d).sum(0)) / 2
        for i, j in ((0, 1), (1, 0)):
            angle = do.arctan(d[j] / d[i])
            charge = math.prod(signs) * m[i]
            potential += charge * (d[j] * logarithm + d[i] * angle)
            field[i] -= charge * angle
            field[j] -= charge * logarithm
    scale = 8 * _pi(m) * half.prod(0)
    return potential / scale, field / scale


def _cuboid(m: np.ndarray, point: np.ndarray, half: np.ndarray, do: Arithmetic) -> Values:
    potential, field = 0 * point[0], 0 * point
    for signs in itertools.product((-1, 1), repeat=3):
        d = point + np.array(signs)[:, None] * half
        distance = np.sqrt((d * d).sum(0))
        logarithm = [do.log(u + distance) for u in d]
        for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
            angle = do.arctan(d[j] * d[k] / (d[i] * distance))
            charge = math.prod(signs) * m[i]
            potential -= charge * (d[j] * logarithm[k] + d[k] * logarithm[j] - d[i] * angle)
            field[i] -= charge * angle
            field[j] += charge * logarithm[k]
            field[k] += charge * logarithm[j]
    scale = 32 * _pi(m) * half.prod(0)
    return potential / scale, field / scale


def _axes_of_angle(angle: np.ndarray, do: Arithmetic) -> np.ndarray:
    cosine, sine = do.cos(angle[0]), do.sin(angle[0])
    return np.stack([np.stack([cosine, sine]), np.stack([-sine, cosine])])


def _axes_of_quaternion(quaternion: np.ndarray) -> np.ndarray:
    """Unit vectors along the edges: 2 (q q^T) and its companions, for any norm of q."""
    two = 2 / (quaternion * quaternion).sum(0)
    w, *v = quaternion
    axes = np.array([[two * v[i] * v[j] for i in range(3)] for j in range(3)])
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        axes[i, i] = 1 - two * (v[j] * v[j] + v[k] * v[k])
        axes[i, j] += two * w * v[k]
        axes[j, i] -= two * w * v[k]
    return axes


def worst_disagreement(reference: Path) -> float:
    """The greatest relative difference of the decimals from numbers got by integration.

    Args:
        reference: tests/reference/bodies.json, surface charges integrated to 30 digits.
    """
    worst = 0.0
    for case in json.loads(reference.read_text(encoding="utf-8"))["cases"]:
        given = {
            name: decimals(np.array(v)[..., None]) for name, v in case.items() if name in _READ
        }
        moment, point = given["moment"], given["point"] - given["position"]
        if "radius" in case:
            potential, field = ball(moment, point, given["radius"])
        else:
            turn = decimals(np.eye(4)[:, :1] if len(point) == 3 else np.zeros((1, 1)))
            potential, field = box(moment, point, given["dimension"], turn, DECIMALS)
        error = field[:, 0].astype(np.float64) - case["field"]
        worst = max(worst, np.linalg.norm(error) / np.linalg.norm(case["field"]))
        worst = max(worst, abs(float(potential[0]) / case["potential"] - 1))
    return worst


_READ = ("moment", "position", "radius", "dimension", "point")

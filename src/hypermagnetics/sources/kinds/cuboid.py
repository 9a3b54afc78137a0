"""Uniformly magnetised cuboid, from distances to its eight corners."""

from collections.abc import Callable
from itertools import product
from typing import ClassVar, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from hypermagnetics.sources.kinds.box import Axes, BoxKind, axes_of_quaternion
from hypermagnetics.sources.kinds.box_field import (
    Coordinates,
    Octant,
    box,
    least_squared_distance,
    rounding_of_box,
)
from hypermagnetics.sources.kinds.elementary import angle, log1p_ratio
from hypermagnetics.sources.kinds.kind import Shape
from hypermagnetics.sources.values import Components, Rounding, Values
from hypermagnetics.table import QUATERNION, BodyName

_Array = Float[Array, "..."]
_Square = tuple[tuple[_Array, _Array], tuple[_Array, _Array]]
"""[i][j]: near (0) or far (1) along each of two axes, the lower axis first."""

_OTHERS = ((1, 2), (0, 2), (0, 1))
"""The two other axes, by axis."""


def cuboid(
    moment: Components,
    displacement: Components,
    dimension: Components,
    rotation: Components,
    rounding: Rounding | None = None,
) -> Values:
    """Potential and field of a cuboid, from the charges M.n on its faces.

    On a face H is the mean of both sides of it. At an edge, where H diverges like a logarithm, it
    is held at its value a rounding away. docs/physics.md derives the form.

    Args:
        moment: Components of m, magnetisation times volume [A m²].
        displacement: Components of d, point minus position [m]; shapes broadcast with `moment`.
        dimension: Full sides [m], greater than 0.
        rotation: Unit quaternion (w, x, y, z).
        rounding: Rounding of the distance from the surface; that of the displacement if None.

    Returns:
        Potential [A] and field [A/m].
    """
    rounding = rounding or rounding_of_box(displacement, dimension)
    axes = axes_of_quaternion(rotation)
    return box(closed_form, moment, displacement, dimension, axes, rounding)


def closed_form(moment: Coordinates, octant: Octant) -> Values:
    """The cuboid with its edges along the axes, longest first, at points of the first octant.

    With half sides a, b, c, and V = 8 a b c, m_x gives

        4 pi V phi = 2 (a psi + x theta + b delta_z + c delta_y) + (b - y) T_xy + (c - z) T_xz,
        4 pi V H = (-2 theta, T_xy, T_xz),

    and the other components the same with the axes exchanged. 2 theta and 2 psi are difference and
    sum of the solid angles of the two charged faces, delta_z and T_xy first and second difference
    of the logarithm 2 artanh(2c / (R + R')) of the edges along z, R and R' being the distances to
    their ends. All differences are taken before they can cancel.

    Args:
        moment: Components of the moment.
        octant: Coordinates and half sides; their unit is about half the diagonal.

    Returns:
        Potential and field.
    """
    point, half, beyond, _ = octant
    edges = _edges(octant)
    growth = _growth(point, half, edges)
    angles = [_faces(axis, point, half, beyond[axis], edges, growth) for axis in range(3)]
    logarithms = [_logarithms(axis, point, half, edges, growth) for axis in range(3)]
    scale = 1 / (32 * jnp.pi * half[0] * half[1] * half[2])
    potential, field = jnp.zeros_like(point[0]), []
    for x, (y, z) in enumerate(_OTHERS):
        (total, difference), m = angles[x], moment[x]
        around_y, around_z = logarithms[y], logarithms[z]  # of the edges along y and z
        of_x = 2 * (half[x] * total + point[x] * difference)
        of_x += 2 * (half[y] * around_z.first(x) + half[z] * around_y.first(x))
        of_x -= (point[y] - half[y]) * around_z.cross + (point[z] - half[z]) * around_y.cross
        potential += m * of_x
        field.append(moment[y] * around_z.cross + moment[z] * around_y.cross - 2 * m * difference)
    return Values(scale * potential, tuple(scale * component for component in field))


class CuboidKind(BoxKind):
    """Cuboids."""

    name: ClassVar[BodyName] = "cuboid"
    sources_per_step = 1
    seconds_per_pair = 3e-8

    def axes(self, shape: Shape) -> Axes:
        """Axes of the quaternion."""
        return axes_of_quaternion([shape[name] for name in QUATERNION])

    def values(
        self,
        moment: Components,
        displacement: Components,
        shape: Shape,
        rounding: Rounding,
    ) -> Values:
        """See `cuboid`."""
        quaternion = [shape[name] for name in QUATERNION]
        return cuboid(moment, displacement, self.sides(shape), quaternion, rounding)


class _Edges(NamedTuple):
    """The four edges along one axis, of length L, with distances R and R' to their ends."""

    length: _Array
    total: _Square
    """S = R + R'."""
    inverse: _Square
    """1 / S."""
    excess: _Square
    """S - L, zero on the edge."""


class _Logarithms(NamedTuple):
    """Differences of the logarithm of the edges along one axis."""

    across: tuple[int, int]
    cross: _Array
    """T: second difference, across both other axes."""
    firsts: tuple[_Array, _Array]
    """delta: first differences across one axis, at the far side of the other."""

    def first(self, axis: int) -> _Array:
        """The difference across one axis."""
        return self.firsts[self.across.index(axis)]


_Growth = tuple[dict[int, tuple[_Array, _Array]], ...]
"""[edge][axis][j]: growth of S of the edges along one axis from the near to the far side of
another, at the near (0) or far (1) side of the third."""


def _edges(octant: Octant) -> tuple[_Edges, ...]:
    point, half = octant.point, octant.half
    near = [x - a for x, a in zip(point, half, strict=True)]
    far = [x + a for x, a in zip(point, half, strict=True)]
    squares = [(u * u, v * v) for u, v in zip(near, far, strict=True)]
    distances = {
        (i, j, k): jnp.sqrt(octant.held(squares[0][i] + squares[1][j] + squares[2][k]))
        for i, j, k in product((0, 1), repeat=3)
    }

    def edges(axis: int) -> _Edges:
        x, y = _OTHERS[axis]

        def ends(i: int, j: int) -> tuple[_Array, _Array]:
            corner = {x: i, y: j}
            first, second = ({**corner, axis: k} for k in (0, 1))
            return (
                distances[first[0], first[1], first[2]],
                distances[second[0], second[1], second[2]],
            )

        def excess(i: int, j: int) -> _Array:
            offset2 = squares[x][i] + squares[y][j]
            return _excess(ends(i, j), near[axis], far[axis], offset2, octant.held(offset2))

        total = _square(lambda i, j: ends(i, j)[0] + ends(i, j)[1])
        inverse = _square(lambda i, j: 1 / total[i][j])
        return _Edges(2 * half[axis], total, inverse, _square(excess))

    return tuple(edges(axis) for axis in range(3))


def _square(value: Callable[[int, int], _Array]) -> _Square:
    return ((value(0, 0), value(0, 1)), (value(1, 0), value(1, 1)))


def _excess(
    ends: tuple[_Array, _Array], near: _Array, far: _Array, offset2: _Array, held: _Array
) -> _Array:
    """R + R' - L of one edge, from its ends' coordinates along it and p², p the offset beside it.

    With R² = near² + p², R - |near| = p² / (R + |near|); so R + R' - L is a sum of such quotients
    beside the edge, where p² is held above 0, and of R + near and one quotient beyond its end,
    where nothing diverges.
    """
    first, second = ends[0] + jnp.abs(near), ends[1] + far
    both, beside = first * second, near < 0
    numerator = jnp.where(beside, held * (first + second), both + offset2)
    return numerator / jnp.where(beside, both, second)


def _by(square: _Square, edge: int, axis: int) -> _Square:
    """The square of the edges along one axis, with `axis` as its first index."""
    if axis == _OTHERS[edge][0]:
        return square
    return ((square[0][0], square[1][0]), (square[0][1], square[1][1]))


def _growth(point: Coordinates, half: Coordinates, edges: tuple[_Edges, ...]) -> _Growth:
    # R(far) - R(near) = 4 a x / (R(far) + R(near)), and the last sum is S of an edge along x.
    growth: list[dict[int, tuple[_Array, _Array]]] = [{}, {}, {}]
    for edge, others in enumerate(_OTHERS):
        for axis in others:
            inverse = _by(edges[axis].inverse, axis, 3 - edge - axis)
            step = 4 * half[axis] * point[axis]
            growth[edge][axis] = (
                step * (inverse[0][0] + inverse[0][1]),
                step * (inverse[1][0] + inverse[1][1]),
            )
    return tuple(growth)


def _logarithms(
    axis: int, point: Coordinates, half: Coordinates, edges: tuple[_Edges, ...], growth: _Growth
) -> _Logarithms:
    """First and second differences of log((S + L) / (S - L)) over the edges along an axis."""
    x, y = _OTHERS[axis]
    length, excess, grown = edges[axis].length, edges[axis].excess, growth[axis]
    beyond = [[value + 2 * length for value in row] for row in excess]  # S + L
    first, second = (excess[0][j] * beyond[1][j] for j in (0, 1))
    change = grown[y][0] * beyond[1][1] + excess[0][0] * grown[y][1]
    inverse = _by(edges[x].inverse, x, y)
    slower = (
        4
        * half[x]
        * point[x]
        * sum(growth[x][y][k] * inverse[0][k] * inverse[1][k] for k in (0, 1))
    )
    numerator = slower * second + grown[x][1] * change
    return _Logarithms(
        (x, y),
        log1p_ratio(2 * length * numerator, first * (excess[1][1] * beyond[0][1])),
        (
            log1p_ratio(2 * length * grown[x][1], second),
            log1p_ratio(2 * length * grown[y][1], excess[1][0] * beyond[1][1]),
        ),
    )


def _faces(
    axis: int,
    point: Coordinates,
    half: Coordinates,
    beyond: _Array,
    edges: tuple[_Edges, ...],
    growth: _Growth,
) -> tuple[_Array, _Array]:
    """Half the sum and half the difference of the solid angles of the faces across an axis.

    The solid angle of the face at height u is 2 arg(s + i n), where the two edges along its longer
    side L have S and S', E = (S² - L²) / 2, z is the coordinate along them, and v and v' the
    others relative to them:

        n = L (v' - v) u (1/S + 1/S'),
        s = (E E' / S S') (1 + 4 z² / S S') + (u² + v v') (1 + L² / S S').

    Between the faces both angles count for the difference, beyond them both for the sum, and on
    the near face half of each.
    """
    edge, other = _OTHERS[axis]  # the longer one first
    x, a = point[axis], half[axis]
    near, far = x - a, x + a
    inverse = _by(edges[edge].inverse, edge, axis)
    sums = [first + second for first, second in inverse]
    d_sum = -sum(g * inverse[0][j] * inverse[1][j] for j, g in enumerate(growth[edge][axis]))
    real, d_real = _real_parts(axis, point, half, edges[edge], growth[edge][axis])
    area = 4 * half[edge] * half[other]
    far_near, near_far = sums[1] * real[0], sums[0] * real[1]
    total = far_near + near_far
    rest = 0.5 * (d_sum * (real[0] + real[1]) - (sums[0] + sums[1]) * d_real)
    up, down = far * far_near, near * near_far
    plus = area * jnp.where(x > 0.5 * a, up + down, x * total + a * rest)
    minus = area * jnp.where(x < 2 * a, up - down, a * total + x * rest)
    both, imaginary = real[0] * real[1], area * area * near * far * (sums[0] * sums[1])
    return (
        angle(plus, both - imaginary, 2 * jnp.pi * beyond),
        angle(minus, both + imaginary, 2 * jnp.pi * (1 - beyond)),
    )


def _real_parts(
    axis: int, point: Coordinates, half: Coordinates, edges: _Edges, grown: tuple[_Array, _Array]
) -> tuple[tuple[_Array, _Array], _Array]:
    """The s of the near and far face across an axis, and their difference without cancellation.

    On the shorter sides of a face n vanishes, and s but for rounding. The two angles must see the
    same s there: it is a quotient, which XLA:CPU computes once. Zero would have no angle.
    """
    edge, other = _OTHERS[axis]
    x, a = point[axis], half[axis]
    total, inverse, excess = (_by(square, edge, axis) for square in edges[1:])
    height = (point[other] - half[other]) * (point[other] + half[other])
    heights = ((x - a) ** 2 + height, (x + a) ** 2 + height)
    length2, along2 = edges.length**2, (2 * point[edge]) ** 2
    halves = [[0.5 * e * (e + 2 * edges.length) for e in row] for row in excess]  # E
    real = []
    for (e0, e1), (s0, s1), h in zip(halves, total, heights, strict=True):
        p = s0 * s1
        s = (e0 * e1 * (p + along2) + h * p * (p + length2)) / (p * p)
        real.append(jnp.where(s == 0, least_squared_distance(s.dtype), s))
    reduced = [[halves[i][j] * inverse[i][j] for j in (0, 1)] for i in (0, 1)]  # E / S
    inverses = [first * second for first, second in inverse]
    pairs = [inverse[0][j] * inverse[1][j] for j in (0, 1)]
    d_reduced = [0.5 * grown[j] * (1 + length2 * pairs[j]) for j in (0, 1)]
    d_product = d_reduced[0] * reduced[1][1] + reduced[0][0] * d_reduced[1]
    d_inverses = -(grown[0] * pairs[0] * inverse[1][1] + inverse[0][0] * grown[1] * pairs[1])
    d_real = (
        d_product * (1 + along2 * inverses[1])
        + 4 * a * x * (1 + length2 * inverses[1])
        + d_inverses * (reduced[0][0] * reduced[0][1] * along2 + heights[0] * length2)
    )
    return (real[0], real[1]), d_real

"""Common frame of computation and far field of rectangles and cuboids.

A closed form is written for a body whose edges lie along the axes, longest first, in units of about
half its diagonal, and for points whose coordinates are not negative: the rest is symmetry.
"""

import functools
import math
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Bool, Float

from hypermagnetics.sources.kinds.box import Axes
from hypermagnetics.sources.kinds.multipole import multipole
from hypermagnetics.sources.kinds.rounding import by_side, rounding_of
from hypermagnetics.sources.kinds.units import Unit
from hypermagnetics.sources.values import Components, Rounding, Values, dot

Coordinates = Sequence[Float[Array, "..."]]
"""Arrays along the edges of a box."""


class Octant(NamedTuple):
    """Points relative to a box, in its frame: those of the first octant, or quadrant."""

    point: Coordinates
    """Coordinates; negative at most by rounding."""
    half: Coordinates
    """Half sides, longest first."""
    beyond: Coordinates
    """Share of a small ball around the point that lies beyond each face: 0, 1/2 on it, or 1."""
    rounding: Rounding
    """Rounding of the distance from the surface."""

    def held(self, distance2: Float[Array, "..."]) -> Float[Array, "..."]:
        """A squared distance from an edge, held above 0 where a point is on it but for rounding."""
        on_edge = distance2 < self.rounding.within**2
        return jnp.where(on_edge, self.rounding.at_edge**2, distance2)


ClosedForm = Callable[[Coordinates, Octant], Values]
"""Moment and points in the frame of the box to potential and field."""

FAR = 1e4
"""Distance, in the unit of length, beyond which the multipole series is taken. There its error,
of fourth order, is below 1e-15 and the closed form still has all its digits: the seam does not
show. The series is what remains defined as the sides go to zero."""


def far_from(dtype: jnp.dtype) -> float:
    """`FAR`, or less in a shorter float type, where the series reaches the rounding unit earlier.

    In float32 the derivatives of the closed form need products that leave its range at 1e4.

    Args:
        dtype: Float type of the coordinates.

    Returns:
        Distance, in the unit of length, where the error of the series is a sixteenth of the
        rounding unit, but at most `FAR`: 108 in float32.
    """
    unit = float(np.finfo(dtype).eps)
    return min(FAR, 2 / math.sqrt(math.sqrt(unit)))


def box(
    closed_form: ClosedForm,
    moment: Components,
    displacement: Components,
    dimension: Components,
    axes: Axes,
    rounding: Rounding,
) -> Values:
    """Potential and field of a uniformly magnetised box.

    Args:
        closed_form: The physics of the body close by.
        moment: Components of m, magnetisation times volume [A m²]; in two dimensions [A m].
        displacement: Components of d, point minus position [m]; shapes broadcast with `moment`.
        dimension: Full sides along `axes` [m], greater than 0.
        axes: Unit vectors along the edges.
        rounding: Rounding of the distance from the surface.

    Returns:
        Potential [A] and field [A/m].
    """
    dim = len(displacement)
    dimension, axes = _longest_first(dimension, axes)
    unit = _unit(dimension)
    half = [0.5 * side for side in unit.lengths(dimension)]
    along = unit.lengths([dot(axis, displacement) for axis in axes])
    rounding = Rounding(*unit.lengths(rounding))
    # XLA rounds a coordinate differently in each place that it is computed in. Were the sign that
    # of a coordinate of 0 but for rounding, the folded coordinate might be negative beside it, and
    # the derivative of its odd part of the wrong sign. The closed forms are analytic across 0.
    signs = [jnp.where(x < -rounding.within, -1.0, 1.0).astype(x.dtype) for x in along]
    point = [sign * x for sign, x in zip(signs, along, strict=True)]
    along_edges = [dot(axis, moment) for axis in axes]
    turned, turned_nearby = (
        [sign * m for sign, m in zip(signs, components, strict=True)]
        for components in (along_edges, unit.moments(along_edges))
    )
    moments = (turned, turned_nearby)
    potential, folded = _near_or_far(closed_form, moments, point, half, rounding, unit)
    field = [sign * component for sign, component in zip(signs, folded, strict=True)]
    return Values(
        potential,
        tuple(dot(field, [axis[i] for axis in axes]) for i in range(dim)),  # back from the edges
    )


def rounding_of_box(displacement: Components, dimension: Components) -> Rounding:
    """Rounding of the distance from the surface of a box, of its displacement alone."""
    size = functools.reduce(jnp.minimum, dimension) / 2
    return rounding_of(displacement, 0.5 * jnp.sqrt(dot(dimension, dimension)), size)


def _near_or_far(
    closed_form: ClosedForm,
    moments: tuple[Coordinates, Coordinates],
    point: Coordinates,
    half: Coordinates,
    rounding: Rounding,
    unit: Unit,
) -> Values:
    # Each branch gets points it is made for, so that the one not taken is finite, gradients too.
    # They overlap: XLA may round the distance differently in each place that compares it.
    distance2 = dot(point, point)
    bound = far_from(distance2.dtype)
    is_far, beyond_twice, beyond_half = (
        distance2 > (share * bound) ** 2 for share in (1.0, 2.0, 0.5)
    )
    nearby = [jnp.where(beyond_twice, 1, x) for x in point]
    beyond = [by_side(x - a, rounding.within, 1.0, 0.0) for x, a in zip(nearby, half, strict=True)]
    on_face = [share == 0.5 for share in beyond]
    on_edge = sum(on.astype(jnp.int8) for on in on_face) >= 2
    nearby = [_put_on(x, a, on & on_edge) for x, a, on in zip(nearby, half, on_face, strict=True)]
    octant = Octant(nearby, half, beyond, rounding)
    # A body that shrinks to nothing has no magnetisation that its float type could hold.
    moment, moment_nearby = moments
    moment_nearby = [jnp.where(beyond_twice, 0, m) for m in moment_nearby]
    near = unit.potential(_by_columns(closed_form)(moment_nearby, *octant))
    # In metres: in units of a body that shrinks to nothing, distances would leave their float type.
    far = multipole(
        moment,
        [jnp.where(beyond_half, x, bound) * unit.length for x in point],
        [2 * a * unit.length for a in half],
    )
    return Values(
        jnp.where(is_far, far.potential, near.potential),
        tuple(jnp.where(is_far, a, b) for a, b in zip(far.field, near.field, strict=True)),
    )


@jax.custom_jvp
def _put_on(
    x: Float[Array, "..."], face: Float[Array, "..."], is_on: Bool[Array, "..."]
) -> Float[Array, "..."]:
    """The coordinate of a face where a point is on it but for rounding; derivatives are those of x.

    What vanishes at an edge or a corner then does so in all bodies that touch there.
    """
    return jnp.where(is_on, face, x)


@_put_on.defjvp
def _put_on_jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    return _put_on(*primals), tangents[0]


def _by_columns(closed_form: ClosedForm) -> Callable[..., Values]:
    """The closed form, with a derivative that is its Jacobian times the tangents.

    The Jacobian is computed forwards, by column: one for each coordinate and side that has a
    tangent. Reverse mode then transposes this product alone. Transposing the closed form itself
    takes XLA minutes to compile, and runs sixty times slower. The derivative of the potential by
    the coordinates is -H, which is there.
    """

    @jax.custom_jvp
    def values(
        moment: Coordinates,
        point: Coordinates,
        half: Coordinates,
        beyond: Coordinates,
        rounding: Rounding,
    ) -> Values:
        return closed_form(moment, Octant(point, half, beyond, rounding))

    def product(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Values, Values]:
        moment, point, half, beyond, rounding = primals
        of_moment, of_point, of_half, _, _ = tangents
        result = values(*primals)
        total: Values = jax.tree.map(jnp.zeros_like, result)
        if any(map(_is_given, of_moment)):
            pairs = zip(moment, of_moment, strict=True)
            given = [t if _is_given(t) else jnp.zeros_like(m) for m, t in pairs]
            total = values(given, point, half, beyond, rounding)

        def of_points(point: Coordinates) -> Values:
            return closed_form(moment, Octant(point, half, beyond, rounding))

        for i, column in _columns(of_points, point, of_point):
            slope = Values(-result.field[i], column.field)
            total = jax.tree.map(lambda a, b, t=of_point[i]: a + b * t, total, slope)

        def of_halves(half: Coordinates) -> Values:
            return closed_form(moment, Octant(point, half, beyond, rounding))

        for i, column in _columns(of_halves, half, of_half):
            total = jax.tree.map(lambda a, b, t=of_half[i]: a + b * t, total, column)
        return result, total

    values.defjvp(product, symbolic_zeros=True)
    return values


def _columns(
    function: Callable[[Coordinates], Values], at: Coordinates, tangents: Sequence[object]
) -> Iterator[tuple[int, Values]]:
    """Derivatives by those coordinates that have a tangent, each with its number."""
    given = [i for i, tangent in enumerate(tangents) if _is_given(tangent)]
    if not given:
        return
    at = list(at)
    basis = [jnp.stack([jnp.full_like(x, i == j) for j in given]) for i, x in enumerate(at)]
    columns = jax.vmap(lambda unit: jax.jvp(function, (at,), (unit,))[1])(basis)
    for row, i in enumerate(given):
        yield i, jax.tree.map(operator.itemgetter(row), columns)


def _is_given(tangent: object) -> bool:
    return not isinstance(tangent, SymbolicZero)


def _unit(dimension: Components) -> Unit:
    """The power of two above half the diagonal; the sides are sorted, longest first."""
    sides = [jax.lax.stop_gradient(side) for side in dimension]
    ratios = [side / sides[0] for side in sides]
    return Unit.above(0.5 * sides[0] * jnp.sqrt(dot(ratios, ratios)))


def _longest_first(dimension: Components, axes: Axes) -> tuple[Components, Axes]:
    """Sort the edges by length, by exchanging neighbours."""
    edges = [(side, *axis) for side, axis in zip(dimension, axes, strict=True)]
    for i in (0, 1, 0)[: 2 * len(edges) - 3]:
        swap = edges[i][0] < edges[i + 1][0]
        edges[i], edges[i + 1] = (
            _choose(swap, edges[i + 1], edges[i]),
            _choose(swap, edges[i], edges[i + 1]),
        )
    return [side for side, *_ in edges], [axis for _, *axis in edges]


def _choose(
    condition: Bool[Array, "..."] | bool, yes: Components, no: Components
) -> tuple[Float[Array, "..."], ...]:
    return tuple(jnp.where(condition, a, b) for a, b in zip(yes, no, strict=True))


def least_squared_distance(dtype: jnp.dtype) -> float:
    """Lower limit of the squared distance to a singular edge, in the unit of length.

    Args:
        dtype: Float type of the coordinates.

    Returns:
        The square of their rounding unit: nearer points cannot be told from the edge.
    """
    return float(np.finfo(dtype).eps) ** 2

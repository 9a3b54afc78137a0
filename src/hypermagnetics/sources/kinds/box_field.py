"""Common frame of computation and far field of rectangles and cuboids.

A closed form is written for a body whose edges lie along the axes, longest first, in units of about
half its diagonal, and for points whose coordinates are not negative: the rest is symmetry.
"""

import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from hypermagnetics.sources.kinds.box import Axes
from hypermagnetics.sources.kinds.elementary import power_of_two_above
from hypermagnetics.sources.kinds.multipole import multipole
from hypermagnetics.sources.values import Components, Values, dot

Coordinates = Sequence[Float[Array, "..."]]
"""Arrays along the edges of a box."""

ClosedForm = Callable[[Coordinates, Coordinates, Coordinates], Values]
"""Moment, point (no negative coordinate) and half sides (longest first) to potential and field."""

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
) -> Values:
    """Potential and field of a uniformly magnetised box.

    Args:
        closed_form: The physics of the body close by.
        moment: Components of m, magnetisation times volume [A m²]; in two dimensions [A m].
        displacement: Components of d, point minus position [m]; shapes broadcast with `moment`.
        dimension: Full sides along `axes` [m], greater than 0.
        axes: Unit vectors along the edges.

    Returns:
        Potential [A] and field [A/m].
    """
    dim = len(displacement)
    dimension, axes = _longest_first(dimension, axes)
    # Nothing depends on the unit of length, so no gradient need pass through it; and with a power
    # of two nothing is rounded, so that a point on an edge stays there.
    sides = [jax.lax.stop_gradient(side) for side in dimension]
    unit = power_of_two_above(0.5 * jnp.sqrt(dot(sides, sides)))
    inverse = 1 / unit
    half = [0.5 * side * inverse for side in dimension]
    along = [dot(axis, displacement) * inverse for axis in axes]
    signs = [jnp.where(x < 0, -1.0, 1.0).astype(x.dtype) for x in along]
    point = [sign * x for sign, x in zip(signs, along, strict=True)]
    turned = [sign * dot(axis, moment) for sign, axis in zip(signs, axes, strict=True)]
    potential, folded = _near_or_far(closed_form, turned, point, half, unit)
    field = [sign * component for sign, component in zip(signs, folded, strict=True)]
    return Values(
        potential,
        tuple(dot(field, [axis[i] for axis in axes]) for i in range(dim)),  # back from the edges
    )


def _near_or_far(
    closed_form: ClosedForm,
    moment: Coordinates,
    point: Coordinates,
    half: Coordinates,
    unit: Float[Array, "..."],
) -> Values:
    # Each branch gets points it is made for, so that the one not taken is finite, gradients too.
    # They overlap: XLA may round the distance differently in each place that compares it.
    distance2 = dot(point, point)
    bound = far_from(distance2.dtype)
    is_far, beyond_twice, beyond_half = (
        distance2 > (share * bound) ** 2 for share in (1.0, 2.0, 0.5)
    )
    near = closed_form(moment, [jnp.where(beyond_twice, 1, x) for x in point], half)
    # In metres: in units of a body that shrinks to nothing, distances would leave their float type.
    far = multipole(
        moment,
        [jnp.where(beyond_half, x, bound) * unit for x in point],
        [2 * a * unit for a in half],
    )
    scale = unit ** (1 - len(point))
    return Values(
        jnp.where(is_far, far.potential, near.potential * scale),
        tuple(
            jnp.where(is_far, a, b * (scale / unit))
            for a, b in zip(far.field, near.field, strict=True)
        ),
    )


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

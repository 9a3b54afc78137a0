"""Uniformly magnetised rectangle: the cross-section of a long bar magnetised across its axis."""

from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from hypermagnetics.sources.kinds.box import Axes, BoxKind, axes_of_angle
from hypermagnetics.sources.kinds.box_field import (
    Coordinates,
    Octant,
    box,
    least_squared_distance,
    rounding_of_box,
)
from hypermagnetics.sources.kinds.elementary import angle, log1p_ratio
from hypermagnetics.sources.kinds.kind import Shape
from hypermagnetics.sources.values import Components, Rounding, Scalars, Values
from hypermagnetics.table import BodyName


def rectangle(
    moment: Components,
    displacement: Components,
    dimension: Components,
    angle: Scalars,
    rounding: Rounding | None = None,
) -> Values:
    """Potential and field of a rectangle, from the charges M.n on its sides.

    On a side H is the mean of both sides of it. At a corner, where H diverges like a logarithm, it
    is held at its value a rounding away. docs/physics.md derives the form.

    Args:
        moment: Components of m, magnetisation times area, per length [A m].
        displacement: Components of d, point minus position [m]; shapes broadcast with `moment`.
        dimension: Full sides [m], greater than 0.
        angle: Rotation, counterclockwise [rad].
        rounding: Rounding of the distance from the surface; that of the displacement if None.

    Returns:
        Potential [A] and field [A/m].
    """
    rounding = rounding or rounding_of_box(displacement, dimension)
    return box(closed_form, moment, displacement, dimension, axes_of_angle(angle), rounding)


def closed_form(moment: Coordinates, octant: Octant) -> Values:
    """The rectangle with its edges along the axes, at points of the first quadrant.

    With half sides a and b, m_x gives

        8 pi a b phi = a psi + x theta + 2 b delta + (b - y) T,
        8 pi a b H = (-theta, T),

    and m_y the same with x, a and y, b exchanged. theta and psi are difference and sum of the
    angles under which the two charged sides appear, T and delta logarithms of ratios of distances
    to the corners. Each is computed as one logarithm or arc tangent whose argument is a product:
    nothing cancels, so all digits stay at any distance and for any ratio of the sides.

    Args:
        moment: Components of the moment.
        octant: Coordinates x and y, and half sides a and b.

    Returns:
        Potential and field.
    """
    (mx, my), (x, y), (a, b), (beyond_x, beyond_y), _ = moment, *octant
    near_x, far_x, near_y, far_y = x - a, x + a, y - b, y + b
    # Squared distances to the corners: nearest, farthest, and the other two.
    nearest, farthest = octant.held(near_x**2 + near_y**2), far_x**2 + far_y**2
    above, beside = near_x**2 + far_y**2, far_x**2 + near_y**2
    cross = 0.5 * log1p_ratio(16 * a * b * x * y, nearest * farthest)
    sum_x, difference_x = _charged_sides(x, a, y, b, beyond_x)
    sum_y, difference_y = _charged_sides(y, b, x, a, beyond_y)
    delta_x = 0.5 * log1p_ratio(4 * a * x, above)
    delta_y = 0.5 * log1p_ratio(4 * b * y, beside)
    of_x = a * sum_x + x * difference_x + 2 * b * delta_x - near_y * cross
    of_y = b * sum_y + y * difference_y + 2 * a * delta_y - near_x * cross
    scale = 1 / (8 * jnp.pi * a * b)
    return Values(
        scale * (mx * of_x + my * of_y),
        (scale * (my * cross - mx * difference_x), scale * (mx * cross - my * difference_y)),
    )


def _charged_sides(
    x: Float[Array, "..."],
    a: Float[Array, "..."],
    y: Float[Array, "..."],
    b: Float[Array, "..."],
    beyond: Float[Array, "..."],
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """Sum and difference of the angles under which the sides at x = -a and x = a appear.

    The angle of the side at distance u is arg(u² + y² - b² + 2 i b u); sums of angles are products
    of these numbers. Between the sides, x < a, both angles count for the difference, which is then
    between 0 and 2 pi; beyond them both count for the sum; on the near side half of each. At a
    corner the near side has no angle: it is given one, so that the far side keeps its own.
    """
    near, far = x - a, x + a
    product, height = near * far, (y - b) * (y + b)
    at_corner = (near == 0) & (height == 0)
    height = jnp.where(at_corner, least_squared_distance(x.dtype), height)
    real = (near * near + height) * (far * far + height)
    turned = 4 * b * b * product
    return (
        angle(4 * b * x * (height + product), real - turned, 2 * jnp.pi * beyond),
        angle(4 * a * b * (height - product), real + turned, 2 * jnp.pi * (1 - beyond)),
    )


class RectangleKind(BoxKind):
    """Rectangles, in two dimensions."""

    name: ClassVar[BodyName] = "rectangle"
    sources_per_step = 2
    seconds_per_pair = 9e-9

    def axes(self, shape: Shape) -> Axes:
        """Axes of the angle."""
        return axes_of_angle(shape["angle"])

    def values(
        self,
        moment: Components,
        displacement: Components,
        shape: Shape,
        rounding: Rounding,
    ) -> Values:
        """See `rectangle`."""
        return rectangle(moment, displacement, self.sides(shape), shape["angle"], rounding)

"""Potential and field of soft boxes with known coefficients of their modes."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from hypermagnetics.grids import components
from hypermagnetics.models.reduced.system import Boxes
from hypermagnetics.shapes import Points
from hypermagnetics.sources.values import Components, Values, dot, full_angle

_DIPOLES_PER_STEP = 8
"""Dipoles summed in one fused loop over the points."""
_AWAY = 2.0
"""Distance from a centre along each axis that lies outside of a box of unit sides."""


class InsideOf(NamedTuple):
    """Points as seen from the box that they are in."""

    box: Int[Array, " points"]
    """Number of the box; any where there is none."""
    is_inside: Bool[Array, " points"]
    """Whether there is one."""
    place: Float[Array, "points dim"]
    """Place in its frame, over its longest side."""


def inside_of(boxes: Boxes, sides: Float[Array, "rows dim"], points: Points) -> InsideOf:
    """Find the box around each point.

    Args:
        boxes: The boxes.
        sides: Sides of each, over the longest.
        points: Points, over the unit.
    """
    offset = points[:, None] - boxes.centre[None]
    place = jnp.einsum("red,prd->pre", boxes.axes, offset) / boxes.side[None, :, None]
    inside = jnp.all(jnp.abs(place) <= sides[None] / 2, axis=-1) & boxes.is_soft[None]
    box = jnp.argmax(inside, axis=-1)
    chosen = jnp.take_along_axis(place, box[:, None, None], axis=1)[:, 0]
    return InsideOf(box, jnp.any(inside, axis=-1), chosen)


def of_dipoles(
    moments: Float[Array, "rows dipoles dim"],
    places: Float[Array, "rows dipoles dim"],
    points: Points,
    inside: InsideOf,
) -> Values:
    """Potential and field of the dipoles of all bodies but that around each point.

    Args:
        moments: Moments, over the unit to the power of the dimension [A/m].
        places: Places, over the unit.
        points: Points, over the unit.
        inside: The box around each.

    Returns:
        Potential over the unit [A/m], and field [A/m].
    """
    rows, count, dim = moments.shape
    missing = -count % _DIPOLES_PER_STEP
    steps = (rows, -1, _DIPOLES_PER_STEP, dim)
    moments = jnp.pad(moments, ((0, 0), (0, missing), (0, 0))).reshape(steps)
    centres = jnp.mean(places, axis=1)
    places = jnp.pad(places, ((0, 0), (0, missing), (0, 0)), mode="edge").reshape(steps)
    own = jnp.where(inside.is_inside, inside.box, -1)
    zero = jnp.zeros_like(points[:, 0])
    none = Values(zero, (zero,) * dim)

    def add_body(total: Values, body: tuple[Array, ...]) -> tuple[Values, None]:
        number, centre, moment, place = body
        is_other = own != number
        # Points in the body are moved out of it, away from its dipoles, so that all is finite.
        where = components(jnp.where(is_other[:, None], points, centre[None] + _AWAY))

        def add(so_far: Values, step: tuple[Array, Array]) -> tuple[Values, None]:
            for one, at in zip(*step, strict=True):
                offset = [axis - at[i] for i, axis in enumerate(where)]
                so_far = jax.tree.map(jnp.add, so_far, _dipole(tuple(one), offset))
            return so_far, None

        found, _ = jax.lax.scan(add, none, (moment, place))
        kept = jax.tree.map(lambda values: jnp.where(is_other, values, 0), found)
        return jax.tree.map(jnp.add, total, kept), None

    bodies = (jnp.arange(rows), centres, moments, places)
    total: tuple[Values, None] = jax.lax.scan(add_body, none, bodies)
    return total[0]


def _dipole(moment: Components, offset: Components) -> Values:
    """Potential phi = m.d / (A d^n) and H = -grad phi, in units near 1 alone."""
    dim = len(offset)
    inverse2 = 1 / dot(offset, offset)
    scale = inverse2 / full_angle(dim)
    if dim == 3:
        scale = scale * jnp.sqrt(inverse2)
    along = dot(moment, offset)
    radial = dim * along * inverse2
    field = tuple(scale * (radial * d - m) for m, d in zip(moment, offset, strict=True))
    return Values(scale * along, field)


def between_cells(
    cells: Float[Array, "rows cells numbers"], divisions: int, inside: InsideOf, sides: Array
) -> Float[Array, "points numbers"]:
    """Values at points in boxes, linear between the centres of cells and on to the surface.

    Args:
        cells: Values in the cells of each box, the last axis of cells fastest.
        divisions: Cells along each side.
        inside: The points.
        sides: Sides of each box, over the longest.
    """
    dim = inside.place.shape[1]
    cell = (inside.place / sides[inside.box] + 0.5) * divisions - 0.5
    # A point that is in no box stands anywhere in one.
    cell = jnp.where(inside.is_inside[:, None], cell, 0)
    first = jnp.clip(jnp.floor(cell).astype(int), 0, divisions - 2)
    share = cell - first
    total = jnp.zeros((len(cell), cells.shape[-1]), cells.dtype)
    for corner in range(2**dim):
        weight, number = jnp.ones_like(share[:, 0]), jnp.zeros_like(first[:, 0])
        for axis in range(dim):
            bit = corner >> axis & 1
            weight = weight * (share[:, axis] if bit else 1 - share[:, axis])
            number = number * divisions + first[:, axis] + bit
        total = total + weight[:, None] * cells[inside.box, number]
    return total

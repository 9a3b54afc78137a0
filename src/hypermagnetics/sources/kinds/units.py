"""Units of length in which products of moment and distance stay in the range of the float type.

A moment is a magnetisation times a volume, and a field a moment over a volume: at the scale of
atoms or of planets these volumes leave float32, though field and moment do not. So the moment is
divided by the unit once for each dimension, which passes through no number beyond those two, and
all that follows is of the order of the field.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from hypermagnetics.sources.kinds.elementary import power_of_two_above
from hypermagnetics.sources.values import Components, Scalars, Values


class Unit(NamedTuple):
    """A power of two as the unit of length, so that changes of unit round nothing.

    Nothing depends on it, so no gradient passes through it.
    """

    length: Float[Array, "..."]
    """The unit [m]."""
    inverse: Float[Array, "..."]
    """One over it [1/m]."""

    def lengths(self, values: Components) -> list[Float[Array, "..."]]:
        """Lengths [m] in this unit."""
        return [jnp.asarray(value * self.inverse) for value in values]

    def moments(self, values: Components) -> list[Float[Array, "..."]]:
        """Moments over the n-th power of the unit, n being their components [A/m]."""
        found = self.lengths(values)
        for _ in values[1:]:
            found = self.lengths(found)
        return found

    def potential(self, values: Values) -> Values:
        """Potential and field, of moments and lengths in this unit, in [A] and [A/m]."""
        return Values(values.potential * self.length, values.field)


def unit_of(*lengths: Scalars) -> Unit:
    """The power of two above the largest of some lengths.

    Args:
        lengths: Lengths [m], of any sign.

    Returns:
        The unit. In it, none of the lengths is greater than 1.
    """
    sizes = [jax.lax.stop_gradient(jnp.abs(length)) for length in lengths]
    largest = functools.reduce(jnp.maximum, sizes)
    return Unit(*power_of_two_above(largest))


def outside_share(
    beyond: Float[Array, "..."], rounding: Float[Array, "..."]
) -> Float[Array, "..."]:
    """Share of a small ball around a point that lies beyond a surface.

    Args:
        beyond: Distance of the point beyond the surface, negative on this side of it.
        rounding: Bound of the rounding of the distance; within it the point is on the surface.

    Returns:
        0, 1/2 on the surface, or 1.
    """
    return jnp.where(beyond > rounding, 1.0, jnp.where(beyond < -rounding, 0.0, 0.5)).astype(
        beyond.dtype
    )

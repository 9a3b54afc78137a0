"""Distances whose powers never leave the float type before the field does.

A field is a moment over a volume: at the scale of atoms or of planets d³ and m d leave float32,
though moment and field do not. So vectors are divided by their length, and values are multiplied by
one over the distance once for each power, which passes through no number beyond moment and field.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from hypermagnetics.sources.values import Components, Scalars, Values, dot, full_angle

_Array = Float[Array, "..."]


@jax.custom_jvp
def inverse_distance(displacement: Sequence[_Array]) -> _Array:
    """One over |d|.

    Args:
        displacement: Components of d [m].

    Returns:
        1 / |d| [1/m]; infinite at 0.
    """
    return 1 / jnp.sqrt(dot(displacement, displacement))


@inverse_distance.defjvp
def _inverse_jvp(
    primals: tuple[Sequence[_Array]], tangents: tuple[Sequence[_Array]]
) -> tuple[_Array, _Array]:
    (displacement,), (tangent,) = primals, tangents
    inverse = inverse_distance(displacement)
    along = dot(directions_of(displacement, inverse), tangent)
    return inverse, -(along * inverse) * inverse


def over_distance(potential: _Array, field: Sequence[_Array], inverse: _Array) -> Values:
    """Values of a distance of 1, at their own distance.

    Args:
        potential: A d^(n-1) phi of n dimensions, A being 2 pi or 4 pi.
        field: A d^n H.
        inverse: 1 / d [1/m].

    Returns:
        Potential [A] and field [A/m].
    """
    scale = 1 / full_angle(len(field))
    potential, components = scale * potential, [scale * component for component in field]
    for _ in components[1:]:
        potential = potential * inverse
    for _ in field:
        components = [component * inverse for component in components]
    return Values(potential, tuple(components))


def directions_of(displacement: Components, inverse: Scalars) -> list[_Array]:
    """The displacement over its length."""
    return [jnp.asarray(d * inverse) for d in displacement]

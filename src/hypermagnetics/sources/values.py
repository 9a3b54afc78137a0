"""Potential and field as the physics computes them: components in separate arrays.

Arrays of (points, dim) are five times slower on a CPU than one array of points for each component.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Scalars = Float[Any, "..."] | float | int
Components = Sequence[Scalars]
"""Components of a vector along x, y and, in three dimensions, z; shapes broadcast."""


class Values(NamedTuple):
    """Potential [A] and the components of the field H [A/m], as separate arrays."""

    potential: Float[Array, "..."]
    field: Sequence[Float[Array, "..."]]


class Rounding(NamedTuple):
    """Rounding of the distance between points and the surface of a body."""

    within: Float[Array, "..."]
    """Distance from a surface up to which a point is on it [m], less than the size of the body."""
    at_edge: Float[Array, "..."]
    """Distance from an edge at which H, which diverges there, is taken for points on it [m]."""


def full_angle(dim: int) -> float:
    """The angle around a point: 2 pi in two dimensions, 4 pi in three."""
    return 2 * math.pi * (dim - 1)


def dot(first: Components, second: Components) -> Any:
    """The scalar product of two vectors, of numpy or of JAX."""
    total: Any = first[0] * second[0]
    for a, b in zip(first[1:], second[1:], strict=True):
        total = total + a * b
    return total


def namespace(*values: Scalars) -> Any:
    """The library whose functions take these values: numpy if it made them, else jax.numpy."""
    of_numpy = any(isinstance(value, np.ndarray) for value in values)
    return np if of_numpy and not any(isinstance(value, Array) for value in values) else jnp

"""A function of position and its gradient in one forward pass."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from hypermagnetics.shapes import Points


def value_and_gradient(
    function: Callable[[Points], Float[Array, "points ..."]], points: Points
) -> tuple[Float[Array, "points ..."], Float[Array, "dim points ..."]]:
    """Evaluate a function at points, and its derivatives along each axis by forward mode.

    The value is computed once, whatever the dimension.

    Args:
        function: Acts on each point by itself.
        points: Points of evaluation.

    Returns:
        The values, and their derivatives with the axis of differentiation first.
    """
    values, derivative = jax.linearize(function, points)
    # One call per axis, not a vmap over axes: on CPU the reverse pass through batched products
    # takes twice as long.
    axes = jnp.eye(points.shape[1], dtype=points.dtype)
    gradient = [derivative(jnp.broadcast_to(axis, points.shape)) for axis in axes]
    return values, jnp.stack(gradient)

"""Points of evaluation in the box [-half_width, half_width]^dim."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float

from hypermagnetics.shapes import AnyKey, Points


def regular_grid(half_width: float | int, resolution: int, dim: int) -> Points:
    """Evenly spaced points including the faces of the box; the last coordinate varies fastest.

    Args:
        half_width: Half the side of the box [m].
        resolution: Points per side.
        dim: Space dimension.

    Returns:
        Positions [m], `resolution ** dim` of them.
    """
    side = jnp.linspace(-half_width, half_width, resolution)
    return jnp.stack(jnp.meshgrid(*[side] * dim, indexing="ij"), axis=-1).reshape(-1, dim)


def random_grid(
    key: AnyKey, half_width: float | int, num_points: int, dim: int
) -> Float[Array, "points dim"]:
    """Points drawn uniformly from the box, float32.

    Args:
        key: Random key; the same key gives the same points.
        half_width: Half the side of the box [m].
        num_points: How many points.
        dim: Space dimension.

    Returns:
        Positions [m].
    """
    return jr.uniform(
        key, (num_points, dim), minval=-half_width, maxval=half_width, dtype=jnp.float32
    )


def components(vectors: Float[Array, "*shape dim"]) -> Sequence[Float[Array, "*shape"]]:
    """The components of vectors as separate arrays, the layout the physics computes in."""
    return tuple(
        jax.lax.index_in_dim(vectors, i, -1, keepdims=False) for i in range(vectors.shape[-1])
    )

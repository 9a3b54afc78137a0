"""Points of evaluation in the box [-half_width, half_width]^dim."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32

from hypermagnetics.shapes import Points


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
    uniform: Float[np.ndarray, "points dim"], half_width: float | int
) -> Float32[np.ndarray, "points dim"]:
    """Points spread uniformly over the box.

    Args:
        uniform: Uniform random numbers between 0 and 1.
        half_width: Half the side of the box [m].

    Returns:
        Positions [m].
    """
    return (half_width * (2 * uniform - 1)).astype(np.float32)


def components(vectors: Float[Array, "*shape dim"]) -> Sequence[Float[Array, "*shape"]]:
    """The components of vectors as separate arrays, the layout the physics computes in."""
    return tuple(
        jax.lax.index_in_dim(vectors, i, -1, keepdims=False) for i in range(vectors.shape[-1])
    )

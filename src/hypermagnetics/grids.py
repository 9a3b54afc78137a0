"""Points of evaluation in the box [-half_width, half_width]^dim."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32

from hypermagnetics.shapes import Points


def regular_grid(half_width: float | int, resolution: int, dim: int, halo: int = 0) -> Points:
    """Evenly spaced points including the faces of the box; the last coordinate varies fastest.

    Args:
        half_width: Half the side of the box [m].
        resolution: Points per side.
        dim: Space dimension.
        halo: Further points at each end of each axis, outside the box and as far apart.

    Returns:
        Positions [m], `(resolution + 2 halo) ** dim` of them. The halo does not move the others.
    """
    side = jnp.linspace(-half_width, half_width, resolution)
    if halo:
        beyond = half_width + 2 * half_width / (resolution - 1) * jnp.arange(1, halo + 1)
        side = jnp.concatenate([-beyond[::-1], side, beyond])
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

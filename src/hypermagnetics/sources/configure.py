"""Random configurations in memory, through the interface of the published code."""

from typing import Literal, TypedDict

import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float

from hypermagnetics.arrays import whole_number
from hypermagnetics.grids import regular_grid
from hypermagnetics.shapes import AnyKey
from hypermagnetics.sources.distributions import Normal
from hypermagnetics.sources.superposition import block_sum
from hypermagnetics.table import SourceColumns

_SMALLEST = 2.0**-24
"""Least probability drawn, so that no normal value is infinite."""


class Configuration(TypedDict):
    """Samples that share one grid."""

    sources: Float[Array, "samples sources columns"]
    """Rows [moment, position], in [A m] and [m]."""
    grid: Float[Array, "points dim"]
    """Points of evaluation [m]."""
    potential: Float[Array, "samples points"]
    """Potential [A]."""
    field: Float[Array, "samples points dim"]
    """Field [A/m]."""


def configure(
    N: int,
    M: int,
    lim: float | int,
    res: int,
    key: AnyKey,
    *,
    body: Literal["disc", "dipole"] = "disc",
    radius: float | int | None = 1.0,
) -> Configuration:
    """Draw samples and compute their exact potential and field on a regular grid.

    Positions are N(0, (lim/3)²), moments N(0, 1).

    Args:
        N: Number of samples.
        M: Number of sources in each.
        lim: Half the side of the square that the grid covers [m].
        res: Points per side of the grid.
        key: Random key, new or old style.
        body: Name of the body.
        radius: Radius of a disc [m]; None for dipoles.

    Returns:
        Sources, grid, potential and field, in the default float type of JAX.

    Raises:
        SourceError: If a number is not whole or below 1, or the radius does not go with the body.

    Examples:
        >>> import jax.random as jr
        >>> configuration = configure(N=500, M=5, lim=3, res=32, key=jr.PRNGKey(40))
        >>> configuration["field"].shape
        (500, 1024, 2)
    """
    num_samples, num_sources = whole_number(N, "N", 1), whole_number(M, "M", 1)
    columns = SourceColumns.of(body, dim=2, constants={} if radius is None else {"radius": radius})
    uniform = jr.uniform(key, (num_samples, num_sources, 4), minval=_SMALLEST, dtype=jnp.float32)
    grid = regular_grid(lim, whole_number(res, "res", 1), 2)
    moments, positions = np.split(np.asarray(uniform), 2, axis=-1)
    parts = [Normal(std=1.0).from_uniform(moments), Normal(std=lim / 3).from_uniform(positions)]
    table = np.concatenate(parts, axis=-1).astype(np.float32)
    sources = jnp.asarray(table, grid.dtype)
    potential, field = block_sum(columns, sources, jnp.full(num_samples, num_sources), grid)
    return Configuration(sources=sources, grid=grid, potential=potential, field=field)

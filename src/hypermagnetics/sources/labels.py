"""Labels of stored inputs: exact sums in float64 of float32 inputs, rounded to float32."""

from collections.abc import Callable
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int

from hypermagnetics.sources.superposition import block_superposition
from hypermagnetics.table import SourceColumns


def labels(
    columns: SourceColumns,
    sources: Float32[np.ndarray, "samples sources columns"],
    num_sources: Int[np.ndarray, " samples"],
    grid: Float32[np.ndarray, "points dim"],
) -> tuple[Float32[Array, "samples points"], Float32[Array, "samples points dim"]]:
    """Labels of stored inputs, computed in float64 and rounded to float32.

    Whatever float type JAX is set to; nothing of that changes.

    Args:
        columns: Columns of `sources`.
        sources: Source tables as stored.
        num_sources: Rows in use.
        grid: Points as stored [m].

    Returns:
        Potential [A] and field [A/m].
    """
    with jax.enable_x64(True):
        potential, field = _compiled()(columns, sources, num_sources, grid)
    return potential, field


@cache
def _compiled() -> Callable[..., tuple[Array, Array]]:
    # By default XLA uses half the width of the vectors that the processor has, because few programs
    # gain from the whole. This one does: cuboids take half the time.
    on_cpu = jax.default_backend() == "cpu"
    return jax.jit(
        _rounded,
        static_argnames="columns",
        compiler_options={"xla_cpu_prefer_vector_width": 512} if on_cpu else None,
    )


def _rounded(
    columns: SourceColumns, sources: Array, num_sources: Array, grid: Array
) -> tuple[Array, Array]:
    potential, field = block_superposition(
        columns,
        sources,
        num_sources,
        grid,
        dtype=jnp.dtype(jnp.float32),
        sum_dtype=jnp.dtype(jnp.float64),
    )
    return potential, field

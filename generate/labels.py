"""Blocks with their labels: float32 inputs, exact sums in float64, float32 labels."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from hypermagnetics.data import Block, SplitLayout
from hypermagnetics.generate.config import DatasetRecipe, RegularGrid
from hypermagnetics.grids import random_grid, regular_grid
from hypermagnetics.sources import (
    DIM,
    Kernel,
    block_superposition,
    body_kernel,
    sample_sources,
    uniforms,
)


@partial(jax.jit, static_argnames="kernel")
def labels(
    kernel: Kernel,
    sources: Float[Array, "samples sources columns"],
    num_sources: Int[Array, " samples"],
    grid: Float[Array, "points dim"],
) -> tuple[Float[Array, "samples points"], Float[Array, "samples points dim"]]:
    """The labels that belong to stored inputs: computed in float64, rounded to float32.

    Args:
        kernel: Closed form of the body.
        sources: Source tables as stored, float32.
        num_sources: Rows in use.
        grid: Points as stored, float32 [m].

    Returns:
        Potential [A] and field [A/m], float32.
    """
    wide = jax.dtypes.canonicalize_dtype(jnp.float64)
    assert wide == jnp.float64, "labels need float64; the program enables it"
    potential, field = block_superposition(
        kernel, sources.astype(jnp.float64), num_sources, grid.astype(jnp.float64)
    )
    return potential.astype(jnp.float32), field.astype(jnp.float32)


def start_block(
    recipe: DatasetRecipe, split: str, layout: SplitLayout, index: int
) -> Callable[[], Block]:
    """Draw the inputs of a block and start to compute its labels.

    Args:
        recipe: What is made.
        split: Name of the split.
        layout: Its sizes.
        index: Number of the block.

    Returns:
        A function that waits for the labels and returns the block. Calling it later lets the
        device work meanwhile.
    """
    samples = layout.block_samples(index)
    # Every block is computed at full size, so that one compiled function serves them all.
    rows = layout.samples_per_grid
    uniform = uniforms(
        recipe.seed, split, "sources", samples.start, rows, layout.max_sources * layout.source_size
    )
    sources = sample_sources(
        uniform.reshape(rows, layout.max_sources, layout.source_size),
        recipe.sources.moment,
        recipe.sources.position,
    )
    counts = np.full(rows, layout.max_sources, np.int32)
    grid = _grid(recipe, split, layout, index)
    kernel = body_kernel(recipe.sources.body, recipe.sources.radius)
    potential, field = labels(kernel, sources, counts, grid)

    def finish() -> Block:
        kept = slice(0, len(samples))
        return Block(
            sources=sources[kept],
            num_sources=counts[kept],
            grid=grid,
            potential=np.asarray(potential)[kept],
            field=np.asarray(field)[kept],
        )

    return finish


def _grid(recipe: DatasetRecipe, split: str, layout: SplitLayout, index: int) -> np.ndarray:
    grid = recipe.grid
    if isinstance(grid, RegularGrid):
        return np.asarray(regular_grid(grid.half_width, grid.resolution, DIM), np.float32)
    (uniform,) = uniforms(recipe.seed, split, "grid", index, 1, layout.num_points * DIM)
    return random_grid(uniform.reshape(layout.num_points, DIM), grid.half_width)

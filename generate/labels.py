"""Blocks with their labels: float32 inputs, exact sums in float64, float32 labels."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, Int, Key

from hypermagnetics.data import SplitLayout
from hypermagnetics.generate.config import DatasetRecipe, RegularGrid
from hypermagnetics.grids import random_grid, regular_grid
from hypermagnetics.sources import (
    DIM,
    Kernel,
    block_superposition,
    body_kernel,
    sample_sources,
)


class LabelledBlock(NamedTuple):
    """One block on the device."""

    sources: Float[Array, "samples sources columns"]
    num_sources: Int[Array, " samples"]
    grid: Float[Array, "points dim"]
    potential: Float[Array, "samples points"]
    field: Float[Array, "samples points dim"]


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


BlockMaker = Callable[[Key[Array, ""], Key[Array, ""], Int[Array, ""]], LabelledBlock]


def block_maker(recipe: DatasetRecipe, layout: SplitLayout) -> BlockMaker:
    """The function that makes a block from the keys of its split and its number.

    Args:
        recipe: What is made.
        layout: The sizes of the split; splits of equal block sizes can share the function.

    Returns:
        A compiled function of (key of the samples, key of the grids, number of the block). Every
        block has `samples_per_grid` samples; of the last one, those past the end of the split are
        to be dropped.
    """
    kernel = body_kernel(recipe.sources.body, recipe.sources.radius)
    moment, position = recipe.sources.moment, recipe.sources.position
    num_samples, num_sources = layout.samples_per_grid, layout.max_sources

    @jax.jit
    def make(
        sample_key: Key[Array, ""], grid_key: Key[Array, ""], block: Int[Array, ""]
    ) -> LabelledBlock:
        samples = block * num_samples + jnp.arange(num_samples)
        sources = jax.vmap(
            lambda sample: sample_sources(
                jr.fold_in(sample_key, sample), num_sources, DIM, moment, position
            )
        )(samples)
        counts = jnp.full(num_samples, num_sources, jnp.int32)
        grid = _grid(recipe, jr.fold_in(grid_key, block))
        return LabelledBlock(sources, counts, grid, *labels(kernel, sources, counts, grid))

    return make


def _grid(recipe: DatasetRecipe, key: Key[Array, ""]) -> Float[Array, "points dim"]:
    grid = recipe.grid
    if isinstance(grid, RegularGrid):
        return regular_grid(grid.half_width, grid.resolution, DIM).astype(jnp.float32)
    return random_grid(key, grid.half_width, grid.num_points, DIM)

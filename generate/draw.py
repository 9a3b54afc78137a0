"""Inputs of a block: source tables and grid, which determine its labels.

A sample or a grid depends on (seed, split, index) alone: each quantity has a stream of
random numbers, in which each sample owns a stretch.
"""

from functools import lru_cache
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float32, Int32

from hypermagnetics.data import SplitLayout
from hypermagnetics.errors import RecipeError
from hypermagnetics.generate.bodies import (
    chosen_members,
    fill_responses,
    fill_shapes,
    numbers_per_source,
)
from hypermagnetics.generate.config import DatasetRecipe, GivenGrid, RegularGrid, SurfaceGrid
from hypermagnetics.generate.given_points import given_points
from hypermagnetics.grids import random_grid, regular_grid
from hypermagnetics.sources import SourceColumns, uniforms
from hypermagnetics.sources.distributions import Lattice, Packed
from hypermagnetics.sources.geometry import half_edges, outer_radii, volumes
from hypermagnetics.sources.packing import CANDIDATES, pack
from hypermagnetics.sources.sampling import Purpose, whole_numbers
from hypermagnetics.sources.surface_points import numbers_per_point, points_near_surfaces
from hypermagnetics.table import APPLIED

_ROUND = 1 << 40
"""Offset of packing rounds: round c of sample i has the numbers of item c 2^40 + i."""


class Inputs(NamedTuple):
    """Inputs of the labels of a block."""

    sources: Float32[np.ndarray, "samples sources columns"]
    num_sources: Int32[np.ndarray, " samples"]
    grid: Float32[np.ndarray, "points dim"]


def draw_block(
    recipe: DatasetRecipe, columns: SourceColumns, split: str, layout: SplitLayout, index: int
) -> Inputs:
    """Draw the inputs of a block.

    Args:
        recipe: Recipe of the dataset, as resolved by the plan.
        columns: Columns of the source tables.
        split: Name of the split.
        layout: Its sizes.
        index: Number of the block.

    Returns:
        Source tables, numbers of sources, and grid. There are always `samples_per_grid` samples:
        in the last block of a split, the last sample is repeated.

    Raises:
        RecipeError: If the bodies of a sample cannot be packed.
    """
    samples = layout.block_samples(index)
    sources, num_sources = draw_sources(recipe, columns, split, samples)
    # The writer names the sample of a value that is infinite.
    with np.errstate(over="ignore", invalid="ignore"):
        grid = _grid(recipe, columns, split, index, sources[0, : num_sources[0]])
    missing = layout.samples_per_grid - len(samples)
    if missing:
        sources = np.pad(sources, ((0, missing), (0, 0), (0, 0)), mode="edge")
        num_sources = np.pad(num_sources, (0, missing), mode="edge")
    return Inputs(sources, num_sources, grid)


def draw_sources(
    recipe: DatasetRecipe, columns: SourceColumns, split: str, samples: range
) -> tuple[Float32[np.ndarray, "samples sources columns"], Int32[np.ndarray, " samples"]]:
    """Draw consecutive samples.

    Args:
        recipe: Recipe of the dataset.
        columns: Columns of the source tables.
        split: Name of the split.
        samples: Numbers of the samples.

    Returns:
        Source tables, zero past the number of sources, and that number.

    Raises:
        RecipeError: If the bodies of a sample cannot be packed.
    """
    draw = _Draw(recipe, columns, split, samples)
    num_sources = draw.num_sources()
    table = np.zeros((len(samples), draw.max_sources, columns.size), np.float32)
    draw.shapes(table)
    with np.errstate(over="ignore", invalid="ignore"):  # as above
        draw.vectors(table, num_sources)
        draw.responses(table)
    table[np.arange(draw.max_sources) >= num_sources[:, None]] = 0
    return table, num_sources


class _Draw:
    """Draws some samples of a split, one quantity after another."""

    def __init__(
        self, recipe: DatasetRecipe, columns: SourceColumns, split: str, samples: range
    ) -> None:
        self._recipe, self._columns = recipe, columns
        self._split, self._samples = split, samples
        self.max_sources = recipe.splits[split].max_sources

    def num_sources(self) -> np.ndarray:
        """Number of sources of each sample."""
        least = self._recipe.splits[self._split].least_sources
        if least == self.max_sources:
            return np.full(len(self._samples), least, np.int32)
        more = whole_numbers(self._uniform("num_sources", 1)[:, 0], self.max_sources - least + 1)
        return (least + more).astype(np.int32)

    def shapes(self, table: np.ndarray) -> None:
        """Fill in bodies, sizes and rotations."""
        fill_shapes(self._recipe.sources.body, self._columns, self._numbers_of_bodies(), table)

    def responses(self, table: np.ndarray) -> None:
        """Fill in susceptibilities and applied fields, in place of moments without remanence."""
        if not self._columns.is_soft:
            return
        body, applied = self._recipe.sources.body, self._recipe.sources.applied_field
        chosen = chosen_members(body, self._numbers_of_bodies())
        uniform = self._uniform("susceptibility", self.max_sources)
        fill_responses(body, self._columns, chosen, uniform, table)
        if applied is not None:
            field = applied.from_uniform(self._uniform("applied_field", self._columns.dim))
            first = self._columns.index(APPLIED[0])
            table[..., first : first + self._columns.dim] = field[:, None]

    def _numbers_of_bodies(self) -> np.ndarray:
        """Uniform numbers for the body, sizes and rotation of each source."""
        numbers = numbers_per_source(self._recipe.sources.body)
        if not numbers:
            return np.zeros((len(self._samples), self.max_sources, 0))
        return self._uniform("shapes", self.max_sources, numbers)

    def vectors(self, table: np.ndarray, num_sources: np.ndarray) -> None:
        """Fill in moments and positions; packing needs the sizes."""
        dim, position = self._columns.dim, self._recipe.sources.position
        uniform = self._uniform("sources", self.max_sources, 2 * dim)
        table[..., :dim] = self._recipe.sources.moment.from_uniform(uniform[..., :dim])
        if isinstance(position, Packed):
            table[..., dim : 2 * dim] = self._packed(position, table, num_sources)
        elif isinstance(position, Lattice):
            sites = self._uniform("lattice", self.max_sources)
            table[..., dim : 2 * dim] = position.from_uniform(sites, uniform[..., dim:])
        else:
            table[..., dim : 2 * dim] = position.from_uniform(uniform[..., dim:])

    def _uniform(self, purpose: Purpose, *shape: int) -> np.ndarray:
        """Uniform numbers of every sample, in an array of this shape for each."""
        seed, first, count = self._recipe.seed, self._samples.start, len(self._samples)
        numbers = uniforms(seed, self._split, purpose, first, count, int(np.prod(shape)))
        return numbers.reshape(count, *shape)

    def _packed(self, packed: Packed, table: np.ndarray, num_sources: np.ndarray) -> np.ndarray:
        dim, first = self._columns.dim, self._samples.start

        def candidates(part: slice, number: int) -> np.ndarray:
            rows = range(len(self._samples))[part]
            item = number * _ROUND + first + rows.start
            size = CANDIDATES * dim
            seed = self._recipe.seed
            uniform = uniforms(seed, self._split, "packing", item, len(rows), size)
            return uniform.reshape(len(rows), CANDIDATES, dim)

        rows = table.reshape(-1, table.shape[2])
        radii = outer_radii(self._columns, rows).reshape(table.shape[:2])
        edges = None
        if packed.shape == "body":
            edges = half_edges(self._columns, rows).reshape(*table.shape[:2], dim, dim)
        positions, placed = pack(radii, num_sources, dim, packed, candidates, edges)
        for sample in np.flatnonzero(placed.sum(axis=1) < num_sources)[:1]:
            taken = volumes(self._columns, table[sample])[placed[sample]].sum()
            raise RecipeError(
                "The bodies of a sample must fit into the box without overlap; got "
                f"{placed[sample].sum()} of {num_sources[sample]} placed, filling "
                f"{taken / (2 * packed.half_width) ** dim:.2g} of the box (split {self._split!r}, "
                f"sample {first + sample}). Lower num_sources, sizes or min_gap, or raise "
                "sources.position.half_width or sources.position.attempts."
            )
        return positions


def _grid(
    recipe: DatasetRecipe,
    columns: SourceColumns,
    split: str,
    index: int,
    rows: np.ndarray,
) -> np.ndarray:
    """The points of a block, whose first sample has the sources `rows`."""
    grid, dim = recipe.grid, columns.dim
    if isinstance(grid, GivenGrid):
        return _given_points(grid, dim)
    if isinstance(grid, RegularGrid):
        return _regular_grid(grid, dim)
    parts, others = [], grid.num_points
    if isinstance(grid, SurfaceGrid):
        near = num_points_near_surfaces(grid)
        numbers = numbers_per_point(dim)
        (uniform,) = uniforms(recipe.seed, split, "surface", index, 1, near * numbers)
        uniform = uniform.reshape(near, numbers)
        parts.append(points_near_surfaces(columns, rows, uniform, grid.distance))
        others -= near
    if others:
        (uniform,) = uniforms(recipe.seed, split, "grid", index, 1, others * dim)
        parts.append(random_grid(uniform.reshape(others, dim), grid.half_width))
    return np.concatenate(parts) if len(parts) > 1 else parts[0]


def num_points_near_surfaces(grid: SurfaceGrid) -> int:
    """Number of points of a grid that are drawn near surfaces."""
    return round(grid.share * grid.num_points)


@lru_cache(maxsize=1)
def _regular_grid(grid: RegularGrid, dim: int) -> np.ndarray:
    with jax.enable_x64(True):
        exact = regular_grid(grid.half_width, grid.resolution, dim, grid.halo)
    points = np.asarray(exact, np.float32)
    points.setflags(write=False)
    return points


@lru_cache(maxsize=1)
def _given_points(grid: GivenGrid, dim: int) -> np.ndarray:
    # Nothing stale is kept, as the plan fills in the sha256 of a file.
    points, _ = given_points(grid, dim)
    points.setflags(write=False)
    return points

"""The kernel (source, point) -> (phi, H) of a split, at some of its sources and points."""

from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from hypermagnetics.data import Block, Split
from hypermagnetics.evaluate.subjects.subject import PotentialAndField, Targets
from hypermagnetics.jax_setup import own_program
from hypermagnetics.shapes import BlockField, BlockPotential, NumSources, SourceTables
from hypermagnetics.sources import SourceColumns
from hypermagnetics.sources.superposition import block_sum

_MAX_POINTS = 512
_MAX_SOURCES = 2048
_SOURCES_PER_CALL = 128
"""Sources per call: the closed forms of boxes keep tens of arrays of (sources, points)."""

_SEED = 0

UnitValues = Callable[[SourceTables, NumSources], tuple[BlockPotential, BlockField]]
"""Maps tables of one row, and their numbers of sources (1 or 0), to potential and field."""


@dataclass(frozen=True)
class Fit:
    """Predictions of a least-squares fit, beside their labels."""

    block: Block
    """All samples of the first block, at the points of the fit."""
    predicted: PotentialAndField
    """Predictions for these samples."""


@dataclass(frozen=True)
class SourceKernel:
    """Potential and field of every source, with a unit moment along each axis, at every point."""

    columns: SourceColumns
    sources: Float[np.ndarray, "sources columns"]
    """The first sources of the split, with their own moments, positions, sizes and rotations."""
    points: Float[np.ndarray, "points dim"]
    unit: PotentialAndField
    """One row for each source and axis of its unit moment: `samples` is sources x dim."""

    def labelled(self, split: Split) -> Block:
        """The samples of the first block of a split, with labels at the points of the kernel."""
        block = split.block(0)
        tables = (jnp.asarray(part) for part in (block.sources, block.num_sources, self.points))
        potential, field = block_sum(self.columns, *tables)
        return Block(
            sources=block.sources,
            num_sources=block.num_sources,
            grid=self.points,
            potential=np.asarray(potential),
            field=np.asarray(field),
        )


def source_kernel(columns: SourceColumns, split: Split) -> SourceKernel:
    """The kernel at the first sources of a split and some points of its first block.

    Args:
        columns: Columns of the source tables.
        split: At most 512 points of its first block, drawn with a fixed seed, and its first 2048
            sources are taken.

    Returns:
        The kernel, computed in float32, in float64.
    """
    grid = split.block(0).grid
    points = grid[np.random.default_rng(_SEED).permutation(len(grid))[:_MAX_POINTS]]
    sources, where = _sources(split), jnp.asarray(points)
    unit = _unit_values(
        columns,
        sources,
        lambda tables, counts: block_sum(columns, tables, counts, where),
    )
    return SourceKernel(columns, sources, points, unit)


def target_kernel(kernel: SourceKernel, targets: Targets) -> PotentialAndField:
    """The target values of the kernel for a model with an exact part.

    Args:
        kernel: The kernel.
        targets: Maps labels to target values.

    Returns:
        As `SourceKernel.unit`.
    """
    columns, where = kernel.columns, jnp.asarray(kernel.points)

    @own_program
    def learned(tables: SourceTables, counts: NumSources) -> tuple[BlockPotential, BlockField]:
        labels = block_sum(columns, tables, counts, where)
        return targets(tables, where, *labels)

    return _unit_values(columns, kernel.sources, learned)


def _sources(split: Split) -> Float[np.ndarray, "sources columns"]:
    """The first sources of a split, without padding."""
    found: list[np.ndarray] = []
    for block in split.blocks():
        used = np.arange(block.sources.shape[1]) < block.num_sources[:, None]
        found.append(block.sources[used])
        if sum(map(len, found)) >= _MAX_SOURCES:
            break
    return np.concatenate(found)[:_MAX_SOURCES]


def _unit_values(
    columns: SourceColumns,
    sources: Float[np.ndarray, "sources columns"],
    of: UnitValues,
) -> PotentialAndField:
    """Potential and field of a unit moment along each axis, in the place of each source."""
    dim = columns.dim
    rows = np.repeat(sources, dim, axis=0)
    rows[:, :dim] = np.tile(np.eye(dim), (len(sources), 1))
    parts = [
        of(jnp.asarray(tables), jnp.asarray(counts))
        for tables, counts in zip(*_in_equal_calls(rows, dim * _SOURCES_PER_CALL), strict=True)
    ]
    potential, field = (
        np.concatenate([np.asarray(part, np.float64) for part in values])[: len(rows)]
        for values in zip(*parts, strict=True)
    )
    return PotentialAndField(potential, field)


def _in_equal_calls(
    rows: Float[np.ndarray, "rows columns"], step: int
) -> tuple[Float[np.ndarray, "calls step 1 columns"], Int[np.ndarray, "calls step"]]:
    """Tables of one row, and their numbers of sources (1 or 0).

    Equal calls need one compilation: the last one is filled up with rows that are no source.
    """
    padded = np.zeros((-(-len(rows) // step), step, 1, rows.shape[1]), rows.dtype)
    padded.reshape(-1, rows.shape[1])[: len(rows)] = rows
    counts = (np.arange(padded.shape[0] * step) < len(rows)).astype(np.int32).reshape(-1, step)
    return padded, counts

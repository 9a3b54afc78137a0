"""The rank-K fit: what K features can do in the least squares, whatever makes their weights."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Float

from hypermagnetics.data import Split
from hypermagnetics.metrics import measure, quantiles
from hypermagnetics.sources import SourceColumns, block_superposition

_MAX_POINTS = 512
_MAX_SOURCES = 2048
_SOURCES_PER_CALL = 128
"""Sources whose kernels are computed at a time: the closed forms of boxes keep tens of arrays of
(sources, points)."""

_SEED = 0


@dataclass(frozen=True)
class RankFloor:
    """The error that K features leave in one quantity."""

    rank: int
    """K."""
    median_relative_error: float
    """Median over the points of the labels, as a fraction."""
    num_points: int
    """Points the features were fitted and tested on."""
    num_sources: int
    """Sources the features were fitted to, each with a unit moment along each axis."""


def rank_floor(columns: SourceColumns, split: Split, rank: int) -> tuple[RankFloor, RankFloor]:
    """The least-squares floor under every model that is additive over sources with K features.

    Such a model, phi(r) = sum_s w(s).f(r) with f(r) of K components, is a rank-K approximation of
    the kernel (source, point) -> (phi, H). The best one in the least-squares sense is spanned by
    the K leading right singular vectors of the kernel matrix; the true labels of the first block
    are projected on them. Potential and field share one set of weights and are divided by their
    root mean squares first, so that both count. The features are fitted to the very points they
    are tested on, so this estimates nothing; and a model trained on another loss than the mean
    square may have a smaller median.

    Args:
        columns: What the columns of the source tables are.
        split: Whose points, sources and labels are used: at most 512 points of the first block, and
            the first 2048 sources, with their positions, sizes and rotations.
        rank: K.

    Returns:
        The floors of potential and field.

    References:
        Eckart, Young, The approximation of one matrix by another of lower rank (1936).
    """
    block = split.block(0)
    chosen = np.random.default_rng(_SEED).permutation(len(block.grid))[:_MAX_POINTS]
    points, sources = block.grid[chosen], _sources(split)
    potential, field = _unit_kernels(columns, sources, points)
    scales = np.sqrt(np.mean(np.square(potential))), np.sqrt(np.mean(np.square(field)))
    basis = _leading_right_vectors(_rows(potential, field, scales), rank)
    truth = block.potential[:, chosen], block.field[:, chosen]
    projected = (_rows(*truth, scales) @ basis) @ basis.T
    num_points = len(points)
    found = (
        projected[:, :num_points] * scales[0],
        projected[:, num_points:].reshape(truth[1].shape) * scales[1],
    )
    potential_floor, field_floor = (
        RankFloor(rank, _median_error(ours, true), num_points, len(sources))
        for ours, true in zip(found, truth, strict=True)
    )
    return potential_floor, field_floor


def _sources(split: Split) -> Float[np.ndarray, "sources columns"]:
    """The first sources of a split, without padding."""
    found: list[np.ndarray] = []
    for block in split.blocks():
        used = np.arange(block.sources.shape[1]) < block.num_sources[:, None]
        found.append(block.sources[used])
        if sum(map(len, found)) >= _MAX_SOURCES:
            break
    return np.concatenate(found)[:_MAX_SOURCES]


def _unit_kernels(
    columns: SourceColumns,
    sources: Float[np.ndarray, "sources columns"],
    points: Float[np.ndarray, "points dim"],
) -> tuple[Float[np.ndarray, "rows points"], Float[np.ndarray, "rows points dim"]]:
    """Potential and field of a unit moment along each axis, in the place of each source."""
    dim = columns.dim
    rows = np.repeat(sources, dim, axis=0)
    rows[:, :dim] = np.tile(np.eye(dim), (len(sources), 1))
    step = dim * _SOURCES_PER_CALL
    # Equal calls need one compilation: the last one is filled up with rows that are no source.
    padded = np.zeros((-(-len(rows) // step), step, 1, rows.shape[1]), rows.dtype)
    padded.reshape(-1, rows.shape[1])[: len(rows)] = rows
    counts = (np.arange(padded.shape[0] * step) < len(rows)).astype(np.int32).reshape(-1, step)
    where = jnp.asarray(points)
    parts = [
        block_superposition(columns, jnp.asarray(tables), jnp.asarray(count), where)
        for tables, count in zip(padded, counts, strict=True)
    ]
    potential, field = (
        np.concatenate([np.asarray(part, np.float64) for part in values])[: len(rows)]
        for values in zip(*parts, strict=True)
    )
    return potential, field


def _rows(
    potential: np.ndarray, field: np.ndarray, scales: tuple[np.floating, np.floating]
) -> Float[np.ndarray, "rows columns"]:
    """Potential and field of each row side by side, each in units of its scale."""
    flat = field.reshape(len(field), -1)
    return np.concatenate([potential / scales[0], flat / scales[1]], axis=1, dtype=np.float64)


def _leading_right_vectors(
    matrix: Float[np.ndarray, "rows columns"], rank: int
) -> Float[np.ndarray, "columns rank"]:
    """The right singular vectors of the largest singular values, all if there are fewer.

    They are the eigenvectors of the Gram matrix, several times cheaper than the decomposition:
    0.6 s for 1536 columns, where no other process uses the cores.
    """
    columns = matrix.shape[1]
    if rank >= columns:
        return np.eye(columns)
    _, vectors = scipy.linalg.eigh(
        matrix.T @ matrix, subset_by_index=[columns - rank, columns - 1], overwrite_a=True
    )
    return np.asarray(vectors)


def _median_error(predicted: np.ndarray, truth: np.ndarray) -> float:
    relative = measure(predicted, truth).relative
    return float(quantiles(relative[~np.isnan(relative)], (0.5,))[0])

"""The rank-K fit: what K features can do in the least squares, whatever makes their weights."""

from dataclasses import dataclass

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Float

from hypermagnetics.data import Split
from hypermagnetics.metrics import measure, quantiles
from hypermagnetics.sources import Kernel, block_superposition

_MAX_POINTS = 512
_MAX_POSITIONS = 2048
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
    num_positions: int
    """Source positions the features were fitted to."""


def rank_floor(kernel: Kernel, split: Split, rank: int) -> tuple[RankFloor, RankFloor]:
    """The least-squares floor under every model that is additive over sources with K features.

    Such a model, phi(r) = sum_s w(s).f(r) with f(r) of K components, is a rank-K approximation of
    the kernel (source, point) -> (phi, H). The best one in the least-squares sense is spanned by
    the K leading right singular vectors of the kernel matrix; the true labels of the first block
    are projected on them. Potential and field share one set of weights and are divided by their
    root mean squares first, so that both count. The features are fitted to the very points they
    are tested on, so this estimates nothing; and a model trained on another loss than the mean
    square may have a smaller median.

    Args:
        kernel: Closed form of the body.
        split: Whose points, source positions and labels are used: at most 512 points of the first
            block, and the first 2048 positions.
        rank: K.

    Returns:
        The floors of potential and field.

    References:
        Eckart, Young, The approximation of one matrix by another of lower rank (1936).
    """
    block = split.block(0)
    chosen = np.random.default_rng(_SEED).permutation(len(block.grid))[:_MAX_POINTS]
    points, positions = block.grid[chosen], _positions(split)
    potential, field = _unit_kernels(kernel, positions, points)
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
        RankFloor(rank, _median_error(ours, true), num_points, len(positions))
        for ours, true in zip(found, truth, strict=True)
    )
    return potential_floor, field_floor


def _positions(split: Split) -> Float[np.ndarray, "positions dim"]:
    dim = split.layout.dim
    found: list[np.ndarray] = []
    for block in split.blocks():
        used = np.arange(block.sources.shape[1]) < block.num_sources[:, None]
        found.append(block.sources[used][:, dim : 2 * dim])
        if sum(map(len, found)) >= _MAX_POSITIONS:
            break
    return np.concatenate(found)[:_MAX_POSITIONS]


def _unit_kernels(
    kernel: Kernel, positions: Float[np.ndarray, "positions dim"], points: np.ndarray
) -> tuple[Float[np.ndarray, "rows points"], Float[np.ndarray, "rows points dim"]]:
    """Potential and field of a unit moment along each axis, at each position."""
    dim = positions.shape[1]
    moments = np.tile(np.eye(dim, dtype=positions.dtype), (len(positions), 1))
    rows = np.concatenate([moments, np.repeat(positions, dim, axis=0)], axis=1)
    single = jnp.asarray(rows[:, None, :])
    potential, field = eqx.filter_jit(block_superposition)(
        kernel, single, jnp.ones(len(rows), jnp.int32), jnp.asarray(points)
    )
    return np.asarray(potential, np.float64), np.asarray(field, np.float64)


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

"""The rank-K floor: the least-squares optimum of K features with arbitrary weights."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Float

from hypermagnetics.data import Block
from hypermagnetics.evaluate.baselines.kernel import Fit, SourceKernel, target_kernel
from hypermagnetics.evaluate.subjects.subject import PotentialAndField, Targets

_Scales = tuple[np.floating, np.floating]


@dataclass(frozen=True)
class RankBasis:
    """The K optimal features of a kernel, as values at its points."""

    scales: _Scales
    vectors: Float[np.ndarray, "values rank"]
    """Orthonormal; potentials at the points and then fields, each in units of its scale."""
    targets: Targets | None
    """Maps labels to the values to be fitted; the labels themselves if None."""

    def fit(self, block: Block) -> Fit:
        """The labels at the points of the kernel, projected on the features.

        Where a part of the model is exact, labels are those of the rest, and the exact part is
        added: errors are relative to the whole truth.

        Args:
            block: Samples, at the points of the kernel.

        Returns:
            The labels, and their projections.
        """
        truth = PotentialAndField(block.potential, block.field)
        wanted = truth if self.targets is None else _wanted(block, self.targets)
        projected = (_rows(wanted, self.scales) @ self.vectors) @ self.vectors.T
        num_points = len(block.grid)
        fitted = PotentialAndField(
            projected[:, :num_points] * self.scales[0],
            projected[:, num_points:].reshape(truth.field.shape) * self.scales[1],
        )
        if self.targets is None:
            return Fit(block, fitted)
        whole = (
            np.asarray(true, np.float64) + (ours - smooth)
            for true, ours, smooth in zip(truth, fitted, wanted, strict=True)
        )
        return Fit(block, PotentialAndField(*whole))


def rank_basis(kernel: SourceKernel, rank: int, targets: Targets | None = None) -> RankBasis:
    """The least-squares floor under every model that is additive over sources with K features.

    Such a model, phi(r) = sum_s w(s).f(r) with f(r) of K components, is a rank-K approximation of
    the kernel (source, point) -> (phi, H). The best one in the least-squares sense is spanned by
    the K leading right singular vectors of the kernel matrix. Potential and field share one set of
    weights and are divided by their root mean squares first, so that both count. The features are
    fitted to the very points they are tested on, so this estimates nothing; and a model trained on
    another loss than the mean square may have a smaller median.

    Args:
        kernel: Sources and points that the features are fitted to.
        rank: K.
        targets: Maps labels to the values to be fitted; the labels themselves if None.

    Returns:
        The features.

    References:
        Eckart, Young, The approximation of one matrix by another of lower rank (1936).
    """
    unit = kernel.unit if targets is None else target_kernel(kernel, targets)
    scales = np.sqrt(np.mean(np.square(unit.potential))), np.sqrt(np.mean(np.square(unit.field)))
    return RankBasis(scales, _leading_right_vectors(_rows(unit, scales), rank), targets)


def _wanted(block: Block, targets: Targets) -> PotentialAndField:
    """Target values of a block, computed from its labels."""
    parts = (block.sources, block.grid, block.potential, block.field)
    found = targets(*(jnp.asarray(part) for part in parts))
    return PotentialAndField(*(np.asarray(part, np.float64) for part in found))


def _rows(values: PotentialAndField, scales: _Scales) -> Float[np.ndarray, "rows columns"]:
    """Potential and field of each row side by side, each in units of its scale."""
    flat = values.field.reshape(len(values.field), -1)
    return np.concatenate(
        [values.potential / scales[0], flat / scales[1]], axis=1, dtype=np.float64
    )


def _leading_right_vectors(
    matrix: Float[np.ndarray, "rows columns"], rank: int
) -> Float[np.ndarray, "columns rank"]:
    """The `rank` leading right singular vectors, or a full basis if there are fewer columns.

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

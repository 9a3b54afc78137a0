"""The linear control: the best affine model, without a network from sources to weights."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from hypermagnetics.data import Block
from hypermagnetics.evaluate.baselines.kernel import Fit, SourceKernel
from hypermagnetics.evaluate.subjects.subject import PotentialAndField
from hypermagnetics.models.inputs import ModelInputs, read_rows
from hypermagnetics.sources import SourceColumns

LINEAR_CONTROL_NAME = "linear control"


@dataclass(frozen=True)
class LinearControl:
    """phi(r) = sum_s [1, m_s, p_s, shape_s].f(r) at some points."""

    columns: SourceColumns
    functions: tuple[Float[np.ndarray, "read points"], Float[np.ndarray, "read field_values"]]
    """f at the points, for the potential and for the field."""

    def fit(self, block: Block) -> Fit:
        """Predict samples at the points of the kernel.

        Args:
            block: Samples, at the points of the kernel it was fitted to.

        Returns:
            The labels, and its predictions.
        """
        used = np.arange(block.sources.shape[1]) < block.num_sources[:, None]
        read = _features(self.columns, block.sources.reshape(-1, self.columns.size))
        read = read.reshape(*used.shape, -1)
        summed = np.einsum("sr,srf->sf", used.astype(np.float64), read)
        predicted = (
            (summed @ functions).reshape(labels.shape)
            for functions, labels in zip(
                self.functions, (block.potential, block.field), strict=True
            )
        )
        return Fit(block, PotentialAndField(*predicted))


def linear_control(kernel: SourceKernel) -> LinearControl:
    """The best model that is affine in the sources: phi(r) = sum_s [1, m_s, p_s, shape_s].f(r).

    Its functions f are free at each point, and fitted in the least squares to single sources with
    their own moments, so no other trunk does better. It reads the same inputs of a source as a
    network; see `read_rows`.

    Args:
        kernel: Sources and points that it is fitted to.

    Returns:
        The model, at the points of the kernel.
    """
    features = _features(kernel.columns, kernel.sources)
    moments = kernel.sources[:, : kernel.columns.dim].astype(np.float64)
    potential, field = (
        _fitted(features, np.einsum("sd,sdv->sv", moments, unit.reshape(*moments.shape, -1)))
        for unit in kernel.unit
    )
    return LinearControl(kernel.columns, (potential, field))


def _features(
    columns: SourceColumns, rows: Float[np.ndarray, "sources columns"]
) -> Float[np.ndarray, "sources features"]:
    """A constant 1, and the network inputs of each source."""
    read = read_rows(ModelInputs(columns=columns), jnp.asarray(rows))
    one = np.ones((len(rows), 1))
    return np.concatenate([one, *(np.asarray(part, np.float64) for part in read)], axis=1)


def _fitted(
    features: Float[np.ndarray, "sources features"], values: Float[np.ndarray, "sources values"]
) -> Float[np.ndarray, "features values"]:
    """The least-squares fit, of minimum norm where features are linearly dependent.

    Features are divided by their root mean squares first: in metres a small size would pass for
    rounding.
    """
    scale = np.sqrt(np.mean(np.square(features), axis=0))
    scale[scale == 0] = 1
    found, *_ = np.linalg.lstsq(features / scale, values, rcond=None)
    fitted: np.ndarray = found / scale[:, None]
    return fitted

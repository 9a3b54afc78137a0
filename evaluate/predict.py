"""What hm-eval asks of a model, and the model's predictions as numpy arrays."""

from typing import Protocol, runtime_checkable

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from hypermagnetics.data import SplitLayout
from hypermagnetics.shapes import BlockField, BlockPotential, Points, SourceTables

_VALUES_PER_CALL = 1 << 22
"""Samples times points predicted at a time, so that a large grid needs no large memory."""


@runtime_checkable
class FieldModel(Protocol):
    """Anything that predicts potential and field at points; every `hypermagnetics.models.Model`."""

    @property
    def dim(self) -> int:
        """Space dimension."""
        ...

    @property
    def source_size(self) -> int:
        """Columns of a source table."""
        ...

    @property
    def source_columns(self) -> tuple[str, ...]:
        """Names of these columns; none if they are not known."""
        ...

    @property
    def codes(self) -> tuple[int, ...]:
        """Codes of the bodies it was trained on, if the source table has a column for them."""
        ...

    @property
    def rank(self) -> int | None:
        """K of a model phi(r) = sum_s w(s).f(r) with K features f; None if it is no such model."""
        ...

    def block(self, sources: SourceTables, points: Points) -> tuple[BlockPotential, BlockField]:
        """Potential [A] and field [A/m] of samples that share their points."""
        ...


def samples_per_call(layout: SplitLayout) -> int:
    """How many samples of a split are predicted at a time: a block, or less on a large grid."""
    return min(layout.samples_per_grid, max(_VALUES_PER_CALL // layout.num_points, 1))


def predict(
    model: FieldModel, sources: np.ndarray, points: np.ndarray, num_samples: int
) -> tuple[np.ndarray, np.ndarray]:
    """Potential and field of samples that share their points.

    Args:
        model: The model.
        sources: Source tables (samples, max_sources, source_size), rows past a sample's number
            of sources zero.
        points: Points of evaluation (points, dim) [m].
        num_samples: Size that the samples are filled up to with empty ones, so that blocks of
            different sizes need one compilation.

    Returns:
        Potential (samples, points) [A] and field (samples, points, dim) [A/m].
    """
    padded = np.zeros((num_samples, *sources.shape[1:]), sources.dtype)
    padded[: len(sources)] = sources
    potential, field = _block(model, jnp.asarray(padded), jnp.asarray(points))
    return np.asarray(potential)[: len(sources)], np.asarray(field)[: len(sources)]


@eqx.filter_jit
def _block(
    model: FieldModel, sources: SourceTables, points: Points
) -> tuple[BlockPotential, BlockField]:
    return model.block(sources, points)

"""Models of this package as subjects."""

from collections.abc import Callable
from functools import cache
from typing import Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy import ndarray

from hypermagnetics.evaluate.subjects.subject import Values, filled_up
from hypermagnetics.jax_setup import own_program
from hypermagnetics.models import Model, NearPart
from hypermagnetics.shapes import BlockField, BlockPotential, Points, SourceTables


@runtime_checkable
class BlockModel(Protocol):
    """A model that JAX can compile, such as every `hypermagnetics.models.Model`."""

    def block(self, sources: SourceTables, points: Points) -> tuple[BlockPotential, BlockField]:
        """Potential [A] and field [A/m] of samples that share their points."""
        ...


class LearnedPart(eqx.Module):
    """A model without its near part; a `BlockModel`."""

    model: Model

    def block(self, sources: SourceTables, points: Points) -> tuple[BlockPotential, BlockField]:
        """The learned part of potential [A] and field [A/m]."""
        learned: tuple[BlockPotential, BlockField] = self.model.learned_block(sources, points)
        return learned


class JaxModel:
    """Predicts a block at a time, compiled once for each shape."""

    def __init__(self, model: BlockModel) -> None:
        """Compile nothing yet."""
        self._model = model

    def predict(
        self,
        sources: Float[ndarray, "samples sources columns"],
        points: Float[ndarray, "points dim"],
        num_samples: int,
    ) -> Values:
        """See `PointModel`."""
        filled = filled_up(sources, num_samples)
        model = self._model
        if isinstance(model, Model) and not model.leaves_domain(filled, points):
            block = _compiled_inner_block()
        else:
            block = _compiled_block()
        potential, field = block(model, jnp.asarray(filled), jnp.asarray(points))
        return Values(np.asarray(potential)[: len(sources)], np.asarray(field)[: len(sources)])


@cache
def _compiled_block() -> Callable[..., tuple[BlockPotential, BlockField]]:
    """One program for all models, made once the platform is known."""

    def block(
        model: BlockModel, sources: SourceTables, points: Points
    ) -> tuple[BlockPotential, BlockField]:
        return model.block(sources, points)

    return own_program(block)


@cache
def _compiled_inner_block() -> Callable[..., tuple[BlockPotential, BlockField]]:
    """The program for blocks that lie in the domain, which does not look at it."""

    def block(
        model: Model, sources: SourceTables, points: Points
    ) -> tuple[BlockPotential, BlockField]:
        return model.inner_block(sources, points)

    return own_program(block)


def exact_pairs(
    near: NearPart,
    sources: Float[ndarray, "samples sources columns"],
    points: Float[ndarray, "points dim"],
    num_samples: int,
) -> int:
    """Number of pairs of source and point that a near part computes exactly.

    Args:
        near: The near part.
        sources: Source tables of samples that share their points.
        points: Points of evaluation [m].
        num_samples: At least the number of samples, as of `PointModel.predict`.

    Returns:
        The number in all samples together.
    """
    filled = jnp.asarray(filled_up(sources, num_samples))
    counts = np.asarray(_compiled_counts()(near, filled, jnp.asarray(points)))
    return int(counts.sum(dtype=np.int64))


@cache
def _compiled_counts() -> Callable[..., Array]:
    """One program for all near parts, made once the platform is known."""

    def counts(near: NearPart, sources: SourceTables, points: Points) -> Array:
        found: Array = jax.lax.map(lambda table: near.exact_points(table, points), sources)
        return found

    return own_program(counts)

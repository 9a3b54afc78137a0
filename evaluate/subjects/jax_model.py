"""Models of this package as subjects."""

from collections.abc import Callable
from functools import cache
from typing import Protocol, runtime_checkable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hypermagnetics.evaluate.subjects.subject import Values, filled_up
from hypermagnetics.jax_setup import own_program
from hypermagnetics.models import Model
from hypermagnetics.shapes import BlockField, BlockPotential, Points, SourceTables


@runtime_checkable
class BlockModel(Protocol):
    """A model that JAX can compile, such as every `hypermagnetics.models.Model`."""

    def block(self, sources: SourceTables, points: Points) -> tuple[BlockPotential, BlockField]:
        """Potential [A] and field [A/m] of samples that share their points."""
        ...


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

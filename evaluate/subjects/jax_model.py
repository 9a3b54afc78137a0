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

from hypermagnetics.evaluate.subjects.subject import PotentialAndField, filled_up
from hypermagnetics.jax_setup import own_program
from hypermagnetics.models import Model
from hypermagnetics.models.outside import Guard
from hypermagnetics.shapes import BlockField, BlockPotential, Points, SourceTable, SourceTables
from hypermagnetics.sources.sums import PAIRS_PER_TILE, over_samples, sums_platform


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
    ) -> PotentialAndField:
        """See `PointModel`."""
        filled = filled_up(sources, num_samples)
        model = self._model
        guard = model.program_guard(filled, points) if isinstance(model, Model) else None
        potential, field = _compiled_block()(model, jnp.asarray(filled), jnp.asarray(points), guard)
        return PotentialAndField(
            np.asarray(potential)[: len(sources)], np.asarray(field)[: len(sources)]
        )

    def slopes(
        self,
        sources: Float[ndarray, "samples sources columns"],
        changes: Float[ndarray, "samples sources columns"],
        points: Float[ndarray, "points dim"],
        num_samples: int,
    ) -> Float[ndarray, "samples points"]:
        """Changes of the potential [A], to first order, as the sources change; see `Slopes`."""
        filled = filled_up(sources, num_samples)
        model = self._model
        guard = model.program_guard(filled, points) if isinstance(model, Model) else None
        moved = filled_up(np.asarray(changes, filled.dtype), num_samples)
        found = _compiled_slopes()(model, *map(jnp.asarray, (filled, moved, points)), guard)
        return np.asarray(found)[: len(sources)]


@cache
def _compiled_slopes() -> Callable[..., BlockPotential]:
    """One program for all models, made once the platform is known."""

    def slopes(
        model: BlockModel,
        sources: SourceTables,
        changes: SourceTables,
        points: Points,
        guard: Guard | None,
    ) -> BlockPotential:
        def potential(tables: SourceTables) -> BlockPotential:
            return _block(model, tables, points, guard)[0]

        found: BlockPotential = jax.jvp(potential, (sources,), (changes,))[1]
        return found

    return own_program(slopes)


@cache
def _compiled_block() -> Callable[..., tuple[BlockPotential, BlockField]]:
    """One program for all models, made once the platform is known."""
    return own_program(_block)


def _block(
    model: BlockModel, sources: SourceTables, points: Points, guard: Guard | None
) -> tuple[BlockPotential, BlockField]:
    if isinstance(model, Model):
        values: tuple[BlockPotential, BlockField] = model.block(sources, points, guard)
        return values
    return model.block(sources, points)


def exact_pairs(
    model: Model,
    sources: Float[ndarray, "samples sources columns"],
    points: Float[ndarray, "points dim"],
    num_samples: int,
) -> int:
    """Number of pairs of source and point that a model computes exactly.

    Args:
        model: The model.
        sources: Source tables of samples that share their points.
        points: Points of evaluation [m].
        num_samples: At least the number of samples, as of `PointModel.predict`.

    Returns:
        The number in all samples together.
    """
    filled = jnp.asarray(filled_up(sources, num_samples))
    counts = np.asarray(_compiled_counts()(model, filled, jnp.asarray(points)))
    return int(counts.sum(dtype=np.int64))


@cache
def _compiled_counts() -> Callable[..., Array]:
    """One program for all models, made once the platform is known."""

    def counts(model: Model, sources: SourceTables, points: Points) -> Array:
        def of_sample(table: SourceTable) -> Array:
            return model.exact_points(table, points)

        pairs = PAIRS_PER_TILE if sums_platform() == "gpu" else 1  # one by one
        each = sources.shape[1] * len(points)
        found: Array = over_samples(of_sample, (sources,), each, pairs)
        return found

    return own_program(counts)

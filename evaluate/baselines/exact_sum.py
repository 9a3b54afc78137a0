"""The exact sum as a subject: the direct sum over closed forms, in the float32 of the models."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from hypermagnetics.evaluate.subjects.subject import (
    PotentialAndField,
    Subject,
    filled_up,
    on_any_split,
)
from hypermagnetics.models import Knowledge
from hypermagnetics.sources import SourceColumns
from hypermagnetics.sources.superposition import block_sum
from hypermagnetics.table import nonzero

EXACT_SUM_NAME = "exact sum"


@dataclass(frozen=True)
class ExactSum:
    """phi(r) = sum_s phi_s(r - r_s) in float32; a `PointModel`."""

    columns: SourceColumns
    """Columns of the source tables."""

    def predict(
        self,
        sources: Float[np.ndarray, "samples sources columns"],
        points: Float[np.ndarray, "points dim"],
        num_samples: int,
    ) -> PotentialAndField:
        """Potential and field of samples that share their points; see `PointModel`."""
        filled = filled_up(np.asarray(sources, np.float32), num_samples)
        tables, counts = sources_first(filled, self.columns.dim)
        where = jnp.asarray(points, jnp.float32)
        found = block_sum(self.columns, jnp.asarray(tables), jnp.asarray(counts), where)
        potential, field = (np.asarray(values)[: len(sources)] for values in found)
        return PotentialAndField(potential, field)


def exact_sum(columns: SourceColumns) -> Subject:
    """The direct sum: a reference for rounding errors in float32 and for times.

    Args:
        columns: Columns of the source tables.

    Returns:
        The subject; its memory is bounded for any number of sources and points.
    """
    model = ExactSum(columns)
    return Subject(
        name=EXACT_SUM_NAME,
        kind="baseline",
        place="the sum over the closed forms of the bodies, in JAX and float32",
        on_split=on_any_split(model),
        model=model,
        knowledge=Knowledge.BASELINE,
    )


def sources_first(
    sources: Float[np.ndarray, "samples sources columns"], dim: int
) -> tuple[Float[np.ndarray, "samples sources columns"], Int[np.ndarray, " samples"]]:
    """Move rows of zero moment, which are no sources, behind all others.

    Args:
        sources: Source tables.
        dim: Number of columns, the first ones, that are the moment.

    Returns:
        The tables, and how many rows of each are sources.
    """
    used = nonzero(sources[..., :dim])
    order = np.argsort(~used, axis=1, kind="stable")
    ordered = np.take_along_axis(sources, order[..., None], axis=1)
    return ordered, used.sum(axis=1).astype(np.int32)

"""A model on a batch, as the terms of an objective look at it."""

from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, UInt8

from hypermagnetics.models import Model
from hypermagnetics.shapes import BlockField, BlockPotential, SourceTables
from hypermagnetics.sources import SourceColumns, region_codes
from hypermagnetics.train.devices import AnyDeviceBatch, DeviceBatch
from hypermagnetics.train.losses.loss import Values

ErrorSlopes = Callable[
    [SourceTables, BlockPotential, BlockField], tuple[BlockPotential, BlockField]
]
"""Change of the errors of potential [A] and field [A/m] of a block, of changes of each entry of its
source tables and of its labels; of samples that do not count, any numbers."""


class Evaluation:
    """A model on a batch, with the values that several terms share, computed when first needed.

    It lives as long as one trace of JAX. A term that computes inside of a further transformation
    asks for these values before, so that none of them belongs to that transformation.
    """

    def __init__(
        self,
        model: Model,
        batch: DeviceBatch,
        columns: SourceColumns | None,
        *,
        differentiates: bool = False,
    ) -> None:
        """Store the parts.

        Args:
            model: The model.
            batch: The samples.
            columns: Columns of the source tables; needed by terms that ask for regions.
            differentiates: Whether a term asks for `error_slopes`, which share a pass through the
                model with the errors.
        """
        self.model, self.batch, self._columns = model, batch, columns
        self._differentiates = differentiates

    @cached_property
    def counts(self) -> Bool[Array, "blocks samples"]:
        """Mask of the samples; all others fill up a block."""
        return counted(self.batch)

    @cached_property
    def errors(
        self,
    ) -> tuple[Float[Array, "blocks samples points 1"], Float[Array, "blocks samples points dim"]]:
        """Errors of the learned part, of potential [A] and field [A/m]; 0 where nothing counts."""
        batch = self.batch
        # A loop over the few blocks, not a vmap: on CPU the reverse pass through batched products
        # takes twice as long.
        blocks = zip(batch.sources, batch.grid, batch.potential, batch.field, strict=True)
        if self._differentiates:
            errors = [both.errors for both in self._linearised]
        else:
            errors = [self.model.errors(*block) for block in blocks]
        potential = jnp.stack([values for values, _ in errors])[..., None]
        field = jnp.stack([values for _, values in errors])
        return self.masked(potential), self.masked(field)

    def error_slopes(self, block: int) -> ErrorSlopes:
        """Change of the errors of a block, to first order, as its bodies change; see `ErrorSlopes`.

        Args:
            block: Number of the block.
        """
        assert self._differentiates, "a term that asks for slopes says so"
        return self._linearised[block].slopes

    @cached_property
    def _linearised(self) -> "list[_Linearised]":
        """The errors of each block, with their derivatives: one pass through the model for both."""
        batch, found = self.batch, []
        for i, points in enumerate(batch.grid):
            found.append(
                _Linearised(
                    *jax.linearize(
                        lambda tables, *labels, at=points: self.model.errors(tables, at, *labels),
                        *(batch.sources[i], batch.potential[i], batch.field[i]),
                    )
                )
            )
        return found

    @cached_property
    def region_codes(self) -> UInt8[Array, "blocks samples points"]:
        """Region of each point; see `hypermagnetics.sources.region_codes`."""
        assert self._columns is not None, "weights of regions need the columns"
        return region_codes(self._columns, self.batch.sources, self.batch.grid)

    def masked(self, values: Values) -> Values:
        """The values, with 0 for samples that fill up a block.

        Before the losses too: a user's loss may have no gradient at zero error or truth, and a NaN
        there would reach the parameters.
        """
        return jnp.where(self.counts[..., None, None], values, 0)


class _Linearised(NamedTuple):
    """Errors of a block, and their change for changes of source tables and labels."""

    errors: tuple[BlockPotential, BlockField]
    slopes: ErrorSlopes


def counted(batch: AnyDeviceBatch) -> Bool[Array, "blocks samples"]:
    """Mask of the samples of a batch; all others fill up a block."""
    return jnp.arange(batch.room[1])[None] < batch.num_samples[:, None]

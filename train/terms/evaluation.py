"""A model on a batch, as the terms of an objective look at it."""

from functools import cached_property

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, UInt8

from hypermagnetics.models import Model
from hypermagnetics.sources import SourceColumns, region_codes
from hypermagnetics.train.devices import AnyDeviceBatch, DeviceBatch
from hypermagnetics.train.losses.loss import Values


class Evaluation:
    """A model on a batch, with the values that several terms share, computed when first needed.

    It lives as long as one trace of JAX. A term that computes inside of a further transformation
    asks for these values before, so that none of them belongs to that transformation.
    """

    def __init__(self, model: Model, batch: DeviceBatch, columns: SourceColumns | None) -> None:
        """Store the parts.

        Args:
            model: The model.
            batch: The samples.
            columns: Columns of the source tables; needed by terms that ask for regions.
        """
        self.model, self.batch, self._columns = model, batch, columns

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
        errors = [self.model.errors(*block) for block in blocks]
        potential = jnp.stack([values for values, _ in errors])[..., None]
        field = jnp.stack([values for _, values in errors])
        return self.masked(potential), self.masked(field)

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


def counted(batch: AnyDeviceBatch) -> Bool[Array, "blocks samples"]:
    """Mask of the samples of a batch; all others fill up a block."""
    return jnp.arange(batch.room[1])[None] < batch.num_samples[:, None]

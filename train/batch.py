"""Batches on the device."""

from collections.abc import Callable

import equinox as eqx
from jaxtyping import Array, Float, Int


class DeviceBatch(eqx.Module):
    """Blocks on the device; see `hypermagnetics.data.Batch`."""

    sources: Float[Array, "blocks samples sources columns"]
    num_samples: Int[Array, " blocks"]
    grid: Float[Array, "blocks points dim"]
    potential: Float[Array, "blocks samples points"]
    field: Float[Array, "blocks samples points dim"]


Augmentation = Callable[[DeviceBatch, Int[Array, ""]], DeviceBatch]
"""From a batch, and the number of steps of the whole training before it, to what the step sees."""


def unchanged(batch: DeviceBatch, number: Int[Array, ""]) -> DeviceBatch:
    """The batch as it is."""
    return batch

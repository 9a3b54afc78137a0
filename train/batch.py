"""Batches on the device."""

from collections.abc import Callable

import equinox as eqx
from jaxtyping import Array, Float, Int


class DeviceBatch(eqx.Module):
    """Blocks on the device; see `hypermagnetics.data.Batch`. Leading axes may stack batches."""

    sources: Float[Array, "*stack blocks samples sources columns"]
    num_samples: Int[Array, "*stack blocks"]
    grid: Float[Array, "*stack blocks points dim"]
    potential: Float[Array, "*stack blocks samples points"]
    field: Float[Array, "*stack blocks samples points dim"]


Augmentation = Callable[[DeviceBatch, Int[Array, ""]], DeviceBatch]
"""Map from a batch and the number of steps of the whole training before it to the changed batch."""


def unchanged(batch: DeviceBatch, number: Int[Array, ""]) -> DeviceBatch:
    """The batch as it is."""
    return batch

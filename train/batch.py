"""Batches on the device."""

import equinox as eqx
from jaxtyping import Array, Float, Int


class DeviceBatch(eqx.Module):
    """Blocks on the device; see `hypermagnetics.data.Batch`."""

    sources: Float[Array, "blocks samples sources columns"]
    num_samples: Int[Array, " blocks"]
    grid: Float[Array, "blocks points dim"]
    potential: Float[Array, "blocks samples points"]
    field: Float[Array, "blocks samples points dim"]

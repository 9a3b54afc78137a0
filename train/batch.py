"""Batches on the device."""

import equinox as eqx
from jaxtyping import Array, Float, Int


class DeviceBatch(eqx.Module):
    """Blocks on the device; see `hypermagnetics.data.Batch`. Leading axes may stack batches."""

    sources: Float[Array, "*stack blocks samples sources columns"]
    num_samples: Int[Array, "*stack blocks"]
    grid: Float[Array, "*stack blocks points dim"]
    potential: Float[Array, "*stack blocks samples points"]
    field: Float[Array, "*stack blocks samples points dim"]

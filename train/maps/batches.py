"""Batches of maps, made on the device of the batches of a feed."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from hypermagnetics.data.array_view import Role
from hypermagnetics.models import MapFrame
from hypermagnetics.models.map_arrays import SourceMaps, maps_of_arrays
from hypermagnetics.train.devices import (
    AnyDeviceBatch,
    ArrayDeviceBatch,
    Augmentation,
    DeviceBatch,
)


def to_maps_of_sources(maps: SourceMaps, augment: Augmentation) -> Augmentation:
    """Augmentation that also makes the maps of sources.

    Args:
        maps: The maps.
        augment: Augmentation of the sources before it.
    """

    def made(batch: AnyDeviceBatch, number: Int[Array, ""]) -> AnyDeviceBatch:
        found = augment(batch, number)
        assert isinstance(found, DeviceBatch), "they are of sources"
        inputs, targets = jax.vmap(maps.of_block)(
            found.sources, found.grid, found.potential, found.field
        )
        counts = found.num_samples
        both: dict[Role, Array] = {"inputs": inputs, "targets": targets}
        return ArrayDeviceBatch(both, counts, counts, jnp.zeros_like(counts), found.keys)

    return made


def to_maps_of_arrays(frame: MapFrame) -> Augmentation:
    """Augmentation that makes the maps of imported arrays.

    Args:
        frame: The grids.
    """

    def made(batch: AnyDeviceBatch, number: Int[Array, ""]) -> AnyDeviceBatch:
        assert isinstance(batch, ArrayDeviceBatch), "they are arrays"
        arrays = batch.arrays
        inputs, targets = jax.vmap(lambda *one: maps_of_arrays(frame, *one))(
            arrays["inputs"], arrays["targets"]
        )
        both: dict[Role, Array] = {"inputs": inputs, "targets": targets}
        return ArrayDeviceBatch(
            both, batch.num_samples, batch.num_complete, batch.numbers, batch.keys
        )

    return made

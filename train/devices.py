"""Batches on the devices of this process, which share their samples."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar, overload

import equinox as eqx
import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float, Int, UInt32

from hypermagnetics.data import Batch
from hypermagnetics.data.array_view import ArrayBatch, Role
from hypermagnetics.errors import RecipeError

_AXIS = "samples"
_Parts = tuple[dict[Role, np.ndarray], np.ndarray, np.ndarray, np.ndarray]
_Places = tuple[dict[Role, NamedSharding], NamedSharding, NamedSharding, NamedSharding]
_Tree = TypeVar("_Tree")


class DeviceBatch(eqx.Module):
    """Blocks on the device; see `hypermagnetics.data.Batch`. Leading axes may stack batches."""

    sources: Float[Array, "*stack blocks samples sources columns"]
    num_samples: Int[Array, "*stack blocks"]
    grid: Float[Array, "*stack blocks points dim"]
    potential: Float[Array, "*stack blocks samples points"]
    field: Float[Array, "*stack blocks samples points dim"]
    keys: UInt32[Array, "*stack blocks samples words"] | None = None
    """Random key of each sample in a step, if anything draws; see `train.sample_keys`."""

    @property
    def room(self) -> tuple[int, int]:
        """Number of blocks, and of samples that each has room for."""
        return self.sources.shape[0], self.sources.shape[1]


class ArrayDeviceBatch(eqx.Module):
    """Blocks of arrays on the device; see `hypermagnetics.data.array_view.ArrayBatch`.

    Leading axes may stack batches.
    """

    arrays: dict[Role, Float[Array, "..."]]
    num_samples: Int[Array, "*stack blocks"]
    num_complete: Int[Array, "*stack blocks"]
    numbers: Int[Array, "*stack blocks"]
    keys: UInt32[Array, "*stack blocks samples words"] | None = None
    """Random key of each sample in a step, if anything draws; see `train.sample_keys`."""

    @property
    def room(self) -> tuple[int, int]:
        """Number of blocks, and of samples that each has room for."""
        some = next(iter(self.arrays.values()))
        return some.shape[0], some.shape[1]


AnyBatch = Batch | ArrayBatch
AnyDeviceBatch = DeviceBatch | ArrayDeviceBatch

Augmentation = Callable[[AnyDeviceBatch, Int[Array, ""]], AnyDeviceBatch]
"""Map from a batch and the number of steps of the whole training before it to the changed batch."""


def unchanged(batch: AnyDeviceBatch, number: Int[Array, ""]) -> AnyDeviceBatch:
    """The batch as it is."""
    return batch


@dataclass(frozen=True)
class Devices:
    """Some devices, each of which holds the state and a share of the samples of a batch."""

    mesh: Mesh

    @classmethod
    def local(cls, count: int | None) -> "Devices":
        """The first devices of this process.

        Args:
            count: Number of devices; all if None.

        Returns:
            The devices.

        Raises:
            RecipeError: If there are fewer.
        """
        found = jax.local_devices()
        if count is not None and count > len(found):
            raise RecipeError(
                f"'compute.devices' must be at most {len(found)}, the devices of this process; got "
                f"{count} ({found[0].platform}). Lower it, or leave it out to take all."
            )
        return cls(Mesh(np.array(found[:count]), (_AXIS,)))

    def __len__(self) -> int:
        """Number of devices."""
        return self.mesh.size

    @property
    def in_words(self) -> str:
        """Kind and number of the devices, as in "cpu (1 device)"."""
        count = len(self)
        return f"{self.mesh.devices.flat[0].device_kind} ({count} device{'s' * (count > 1)})"

    @property
    def everywhere(self) -> NamedSharding:
        """A copy on each device."""
        return NamedSharding(self.mesh, PartitionSpec())

    def copies(self, tree: _Tree) -> _Tree:
        """The arrays of a tree on each device."""
        placed: _Tree = jax.tree.map(
            lambda leaf: (
                jax.device_put(leaf, self.everywhere) if isinstance(leaf, jax.Array) else leaf
            ),
            tree,
        )
        return placed

    @overload
    def take(self, batch: Batch) -> DeviceBatch: ...

    @overload
    def take(self, batch: ArrayBatch) -> ArrayDeviceBatch: ...

    @overload
    def take(self, batch: AnyBatch) -> AnyDeviceBatch: ...

    def take(self, batch: AnyBatch) -> AnyDeviceBatch:
        """Move a batch to the devices; its samples are filled up to divide among them."""
        if isinstance(batch, ArrayBatch):
            arrays = {role: self._filled(values) for role, values in batch.arrays.items()}
            counts = batch.num_samples, batch.num_complete, batch.numbers
            return ArrayDeviceBatch(*jax.device_put(*self._placed(arrays, counts)))
        return DeviceBatch(*jax.device_put(self._arrays(batch), self._places(None)))

    def take_stacked(self, batches: Sequence[AnyBatch], most: int) -> AnyDeviceBatch:
        """Move batches to the devices, stacked along a first axis.

        Args:
            batches: The batches, of one shape.
            most: Length of that axis; what is behind the batches is zero.

        Returns:
            The batches.
        """
        of_arrays = [batch for batch in batches if isinstance(batch, ArrayBatch)]
        if of_arrays:
            arrays = {
                role: _stacked([self._filled(one.arrays[role]) for one in of_arrays], most)
                for role in of_arrays[0].arrays
            }
            parts = [(one.num_samples, one.num_complete, one.numbers) for one in of_arrays]
            first, second, third = (_stacked(each, most) for each in zip(*parts, strict=True))
            counts = first, second, third
            return ArrayDeviceBatch(*jax.device_put(*self._placed(arrays, counts, None)))
        of_sources = [self._arrays(batch) for batch in batches if isinstance(batch, Batch)]
        stacked = [_stacked(values, most) for values in zip(*of_sources, strict=True)]
        return DeviceBatch(*jax.device_put(stacked, list(self._places(None, None))))

    def _placed(
        self,
        arrays: Mapping[Role, np.ndarray],
        counts: tuple[np.ndarray, np.ndarray, np.ndarray],
        *stack: None,
    ) -> tuple[_Parts, _Places]:
        """The parts of a batch of arrays, and the place of each."""
        divided = NamedSharding(self.mesh, PartitionSpec(*stack, None, _AXIS))
        copied = (self.everywhere,) * 3
        return (dict(arrays), *counts), (dict.fromkeys(arrays, divided), *copied)

    def _places(self, *leading: None) -> tuple[NamedSharding, ...]:
        divided = NamedSharding(self.mesh, PartitionSpec(*leading, _AXIS))
        return (divided, self.everywhere, self.everywhere, divided, divided)

    def _arrays(self, batch: Batch) -> tuple[np.ndarray, ...]:
        return (
            self._filled(batch.sources),
            batch.num_samples,
            batch.grid,
            self._filled(batch.potential),
            self._filled(batch.field),
        )

    def _filled(self, values: np.ndarray) -> np.ndarray:
        missing = -values.shape[1] % len(self)
        if not missing:
            return values
        return np.pad(values, ((0, 0), (0, missing), *((0, 0),) * (values.ndim - 2)))


def _stacked(values: Sequence[np.ndarray], length: int) -> np.ndarray:
    if length == 1:  # a view of mapped files stays one
        return values[0][None]
    stacked = np.zeros((length, *values[0].shape), values[0].dtype)
    np.stack(values, out=stacked[: len(values)])
    return stacked

"""Batches on devices, which share their blocks and samples."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar, overload

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float, Int, PyTree, UInt32

from hypermagnetics.data import Batch, Share
from hypermagnetics.data.array_view import ArrayBatch, Role
from hypermagnetics.errors import RecipeError

BLOCKS: Literal["blocks"] = "blocks"
SAMPLES: Literal["samples"] = "samples"
"""Axes of a grid of devices."""

_OF_BLOCKS = ("num_samples", "num_complete", "numbers", "grid")
"""Arrays of a batch without an axis of samples."""

_Parts = tuple[Any, ...]
"""Arrays of a batch, in the order of its fields; those by role in a dictionary."""
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
    """Some devices, each of which holds the state and a share of a batch.

    They are a grid: a row has some blocks of a batch, and each device of a row some of their
    samples.
    """

    mesh: Mesh

    @classmethod
    def local(cls, count: int | None) -> "Devices":
        """The first devices of this process, in one row.

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
        return cls(Mesh(np.array(found[:count])[None], (BLOCKS, SAMPLES)))

    @classmethod
    def of_batches(cls, count: int | None, blocks: int) -> "Devices":
        """Devices of all processes, in the grid that repeats the least work.

        What is computed once for a block, as features of its points, is computed by each device
        that has some of its samples. So blocks are divided first, and samples only where there are
        more devices than blocks, or as many as do not divide them. Processes come first, too: a row
        has several of them only where there are more of them than blocks.

        Args:
            count: Number of devices of each process; all if None.
            blocks: Number of blocks of a batch, a multiple or a divisor of the processes.

        Returns:
            The devices.

        Raises:
            RecipeError: If a process has fewer, or another number than this one.
        """
        own = list(cls.local(count).mesh.devices.flat)
        processes = [
            [device for device in jax.devices() if device.process_index == index][:count]
            for index in range(jax.process_count())
        ]
        for index, found in enumerate(processes):
            if len(found) != len(own):
                raise RecipeError(
                    "The processes of a training must have equally many devices; got "
                    f"{len(own)} of process {jax.process_index()} and {len(found)} of process "
                    f"{index}. Set compute.devices to the smaller number, or start them alike."
                )
        rows = math.gcd(blocks, len(processes))
        if rows == len(processes):
            rows *= math.gcd(blocks // rows, len(own))
        return cls(Mesh(np.array(processes).reshape(rows, -1), (BLOCKS, SAMPLES)))

    def __len__(self) -> int:
        """Number of devices."""
        return self.mesh.size

    @property
    def in_words(self) -> str:
        """Kind and number of the devices of a process, as in "cpu (1 device)"."""
        count = len(self.own)
        words = f"{count} device{'s' * (count > 1)}"
        if jax.process_count() > 1:
            words += f" in each of {jax.process_count()} processes"
        return f"{self.mesh.devices.flat[0].device_kind} ({words})"

    @property
    def everywhere(self) -> NamedSharding:
        """A copy on each device."""
        return NamedSharding(self.mesh, PartitionSpec())

    @property
    def own(self) -> "Devices":
        """Those of this process, in one row."""
        every = self.mesh.devices.flat
        found = [one for one in every if one.process_index == jax.process_index()]
        return Devices(Mesh(np.array(found)[None], (BLOCKS, SAMPLES)))

    def own_copy(self, tree: _Tree) -> _Tree:
        """The arrays of a tree, which are on each device, as computed with by this process alone.

        Args:
            tree: Arrays on all devices, such as `copies` gives.
        """
        if self._are_own:
            return tree
        everywhere = self.own.everywhere
        copied: _Tree = jax.tree.map(
            lambda leaf: (
                jax.device_put(leaf.addressable_data(0), everywhere) if eqx.is_array(leaf) else leaf
            ),
            tree,
        )
        return copied

    @property
    def share(self) -> Share:
        """Share of this process in the blocks of a batch, which those of a row have in common."""
        if self._are_own:
            return Share()
        in_row = self._processes_in_row
        return Share(jax.process_index() // in_row, jax.process_count() // in_row)

    def copied(self, values: np.ndarray) -> jax.Array:
        """An array that all processes have, on each device."""
        copy: jax.Array = self._put(values, self.everywhere)
        return copy

    def copies(self, tree: _Tree) -> _Tree:
        """The arrays of a tree on each device; of several processes, those of the first."""
        arrays, rest = eqx.partition(tree, eqx.is_array)
        if self._are_own:
            placed = jax.device_put(arrays, self.everywhere)
        else:
            # Processors of another kind may have rounded otherwise.
            first = multihost_utils.broadcast_one_to_all(jax.tree.map(np.asarray, arrays))
            placed = jax.tree.map(lambda leaf: self.copied(np.asarray(leaf)), first)
        copied: _Tree = eqx.combine(placed, rest)
        return copied

    @overload
    def take(self, batch: Batch) -> DeviceBatch: ...

    @overload
    def take(self, batch: ArrayBatch) -> ArrayDeviceBatch: ...

    @overload
    def take(self, batch: AnyBatch) -> AnyDeviceBatch: ...

    def take(self, batch: AnyBatch) -> AnyDeviceBatch:
        """Move a batch to the devices; each process gives the blocks of its rows.

        Samples are filled up to divide among the devices of a row. Processes that share a row give
        its blocks, too, of which each keeps its own samples.
        """
        return self._moved(batch, self._parts(batch), BLOCKS)

    def hold(self, batch: AnyBatch) -> AnyDeviceBatch:
        """Move blocks to the devices; each row has all of them."""
        return self._moved(batch, self._parts(batch), None)

    def take_stacked(self, batches: Sequence[AnyBatch], most: int) -> AnyDeviceBatch:
        """Move batches to the devices, stacked along a first axis.

        Args:
            batches: The batches, of one shape.
            most: Length of that axis; what is behind the batches is zero.

        Returns:
            The batches.
        """
        every = map(self._parts, batches)
        stacked = jax.tree.map(lambda *values: _stacked(values, most), *every)
        return self._moved(batches[0], stacked, None, BLOCKS)

    def _parts(self, batch: AnyBatch) -> _Parts:
        """The arrays of a batch, filled up."""
        if isinstance(batch, ArrayBatch):
            arrays = {role: self._filled(values) for role, values in batch.arrays.items()}
            return arrays, batch.num_samples, batch.num_complete, batch.numbers
        sources, potential, field = map(self._filled, (batch.sources, batch.potential, batch.field))
        return sources, batch.num_samples, batch.grid, potential, field

    def _moved(
        self, kind: AnyBatch, parts: _Parts, *leading: Literal["blocks"] | None
    ) -> AnyDeviceBatch:
        """Move the arrays of a batch, whose leading axes are divided as named."""
        of_blocks = NamedSharding(self.mesh, PartitionSpec(*leading))
        of_samples = NamedSharding(self.mesh, PartitionSpec(*leading, SAMPLES))
        if isinstance(kind, ArrayBatch):
            roles = dict.fromkeys(kind.arrays, of_samples)
            return ArrayDeviceBatch(*self._put(parts, (roles, of_blocks, of_blocks, of_blocks)))
        places = of_samples, of_blocks, of_blocks, of_samples, of_samples
        return DeviceBatch(*self._put(parts, places))

    @property
    def _processes_in_row(self) -> int:
        """Number of processes that share the samples of the blocks of a row."""
        return len({one.process_index for one in self.mesh.devices[0]})

    @property
    def _are_own(self) -> bool:
        """Whether all are of this process."""
        return all(one.process_index == jax.process_index() for one in self.mesh.devices.flat)

    def _put(self, values: PyTree[np.ndarray], places: PyTree[NamedSharding]) -> Any:
        """Arrays in their places; of those that are divided, each process gives its own part."""
        if self._are_own:
            return jax.device_put(values, places)

        def put(place: NamedSharding, array: np.ndarray) -> jax.Array:
            own = self._own_samples(place, array)
            placed: jax.Array = jax.make_array_from_process_local_data(place, own)
            return placed

        return jax.tree.map(put, places, values)

    def _own_samples(self, place: NamedSharding, values: np.ndarray) -> np.ndarray:
        """The samples of this process among those of its row."""
        if SAMPLES not in place.spec:
            return values
        axis, in_row = place.spec.index(SAMPLES), self._processes_in_row
        rank = jax.process_index() % in_row
        return np.split(values, in_row, axis)[rank]

    def _filled(self, values: np.ndarray) -> np.ndarray:
        missing = -values.shape[1] % self.mesh.shape[SAMPLES]
        if not missing:
            return values
        return np.pad(values, ((0, 0), (0, missing), *((0, 0),) * (values.ndim - 2)))


def divisions(batch: AnyDeviceBatch) -> PyTree[PartitionSpec]:
    """Division of each array of a batch among a grid of devices, in the form of the batch."""

    def of(path: tuple[jax.tree_util.GetAttrKey, ...], leaf: jax.Array) -> PartitionSpec:
        has_samples = path[0].name not in _OF_BLOCKS
        return PartitionSpec(BLOCKS, SAMPLES) if has_samples else PartitionSpec(BLOCKS)

    return jax.tree_util.tree_map_with_path(of, batch)


def own_share(batch: AnyDeviceBatch) -> AnyDeviceBatch:
    """The share of a device in a batch that is divided by `divisions`, with its own counts.

    Args:
        batch: Arrays of the device; counts are those of whole blocks.

    Returns:
        The batch, with the number of samples that this device has of each block.
    """
    here = batch.room[1]
    before = jax.lax.axis_index(SAMPLES) * here

    def own(counts: jax.Array) -> jax.Array:
        return jnp.clip(counts - before, 0, here).astype(counts.dtype)

    if isinstance(batch, ArrayDeviceBatch):
        complete = own(batch.num_complete)
        return replace(batch, num_samples=own(batch.num_samples), num_complete=complete)
    return replace(batch, num_samples=own(batch.num_samples))


def _stacked(values: Sequence[np.ndarray], length: int) -> np.ndarray:
    if length == 1:  # a view of mapped files stays one
        return values[0][None]
    stacked = np.zeros((length, *values[0].shape), values[0].dtype)
    np.stack(values, out=stacked[: len(values)])
    return stacked

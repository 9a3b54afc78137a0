"""Gradient of a batch, part by part on several devices or where it does not fit as a whole."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, assert_never

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec
from jaxtyping import PyTree

from hypermagnetics.models import AnyModel
from hypermagnetics.train.config.run import SumOrder
from hypermagnetics.train.devices import (
    BLOCKS,
    SAMPLES,
    AnyDeviceBatch,
    ArrayDeviceBatch,
    DeviceBatch,
    Devices,
    divisions,
    own_share,
)
from hypermagnetics.train.objective import Losses, Objective, Sums


def loss_and_gradient(
    objective: Objective,
    model: AnyModel,
    batch: AnyDeviceBatch,
    trained: PyTree[bool],
    chunks: int,
    devices: Devices | None = None,
    order: SumOrder = "at-once",
) -> tuple[Losses, AnyModel]:
    """Loss of a batch and its gradient.

    A loss is a function of sums over samples, so sums over any parts of them add up to it: those of
    devices, and those of chunks, which go through the model of a device one after another. If the
    loss is no sum itself, two passes through the parts give its gradient: the first the sums, and
    with them the derivative of the loss by each; the second the gradient of the sums times these
    derivatives.

    Args:
        objective: The loss.
        model: The model.
        batch: The samples.
        trained: Mask of the leaves that have a gradient.
        chunks: Number of parts of the samples of a block on a device.
        devices: The devices that the batch is divided among; None for one alone.
        order: "by-block" adds block after block, in the order of the batch, so that the same bits
            come out for any number of devices that divides the blocks. Losses that are no sum need
            a reference of the batch, which has rounding of its own.

    Returns:
        The losses, and the gradient as a model with None for all that is not trained.
    """
    count = jnp.maximum(jnp.sum(batch.num_samples), 1)
    free, fixed = eqx.partition(model, trained)
    if devices is None or len(devices) == 1:
        first = batch if chunks == 1 else jax.tree.map(lambda a: a[0], divided(batch, chunks))
        reference = objective.reference(model, first)
        parts = _Parts(objective, free, fixed, batch, reference, chunks, order, None)
        return parts.loss_and_gradient(count)
    reference = objective.reference(model, batch)
    of_fixed, rest = eqx.partition(fixed, eqx.is_array)
    copied = PartitionSpec()

    def of_device(
        free: AnyModel,
        of_fixed: AnyModel,
        batch: AnyDeviceBatch,
        reference: jax.Array | None,
        count: jax.Array,
    ) -> tuple[Losses, AnyModel]:
        fixed, own = eqx.combine(of_fixed, rest), own_share(batch)
        parts = _Parts(objective, free, fixed, own, reference, chunks, order, devices)
        return parts.loss_and_gradient(count)

    # check_vma=False: `_Parts` adds every result over the devices explicitly, so JAX need not infer
    # which values are the same on all devices.
    divided_among = jax.shard_map(
        of_device,
        mesh=devices.mesh,
        in_specs=(copied, copied, divisions(batch), copied, copied),
        out_specs=copied,
        check_vma=False,
    )
    found: tuple[Losses, AnyModel] = divided_among(free, of_fixed, batch, reference, count)
    return found


_OfPart = Callable[[AnyModel, AnyDeviceBatch], Any]
"""A function of the free leaves of a model and a part of a batch, which is to be added."""


@dataclass(frozen=True)
class _Parts:
    """The samples of one device, in chunks, and the sums over all devices."""

    objective: Objective
    free: AnyModel
    fixed: AnyModel
    batch: AnyDeviceBatch
    reference: jax.Array | None
    chunks: int
    order: SumOrder
    devices: Devices | None
    """The devices, one of which this is; None if it is alone."""

    def loss_and_gradient(self, count: jax.Array) -> tuple[Losses, AnyModel]:
        """Loss of `count` samples, those of all devices, and its gradient."""

        def of_part(free: AnyModel, part: AnyDeviceBatch) -> tuple[jax.Array, Losses]:
            losses = self.objective.of_sums(self._sums(free, part), count)
            return losses.total, losses

        is_one_part = self.chunks == 1 and self.order == "at-once" and self.devices is None
        if self.objective.is_additive or is_one_part:
            gradient, losses = self._added(eqx.filter_grad(of_part, has_aux=True))
            return losses, gradient
        sums = self._added(self._sums)

        def of_all(sums: Sums) -> tuple[jax.Array, Losses]:
            losses = self.objective.of_sums(sums, count)
            return losses.total, losses

        slopes, losses = jax.grad(of_all, has_aux=True)(sums)

        def along_slopes(free: AnyModel, part: AnyDeviceBatch) -> jax.Array:
            products = jax.tree.map(lambda s, c: jnp.sum(s * c), self._sums(free, part), slopes)
            return sum(jax.tree.leaves(products), jnp.zeros(()))

        return losses, self._added(eqx.filter_grad(along_slopes))

    def _sums(self, free: AnyModel, part: AnyDeviceBatch) -> Sums:
        return self.objective.sums(eqx.combine(free, self.fixed), part, self.reference)

    def _added(self, function: _OfPart) -> Any:
        """A function of the free leaves and a part, added over all parts."""
        match self.order:
            case "at-once":
                found = self._added_in_chunks(function, self.batch)
                return found if self.devices is None else jax.lax.psum(found, (BLOCKS, SAMPLES))
            case "by-block":
                return self._added_by_block(function)
            case _:
                assert_never(self.order)

    def _added_in_chunks(self, function: _OfPart, batch: AnyDeviceBatch) -> Any:
        if self.chunks == 1:
            return function(self.free, batch)
        chunks: PyTree = divided(batch, self.chunks)

        def add(total: PyTree, part: AnyDeviceBatch) -> tuple[PyTree, None]:
            return jax.tree.map(jnp.add, total, function(self.free, part)), None

        one = jax.tree.map(lambda a: a[0], chunks)
        return jax.lax.scan(add, _zeros_of(function, self.free, one), chunks)[0]

    def _added_by_block(self, function: _OfPart) -> Any:
        """The values of all blocks, each computed by the same code, added in the same order."""
        blocks = self.batch.room[0]

        def block(number: jax.Array | int) -> AnyDeviceBatch:
            found: AnyDeviceBatch = jax.tree.map(
                lambda values: jax.lax.dynamic_slice_in_dim(values, number, 1), self.batch
            )
            return found

        def fill(number: jax.Array, values: PyTree) -> PyTree:
            found = self._added_in_chunks(function, block(number))
            return jax.tree.map(lambda rows, row: rows.at[number].set(row), values, found)

        # A number that the compiler does not know. It would take a loop of one block apart, and
        # compute that block otherwise than one of many.
        unknown = jnp.sum(jnp.where(self.batch.num_samples >= 0, 1, 0))
        zeros = _zeros_of(function, self.free, block(0), blocks)
        values = jax.lax.fori_loop(0, unknown, fill, zeros)
        if self.devices is not None:
            values = jax.tree.map(_of_all_blocks, values)
        # Fused with its neighbours, the sum might be rounded otherwise.
        every = jax.lax.optimization_barrier(values)
        total = jax.tree.map(lambda rows: sum(rows[1:], rows[0]), every)
        return jax.lax.optimization_barrier(total)


def _zeros_of(function: _OfPart, free: AnyModel, part: AnyDeviceBatch, *leading: int) -> PyTree:
    """Zeros for the values of a function of a part, or for several of them."""
    shapes = eqx.filter_eval_shape(function, free, part)
    return jax.tree.map(lambda leaf: jnp.zeros((*leading, *leaf.shape), leaf.dtype), shapes)


def _of_all_blocks(rows: jax.Array) -> jax.Array:
    """Values of the blocks of all devices, in the order of the batch, from those of this one."""
    found: jax.Array = jax.lax.all_gather(jax.lax.psum(rows, SAMPLES), BLOCKS, tiled=True)
    return found


def divided(batch: AnyDeviceBatch, chunks: int) -> AnyDeviceBatch:
    """Divide the samples of each block into chunks, along a new first axis.

    Sample i goes to chunk i modulo `chunks`, so that samples that share a device go on to share
    it, and every chunk begins with the samples that count.

    Args:
        batch: The samples.
        chunks: Number of parts; samples are filled up to a multiple of it.

    Returns:
        The parts.
    """
    samples = batch.room[1]
    missing = -samples % chunks

    def cut(values: jax.Array) -> jax.Array:
        padded = jnp.pad(values, ((0, 0), (0, missing), *((0, 0),) * (values.ndim - 2)))
        shape = (len(values), -1, chunks, *values.shape[2:])
        return jnp.moveaxis(padded.reshape(shape), 2, 0)

    number = jnp.arange(chunks, dtype=batch.num_samples.dtype)[:, None]

    def shared(counts: jax.Array) -> jax.Array:
        return jnp.maximum(counts[None] - number + (chunks - 1), 0) // chunks

    num_samples = shared(batch.num_samples)
    keys = None if batch.keys is None else cut(batch.keys)
    if isinstance(batch, ArrayDeviceBatch):
        arrays = {role: cut(values) for role, values in batch.arrays.items()}
        numbers = jnp.broadcast_to(batch.numbers[None], (chunks, len(batch.numbers)))
        return ArrayDeviceBatch(arrays, num_samples, shared(batch.num_complete), numbers, keys)
    return DeviceBatch(
        sources=cut(batch.sources),
        num_samples=num_samples,
        grid=jnp.broadcast_to(batch.grid[None], (chunks, *batch.grid.shape)),
        potential=cut(batch.potential),
        field=cut(batch.field),
        keys=keys,
    )

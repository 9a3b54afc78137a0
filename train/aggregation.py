"""Gradient of a batch, part by part on several devices or where it does not fit as a whole."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec
from jaxtyping import PyTree

from hypermagnetics.models import AnyModel
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

    Returns:
        The losses, and the gradient as a model with None for all that is not trained.
    """
    count = jnp.maximum(jnp.sum(batch.num_samples), 1)
    free, fixed = eqx.partition(model, trained)
    if devices is None or len(devices) == 1:
        first = batch if chunks == 1 else jax.tree.map(lambda a: a[0], divided(batch, chunks))
        reference = objective.reference(model, first)
        parts = _Parts(objective, free, fixed, batch, reference, chunks, _alone)
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
        parts = _Parts(objective, free, fixed, own, reference, chunks, _over_devices)
        return parts.loss_and_gradient(count)

    # check_vma=False: `_over_devices` adds every result explicitly, so JAX need not infer which
    # values are the same on all devices.
    divided_among = jax.shard_map(
        of_device,
        mesh=devices.mesh,
        in_specs=(copied, copied, divisions(batch), copied, copied),
        out_specs=copied,
        check_vma=False,
    )
    found: tuple[Losses, AnyModel] = divided_among(free, of_fixed, batch, reference, count)
    return found


@dataclass(frozen=True)
class _Parts:
    """The samples of one device, in chunks, and the sums over all devices."""

    objective: Objective
    free: AnyModel
    fixed: AnyModel
    batch: AnyDeviceBatch
    reference: jax.Array | None
    chunks: int
    over_devices: Callable[[PyTree], PyTree]
    """Sum of each array over all devices."""

    def loss_and_gradient(self, count: jax.Array) -> tuple[Losses, AnyModel]:
        """Loss of `count` samples, those of all devices, and its gradient."""

        def of_part(free: AnyModel, part: AnyDeviceBatch) -> tuple[jax.Array, Losses]:
            losses = self.objective.of_sums(self._sums(free, part), count)
            return losses.total, losses

        is_one_part = self.chunks == 1 and self.over_devices is _alone
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

    def _added(self, function: Callable[..., Any]) -> Any:
        """A function of the free leaves and a part, added over all parts."""
        if self.chunks == 1:
            return self.over_devices(function(self.free, self.batch))
        chunks: PyTree = divided(self.batch, self.chunks)

        def add(total: PyTree, part: AnyDeviceBatch) -> tuple[PyTree, None]:
            return jax.tree.map(jnp.add, total, function(self.free, part)), None

        one = jax.tree.map(lambda a: a[0], chunks)
        shapes = eqx.filter_eval_shape(function, self.free, one)
        zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
        return self.over_devices(jax.lax.scan(add, zeros, chunks)[0])


def _alone(tree: PyTree) -> PyTree:
    """The sums of the only device."""
    return tree


def _over_devices(tree: PyTree) -> PyTree:
    return jax.lax.psum(tree, (BLOCKS, SAMPLES))


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

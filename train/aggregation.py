"""Gradient of a batch, part by part where it does not fit as a whole."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from hypermagnetics.models import AnyModel
from hypermagnetics.train.devices import AnyDeviceBatch, ArrayDeviceBatch, DeviceBatch
from hypermagnetics.train.objective import Losses, Objective, Sums


def loss_and_gradient(
    objective: Objective, model: AnyModel, batch: AnyDeviceBatch, trained: PyTree[bool], chunks: int
) -> tuple[Losses, AnyModel]:
    """Loss of a batch and its gradient.

    A loss is a function of sums over samples, so sums over any parts of them add up to it: those of
    chunks, which go through the model one after another, and those of devices, among which XLA
    divides the samples of a chunk. If the loss is no sum itself, two passes through the chunks give
    its gradient: the first the sums, and with them the derivative of the loss by each; the second
    the gradient of the sums times these derivatives.

    Args:
        objective: The loss.
        model: The model.
        batch: The samples.
        trained: Mask of the leaves that have a gradient.
        chunks: Number of parts.

    Returns:
        The losses, and the gradient as a model with None for all that is not trained.
    """
    count = jnp.maximum(jnp.sum(batch.num_samples), 1)
    free, fixed = eqx.partition(model, trained)
    parts: PyTree = divided(batch, chunks) if chunks > 1 else None
    first: AnyDeviceBatch = batch if parts is None else jax.tree.map(lambda a: a[0], parts)
    reference = objective.reference(model, first)

    def sums_of(free: AnyModel, part: AnyDeviceBatch) -> Sums:
        return objective.sums(eqx.combine(free, fixed), part, reference)

    def of_part(free: AnyModel, part: AnyDeviceBatch) -> tuple[jax.Array, Losses]:
        losses = objective.of_sums(sums_of(free, part), count)
        return losses.total, losses

    if parts is None:
        gradient, losses = eqx.filter_grad(of_part, has_aux=True)(free, batch)
        return losses, gradient
    if objective.is_additive:
        gradient, losses = _added(eqx.filter_grad(of_part, has_aux=True), free, parts)
        return losses, gradient
    sums = _added(sums_of, free, parts)

    def of_all(sums: Sums) -> tuple[jax.Array, Losses]:
        losses = objective.of_sums(sums, count)
        return losses.total, losses

    slopes, losses = jax.grad(of_all, has_aux=True)(sums)

    def along_slopes(free: AnyModel, part: AnyDeviceBatch) -> jax.Array:
        products = jax.tree.map(lambda s, c: jnp.sum(s * c), sums_of(free, part), slopes)
        return sum(jax.tree.leaves(products), jnp.zeros(()))

    return losses, _added(eqx.filter_grad(along_slopes), free, parts)


def _added(function: Callable[..., Any], free: AnyModel, parts: PyTree) -> Any:
    """A function of the free leaves and a part, added over all parts."""

    def add(total: PyTree, part: AnyDeviceBatch) -> tuple[PyTree, None]:
        return jax.tree.map(jnp.add, total, function(free, part)), None

    shapes = eqx.filter_eval_shape(function, free, jax.tree.map(lambda a: a[0], parts))
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    return jax.lax.scan(add, zeros, parts)[0]


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

"""Gradient of a batch, part by part where it does not fit as a whole."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from hypermagnetics.models import AnyModel
from hypermagnetics.train.devices import AnyDeviceBatch, ArrayDeviceBatch, DeviceBatch
from hypermagnetics.train.objective import Losses, Objective


def loss_and_gradient(
    objective: Objective, model: AnyModel, batch: AnyDeviceBatch, trained: PyTree[bool], chunks: int
) -> tuple[Losses, AnyModel]:
    """Loss of a batch and its gradient.

    Every term is a mean over samples, so sums over any parts of the samples add up to it: those of
    chunks, which go through the model one after another, and those of devices, among which XLA
    divides the samples of a chunk.

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

    def of_part(free: AnyModel, part: AnyDeviceBatch) -> tuple[jax.Array, Losses]:
        losses = objective.of_sums(objective.sums(eqx.combine(free, fixed), part), count)
        return losses.total, losses

    differentiate = eqx.filter_grad(of_part, has_aux=True)
    if chunks == 1:
        gradient, losses = differentiate(free, batch)
        return losses, gradient

    def add(total: PyTree, part: AnyDeviceBatch) -> tuple[PyTree, None]:
        return jax.tree.map(jnp.add, total, differentiate(free, part)), None

    parts: PyTree = divided(batch, chunks)
    shapes = eqx.filter_eval_shape(differentiate, free, jax.tree.map(lambda a: a[0], parts))
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    (gradient, losses), _ = jax.lax.scan(add, zeros, parts)
    return losses, gradient


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
    num_samples = jnp.maximum(batch.num_samples[None] - number + (chunks - 1), 0) // chunks
    keys = None if batch.keys is None else cut(batch.keys)
    if isinstance(batch, ArrayDeviceBatch):
        arrays = {role: cut(values) for role, values in batch.arrays.items()}
        return ArrayDeviceBatch(arrays, num_samples, keys)
    return DeviceBatch(
        sources=cut(batch.sources),
        num_samples=num_samples,
        grid=jnp.broadcast_to(batch.grid[None], (chunks, *batch.grid.shape)),
        potential=cut(batch.potential),
        field=cut(batch.field),
        keys=keys,
    )

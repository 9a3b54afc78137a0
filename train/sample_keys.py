"""A random key of each sample in each step, the same for any chunks, devices and interruptions."""

from dataclasses import replace

import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Int

from hypermagnetics.models.noise import sample_keys
from hypermagnetics.train.devices import AnyDeviceBatch, ArrayDeviceBatch, Augmentation

TRAINING, VALIDATION = 3, 4
"""Random streams of the seed; 0 and 1 are those of the model and its fit, 2 that of augmentation.

Append, never reorder."""

DIRECTIONS, NOISE = 0, 1
"""Purposes of a key, folded into it, so that no two share their numbers; append, never reorder."""


def with_sample_keys(augment: Augmentation, seed: int, stream: int) -> Augmentation:
    """Augmentation that also gives each sample its random key.

    Args:
        augment: Augmentation before it.
        seed: Seed of the training.
        stream: `TRAINING`, where numbers count steps, or `VALIDATION`, where they count blocks.

    Returns:
        The augmentation. The key of a sample depends on the seed, the number, the place of its
        block in the batch and its own in the block.
    """

    def keyed(batch: AnyDeviceBatch, number: Int[Array, ""]) -> AnyDeviceBatch:
        key = jr.fold_in(jr.fold_in(jr.key(seed), stream), number)
        blocks, samples = map(jnp.arange, batch.room)
        return replace(augment(batch, number), keys=sample_keys(key, blocks, samples))

    return keyed


def with_reading_keys(seed: int, stream: int, *, redraw: bool) -> Augmentation:
    """Augmentation that gives each sample of a batch of arrays its random key, wherever it comes.

    Args:
        seed: Seed of the training.
        stream: `TRAINING`, where numbers count steps, or `VALIDATION`.
        redraw: Whether the key is another one in each step.

    Returns:
        The augmentation. The key of a sample depends on the seed, the stream, its block and its
        place there, and on the step if it is drawn anew.
    """

    def keyed(batch: AnyDeviceBatch, number: Int[Array, ""]) -> AnyDeviceBatch:
        assert isinstance(batch, ArrayDeviceBatch), "sources have no readings"
        key = jr.fold_in(jr.key(seed), stream)
        if redraw:
            key = jr.fold_in(key, number)
        samples = jnp.arange(batch.room[1])
        return replace(batch, keys=sample_keys(key, batch.numbers, samples))

    return keyed

"""Symmetries of a square or cubic lattice, by which maps are turned and reflected at random."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import permutations
from typing import Literal

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from hypermagnetics.shapes import AnyKey
from hypermagnetics.train.devices import AnyDeviceBatch, ArrayDeviceBatch, Augmentation

LatticeSymmetry = Literal["quarter-turn", "reflection"]
"""With both, all 8 maps of a square to itself, or 48 of a cube."""

_STREAM, _PURPOSE = 2, 1 << 16
"""Random stream of augmentation, and a purpose that no symmetry of sources has."""

Vectors = Sequence[tuple[slice, bool]]
"""Channels, and whether they are the components of a vector; else they are scalars."""


def on_lattice(
    augment: Augmentation,
    names: Sequence[LatticeSymmetry],
    read: Vectors,
    given: Vectors,
    seed: int,
) -> Augmentation:
    """Augmentation that also turns and reflects the maps of each block, by one draw.

    A map Q takes the value at r to Q r, and a vector v to Q v. The magnetisation is a vector here,
    as the potential is that of its charges; see `augmentation.reflection`.

    Args:
        augment: Augmentation before it, which gives maps.
        names: The symmetries.
        read: Channels of the inputs.
        given: Channels of the targets.
        seed: Seed of the training.

    Returns:
        The augmentation.
    """
    if not names:
        return augment

    def moved(batch: AnyDeviceBatch, number: Int[Array, ""]) -> AnyDeviceBatch:
        maps = augment(batch, number)
        assert isinstance(maps, ArrayDeviceBatch), "maps are arrays"
        key = jr.fold_in(jr.fold_in(jr.fold_in(jr.key(seed), _STREAM), number), _PURPOSE)
        inputs, targets = maps.arrays["inputs"], maps.arrays["targets"]
        dim, found = inputs.ndim - 3, []
        # A loop over the few blocks: under vmap every branch of a choice is computed.
        for block in range(len(inputs)):
            order, flips = drawn(names, dim, jr.fold_in(key, block))
            both = (inputs[block], read), (targets[block], given)
            found.append([mapped(values, vectors, order, flips) for values, vectors in both])
        first, second = (jnp.stack(parts) for parts in zip(*found, strict=True))
        return replace(maps, arrays={**maps.arrays, "inputs": first, "targets": second})

    return moved


def drawn(
    names: Sequence[LatticeSymmetry], dim: int, key: AnyKey
) -> tuple[Int[Array, ""], Bool[Array, " dim"]]:
    """Draw a map of a lattice to itself, with equal probabilities.

    Args:
        names: The symmetries: with "reflection" alone axes are reflected, with "quarter-turn" alone
            maps are turned, and with both all are drawn from.
        dim: Number of axes.
        key: Random key.

    Returns:
        Number of an order of the axes, in that of `itertools.permutations`; and a mask of the axes
        that are reflected afterwards.
    """
    orders = list(permutations(range(dim)))
    first, second = jr.split(key)
    flips = jr.bernoulli(first, shape=(dim,))
    if "quarter-turn" not in names:
        return jnp.zeros((), jnp.int32), flips
    order = jr.randint(second, (), 0, len(orders))
    if "reflection" in names:
        return order, flips
    # A rotation has determinant 1: the signs of the order and of the reflections agree.
    odd = jnp.asarray([_is_odd(each) for each in orders])[order]
    last = odd ^ (jnp.sum(flips[:-1]) % 2 == 1)
    return order, flips.at[-1].set(last)


def mapped(
    values: Float[Array, "samples channels *sides"],
    vectors: Vectors,
    order: Int[Array, ""],
    flips: Bool[Array, " dim"],
) -> Float[Array, "samples channels *sides"]:
    """Maps with their axes in another order, some of them reflected then.

    Args:
        values: The maps.
        vectors: Meaning of the channels.
        order: Number of the order.
        flips: Mask of the reflected axes.

    Returns:
        The maps, of the same shape.
    """
    dim = values.ndim - 2
    branches: list[Callable[[Array], Array]] = [
        partial(_in_order, vectors=vectors, order=each) for each in permutations(range(dim))
    ]
    found: Array = jax.lax.switch(order, branches, values)
    for axis in range(dim):
        flipped = jnp.flip(found, 2 + axis)
        signs = np.ones(values.shape[1])
        for channels, is_vector in vectors:
            if is_vector:
                signs[channels.start + axis] = -1
        spread = jnp.asarray(signs, values.dtype).reshape(1, -1, *(1,) * dim)
        found = jnp.where(flips[axis], flipped * spread, found)
    return found


def _in_order(
    values: Float[Array, "samples channels *sides"], vectors: Vectors, order: tuple[int, ...]
) -> Float[Array, "samples channels *sides"]:
    turned = values.transpose(0, 1, *(2 + axis for axis in order))
    parts = []
    for channels, is_vector in vectors:
        own = turned[:, channels]
        parts.append(own[:, list(order)] if is_vector else own)
    return jnp.concatenate(parts, axis=1)


def _is_odd(order: tuple[int, ...]) -> bool:
    matrix = np.eye(len(order))[list(order)]
    return bool(np.linalg.det(matrix) < 0)

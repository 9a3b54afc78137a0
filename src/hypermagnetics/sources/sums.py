"""Sums over sources: loops that stay in the cache of a CPU, fused reductions on a GPU.

A GPU runs a loop over sources as thousands of tiny kernels. There one kernel computes the values of
all pairs of source and point of a tile and adds them up, without an array of pairs. Tiles bound the
memory, as XLA makes such arrays where it cannot fuse.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

from hypermagnetics.jax_setup import default_platform, first_device
from hypermagnetics.machine import Platform as Platform
from hypermagnetics.shapes import Points

_Item = TypeVar("_Item")
_Tree = TypeVar("_Tree")

_POINTS_PER_TILE = 1 << 12
"""Points in one fused reduction."""

PAIRS_PER_TILE = 1 << 22
"""Pairs of source and point at once, where XLA may make tens of arrays of them; 16 MB each."""

_platform = jax.make_user_context(None)


def sums_for(platform: Platform) -> AbstractContextManager[None]:
    """Shape the sums that are traced inside a block for a platform other than this process's.

    Args:
        platform: The platform that they will be compiled for.
    """
    block: AbstractContextManager[None] = _platform(platform)
    return block


@contextmanager
def computing_on(platform: Platform) -> Iterator[None]:
    """Compute inside a block on the first device of a platform, whichever JAX would choose.

    Args:
        platform: The platform, which sums are shaped for, too.

    Raises:
        HypermagneticsError: If JAX finds no such device.
    """
    with jax.default_device(first_device(platform)), sums_for(platform):
        yield


def sums_platform() -> Platform:
    """Platform of the sums that are traced now: as asked by `sums_for`, or that of JAX's device.

    Any device but a CPU counts as a GPU.
    """
    asked: Platform | None = _platform.value
    if asked is not None:
        return asked
    return default_platform()


def reduced(
    values_of: Callable[[_Item], _Tree], items: _Item, num_points: Any, pairs: int
) -> _Tree:
    """Sum values over items, such as sources, in fused reductions.

    Args:
        values_of: Values of one item at all points, whose number is the only axis; zero for an item
            of zeros.
        items: Arrays with a first axis of items.
        num_points: Number of the points.
        pairs: The most pairs of item and point in a reduction.

    Returns:
        The sums.
    """

    # Derivatives recompute the values of a tile: those of all pairs would not fit into memory.
    @jax.checkpoint
    def total(some: _Item) -> _Tree:
        values = jax.vmap(values_of, out_axes=-1)(some)
        summed: _Tree = jax.tree.map(lambda each: each.sum(axis=-1), values)
        return summed

    count = jax.tree.leaves(items)[0].shape[0]
    points = num_points if isinstance(num_points, int) else _POINTS_PER_TILE
    at_once = max(pairs // max(points, 1), 1)
    if isinstance(count, int) and count <= at_once:
        whole: _Tree = total(items)
        return whole
    num_tiles = -(-count // at_once)

    def tiled(values: jax.Array) -> jax.Array:
        room = jnp.zeros((num_tiles * at_once, *values.shape[1:]), values.dtype)
        return room.at[:count].set(values).reshape(num_tiles, at_once, *values.shape[1:])

    tiles = jax.tree.map(tiled, items)
    shapes = jax.eval_shape(total, jax.tree.map(lambda values: values[0], tiles))
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)

    def add(so_far: _Tree, some: _Item) -> tuple[_Tree, None]:
        return jax.tree.map(jnp.add, so_far, total(some)), None

    found: tuple[_Tree, None] = jax.lax.scan(add, zeros, tiles)
    return found[0]


def over_point_tiles(at_points: Callable[[Points], _Tree], points: Points) -> _Tree:
    """Evaluate tiles of points one after another.

    Args:
        at_points: Values at some points, the only axis of its arrays.
        points: Points of evaluation.

    Returns:
        The values at all points.
    """
    count, dim = points.shape
    if count <= _POINTS_PER_TILE:
        return at_points(points)
    num_tiles = -(-count // _POINTS_PER_TILE)
    # The last tile is filled up with points that are there: any others might be singular.
    tiles = jnp.resize(points, (num_tiles, _POINTS_PER_TILE, dim))
    found = jax.lax.map(at_points, tiles)
    joined: _Tree = jax.tree.map(lambda values: values.reshape(-1)[:count], found)
    return joined


def over_samples(
    of_sample: Callable[..., _Tree], samples: tuple[jax.Array, ...], pairs_each: int, pairs: int
) -> _Tree:
    """Evaluate samples, as many at once as the memory of a reduction allows.

    Args:
        of_sample: Values of one sample.
        samples: Arguments of `of_sample`, with a first axis of samples.
        pairs_each: Pairs of source and point of a sample.
        pairs: The most pairs at once, unless one sample has more.

    Returns:
        The values, with a first axis of samples.
    """
    count = samples[0].shape[0]
    at_once = max(pairs // max(pairs_each, 1), 1)
    if at_once == 1:
        # Without an axis of one sample, under which both branches of a choice are computed.
        one_by_one: _Tree = jax.lax.map(lambda each: of_sample(*each), samples)
        return one_by_one
    if count <= at_once:
        return jax.vmap(of_sample)(*samples)
    num_groups = -(-count // at_once)
    # Filled up with samples that are there, so that the closed form is compiled once.
    groups = tuple(jnp.resize(each, (num_groups, at_once, *each.shape[1:])) for each in samples)
    found = jax.lax.map(lambda group: jax.vmap(of_sample)(*group), groups)
    joined: _Tree = jax.tree.map(
        lambda values: values.reshape(-1, *values.shape[2:])[:count], found
    )
    return joined

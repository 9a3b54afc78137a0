"""Rotation of bodies, points and fields by one random rotation, or by quarter turns."""

from dataclasses import replace
from functools import cache, reduce
from itertools import product
from operator import or_

import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, Float64

from hypermagnetics.shapes import AnyKey
from hypermagnetics.sources import SourceColumns
from hypermagnetics.sources.kinds.box import Axes, axes_of_angle, axes_of_quaternion
from hypermagnetics.table import QUATERNION, ROTATION_COLUMNS, SHAPES, is_body, source_rows
from hypermagnetics.train.augmentation.symmetry import (
    Symmetry,
    mapped_linearly,
    per_block,
    shared_component,
    with_columns,
)
from hypermagnetics.train.devices import DeviceBatch

_Components = tuple[Float[Array, "..."], ...]


def rotated(columns: SourceColumns, batch: DeviceBatch, key: AnyKey) -> DeviceBatch:
    """Turn each block by a rotation R, uniform over all: phi(R m, R d) = phi(m, d), H -> R H.

    In two dimensions the angle is added to that of rectangles; in three the quaternion of the
    rotation is multiplied from the left to those of cuboids. Discs, spheres and dipoles have no
    orientation.

    Args:
        columns: Columns of the sources.
        batch: The batch.
        key: Random key.

    Returns:
        The turned batch.
    """
    dtype = batch.grid.dtype
    if columns.dim == 2:
        turn = per_block(lambda one: jr.uniform(one, (), dtype, 0, 2 * jnp.pi), key, batch)
        return _turned_in_the_plane(columns, batch, turn)
    four = per_block(lambda one: jr.normal(one, (4,), dtype), key, batch)
    return _turned_in_space(columns, batch, four / jnp.linalg.norm(four, axis=-1, keepdims=True))


def quarter_turned(columns: SourceColumns, batch: DeviceBatch, key: AnyKey) -> DeviceBatch:
    """Turn each block by one of the rotations that map a square, or a cube, to itself.

    They are 4 in two dimensions and 24 in three, with equal probability; see `rotated`.

    Args:
        columns: Columns of the sources.
        batch: The batch.
        key: Random key.

    Returns:
        The turned batch.
    """
    dtype = batch.grid.dtype
    if columns.dim == 2:
        turn = per_block(lambda one: jr.randint(one, (), 0, 4), key, batch)
        return _turned_in_the_plane(columns, batch, turn.astype(dtype) * (jnp.pi / 2))
    group = jnp.asarray(_rotations_of_a_cube(), dtype)
    which = per_block(lambda one: jr.randint(one, (), 0, len(group)), key, batch)
    return _turned_in_space(columns, batch, group[which])


@cache
def _rotations_of_a_cube() -> Float64[np.ndarray, "24 4"]:
    """Unit quaternions, one of each pair q and -q: with 1, 2 or 4 numbers that are not zero."""
    numbers = np.array(list(product((-1.0, 0.0, 1.0), repeat=4)))
    count = np.sum(numbers != 0, axis=1)
    first = np.take_along_axis(numbers, np.argmax(numbers != 0, axis=1)[:, None], axis=1)[:, 0]
    kept = numbers[((count == 1) | (count == 2) | (count == 4)) & (first > 0)]
    rotations: np.ndarray = kept / np.linalg.norm(kept, axis=1, keepdims=True)
    return rotations


def _turned_in_the_plane(
    columns: SourceColumns, batch: DeviceBatch, turn: Float[Array, " blocks"]
) -> DeviceBatch:
    moved = mapped_linearly(columns, batch, _matrix(axes_of_angle(turn)))
    if not columns.has("angle"):
        return moved
    angle = batch.sources[..., columns.index("angle")]
    turned = [body for body in columns.bodies if "angle" in SHAPES[body]]
    is_turned = reduce(or_, (is_body(columns, body, batch.sources) for body in turned))
    is_turned &= source_rows(columns, batch.sources)
    more = jnp.where(is_turned, turn[:, None, None], 0)
    return replace(moved, sources=with_columns(columns, moved.sources, {"angle": angle + more}))


def _turned_in_space(
    columns: SourceColumns, batch: DeviceBatch, turn: Float[Array, "blocks 4"]
) -> DeviceBatch:
    moved = mapped_linearly(columns, batch, _matrix(axes_of_quaternion(tuple(turn.T))))
    if not columns.has(QUATERNION[0]):
        return moved
    by = tuple(turn[:, i][:, None, None] for i in range(4))
    before = tuple(batch.sources[..., columns.index(name)] for name in QUATERNION)
    # Zeros, of rows that have no rotation, stay zeros.
    after = dict(zip(QUATERNION, _product(by, before), strict=True))
    return replace(moved, sources=with_columns(columns, moved.sources, after))


def _obstacle(columns: SourceColumns) -> str | None:
    for body in columns.bodies:
        for name in SHAPES[body]:
            if name in ROTATION_COLUMNS and not columns.has(name):
                return f"a column {name} of its own for each {body}"
    return shared_component(columns)


ROTATION = Symmetry(rotated, _obstacle)
"""In three dimensions by a unit quaternion of normal numbers, which is uniform over rotations."""
QUARTER_TURN = Symmetry(quarter_turned, _obstacle)
"""With reflections, all orthogonal maps of a square or a cube to itself."""


def _product(p: _Components, q: _Components) -> _Components:
    """The quaternion that turns by q, then by p."""
    (a, b, c, d), (w, x, y, z) = p, q
    return (
        a * w - b * x - c * y - d * z,
        a * x + b * w + c * z - d * y,
        a * y - b * z + c * w + d * x,
        a * z + b * y - c * x + d * w,
    )


def _matrix(axes: Axes) -> Float[Array, "blocks dim dim"]:
    """The rotation matrix, whose columns are the turned axes."""
    return jnp.stack([jnp.stack(axis, axis=-1) for axis in axes], axis=-1)

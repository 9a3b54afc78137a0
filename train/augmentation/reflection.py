"""Reflection of bodies, points and fields along a random choice of axes."""

from dataclasses import replace

import jax.numpy as jnp
import jax.random as jr
import numpy as np

from hypermagnetics.shapes import AnyKey
from hypermagnetics.sources import SourceColumns
from hypermagnetics.sources.kinds.box import axes_of_quaternion
from hypermagnetics.table import QUATERNION
from hypermagnetics.train.augmentation.symmetry import (
    Symmetry,
    mapped_linearly,
    per_block,
    shared_field,
    with_columns,
)
from hypermagnetics.train.devices import DeviceBatch

_ROUNDING = 1e-6
"""Tolerance of a constant rotation about multiples of quarter turns, as recipes round pi."""


def reflected(columns: SourceColumns, batch: DeviceBatch, key: AnyKey) -> DeviceBatch:
    """Reflect each block by S = diag(+-1, ...), each sign of probability 1/2.

    The potential is that of the charges M.n, so the moment is reflected like a displacement, as a
    polar vector: phi(S m, S d) = phi(m, d), H -> S H. (As the axial vector that currents make of
    it, m would become det(S) S m, and phi change its sign with det(S): reflection and time
    reversal together.)

    A box has mirror planes of its own, so its mirror image is the same box with another rotation,
    S R S: the angle of a rectangle is multiplied by det(S), and of a quaternion (w, v), whose v is
    axial, v becomes det(S) S v.

    Args:
        columns: Columns of the sources.
        batch: The batch.
        key: Random key.

    Returns:
        The reflected batch.
    """
    dim, dtype = columns.dim, batch.grid.dtype
    signs = per_block(lambda one: jr.rademacher(one, (dim,), dtype), key, batch)
    moved = mapped_linearly(columns, batch, signs[:, :, None] * jnp.eye(dim, dtype=dtype)[None])
    determinant = jnp.prod(signs, axis=-1)
    factors = {"angle": determinant} if columns.has("angle") else {}
    if columns.has(QUATERNION[0]):
        factors = {name: determinant * signs[:, i] for i, name in enumerate(QUATERNION[1:])}
    changed = {
        name: factor[:, None, None] * batch.sources[..., columns.index(name)]
        for name, factor in factors.items()
    }
    return replace(moved, sources=with_columns(columns, moved.sources, changed))


def _obstacle(columns: SourceColumns) -> str | None:
    constants = dict(columns.constants)
    if "angle" in constants and abs(np.sin(2 * constants["angle"])) > _ROUNDING:
        return "a column angle of its own for each rectangle, or sides along the axes"
    if QUATERNION[0] in constants:
        # The edges are along the axes if each unit vector has one component that is not zero.
        edges = axes_of_quaternion([constants[name] for name in QUATERNION])
        if (np.sort(np.abs(np.array(edges)), axis=1)[:, :-1] > _ROUNDING).any():
            return f"a column {QUATERNION[0]} of its own for each cuboid, or edges along the axes"
    return shared_field(columns)


REFLECTION = Symmetry(reflected, _obstacle)
"""With rotations, all orthogonal maps."""

"""Common geometry of rectangles and cuboids: edges, distances, faces, corners and nodes."""

import abc
import functools
import operator
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

from hypermagnetics.sources.kinds.demagnetising import box_tensor
from hypermagnetics.sources.kinds.kind import Cells, Kind, Offset, Shape
from hypermagnetics.sources.kinds.rounding import by_side
from hypermagnetics.sources.sums import PAIRS_PER_TILE
from hypermagnetics.sources.values import Components, Rounding, Scalars, dot, namespace

Axes = Sequence[Components]
"""Unit vectors along the edges of a box."""

_SIDES = ("dimension_x", "dimension_y", "dimension_z")


class BoxKind(Kind):
    """A body of flat faces at right angles; subclasses add the closed form."""

    is_point = False
    is_dipole_outside = False
    values_per_step = 1 << 11
    pairs_per_tile = PAIRS_PER_TILE

    @abc.abstractmethod
    def axes(self, shape: Shape) -> Axes:
        """Unit vectors along the edges."""

    def sides(self, shape: Shape) -> list[Float[Any, "..."]]:
        """Full sides along `axes` [m]."""
        return [shape[name] for name in _SIDES if name in shape]

    def gap(self, offset: Offset, shape: Shape) -> Float[Any, "..."]:
        """|max(q, 0)| + min(max_i q_i, 0) with q_i = |x_i| - side_i / 2, along the edges."""
        xp = namespace(*offset)
        beyond = [
            xp.abs(dot(along, offset)) - side / 2
            for along, side in zip(self.axes(shape), self.sides(shape), strict=True)
        ]
        outside = [xp.maximum(part, 0) for part in beyond]
        farthest = functools.reduce(xp.maximum, beyond)
        return xp.where(farthest > 0, xp.sqrt(dot(outside, outside)), farthest)

    def inside_share(self, offset: Offset, shape: Shape, rounding: Rounding) -> Float[Array, "..."]:
        """The product over all axes: 1 where |x_i| < side_i / 2, 1/2 where they are equal."""
        shares = [
            by_side(jnp.abs(dot(along, offset)) - side / 2, rounding.within, 0.0, 1.0)
            for along, side in zip(self.axes(shape), self.sides(shape), strict=True)
        ]
        return functools.reduce(operator.mul, shares)

    def size(self, shape: Shape) -> Scalars:
        """Half the shortest side."""
        sides = self.sides(shape)
        return functools.reduce(namespace(*sides).minimum, sides) / 2

    def outer_radius(self, shape: Shape) -> Scalars:
        """Half the diagonal."""
        sides = self.sides(shape)
        return 0.5 * namespace(*sides).sqrt(dot(sides, sides))

    def volume(self, shape: Shape) -> Scalars:
        """The product of the sides."""
        return functools.reduce(operator.mul, self.sides(shape))

    def surface_point(
        self, shape: Shape, uniform: Float64[np.ndarray, "points numbers"]
    ) -> tuple[Float64[np.ndarray, "points dim"], Float64[np.ndarray, "points dim"]]:
        """A point of the box, moved along one axis to the face on its side of the centre."""
        # The area of the faces across an axis is the volume over the side along it.
        lengths, edges = np.stack(self.sides(shape), -1), _stacked(self.axes(shape))
        inside = uniform[:, 1:] - 0.5
        shares = np.cumsum(1 / lengths, axis=1)
        axis = (uniform[:, :1] * shares[:, -1:] >= shares[:, :-1]).sum(axis=1)
        point, of_face = np.arange(len(axis)), np.zeros_like(inside)
        of_face[point, axis] = np.copysign(1.0, inside[point, axis])
        inside[point, axis] = 0.5 * of_face[point, axis]
        return (
            np.einsum("pe,ped->pd", inside * lengths, edges),
            np.einsum("pe,ped->pd", of_face, edges),
        )

    def corners(self, shape: Shape) -> Float64[np.ndarray, "corners dim"]:
        """Corners in the order of their coordinates along the edges, the last edge fastest."""
        sides, axes = np.stack(self.sides(shape), -1), _stacked(self.axes(shape))
        dim = sides.shape[-1]
        signs = np.stack(np.meshgrid(*[(-0.5, 0.5)] * dim, indexing="ij"), -1).reshape(-1, dim)
        corners: np.ndarray = signs @ (axes * sides[..., None])
        return corners

    def half_edges(self, shape: Shape) -> Float64[np.ndarray, "bodies edges dim"]:
        """The axes, times half of the sides."""
        edges: np.ndarray = _stacked(self.axes(shape)) * np.stack(self.sides(shape), -1)[..., None]
        return edges / 2

    def nodes(self, shape: Shape, places: Float64[np.ndarray, "nodes dim"]) -> Float[Any, "..."]:
        """Places in the cube, scaled to the sides of the body and rotated with it."""
        sides, axes = self.sides(shape), self.axes(shape)
        bodies = jnp.broadcast_shapes((1,), *(value.shape for value in shape.values()))
        dtype = sides[0].dtype
        offset = jnp.zeros((*bodies, *places.shape), dtype)
        for along, side, place in zip(axes, sides, places.T, strict=True):
            steps = jnp.broadcast_to(0.5 * side, bodies)[:, None] * jnp.asarray(place, dtype)[None]
            direction = jnp.stack([jnp.broadcast_to(part, bodies) for part in along], axis=-1)
            offset += steps[..., None] * direction[:, None]
        return offset

    def cells(self, shape: Shape, division: Sequence[int]) -> Cells:
        """Boxes whose sides are equal shares of its own."""
        sides, axes = self.sides(shape), self.axes(shape)
        xp = namespace(*sides)
        shares = [side / number for side, number in zip(sides, division, strict=True)]
        steps = [
            xp.stack(xp.broadcast_arrays(*(share * part for part in along)), axis=-1)
            for along, share in zip(axes, shares, strict=True)
        ]
        names = [name for name in _SIDES if name in shape]
        of_cell = {**shape, **dict(zip(names, shares, strict=True))}
        return Cells(xp.stack(xp.broadcast_arrays(*steps), axis=-2), of_cell)

    def demagnetising_tensor(
        self, displacement: Float[Array, "*points dim"], shape: Shape
    ) -> Float[Array, "*both dim dim"]:
        """See `box_tensor`; turned with the box."""
        sides = jnp.stack(jnp.broadcast_arrays(*self.sides(shape)), axis=-1)
        axes = [jnp.stack(jnp.broadcast_arrays(*along), axis=-1) for along in self.axes(shape)]
        edges = jnp.stack(jnp.broadcast_arrays(*axes), axis=-2)
        # Of one rank, as JAX may be set to promote none.
        leading = (None,) * (displacement.ndim + 1 - edges.ndim)
        edges, sides = edges[leading], sides[leading]
        # Sums, and no products of matrices, which are slow where there are many small ones.
        local = (edges * displacement[..., None, :]).sum(-1)
        half_turned = (box_tensor(local, sides)[..., None] * edges[..., None, :, :]).sum(-2)
        return (edges[..., :, :, None] * half_turned[..., :, None, :]).sum(-3)


def _stacked(axes: Axes) -> Float64[np.ndarray, "... edges dim"]:
    return np.stack([np.stack(np.broadcast_arrays(*axis), -1) for axis in axes], -2)


def axes_of_angle(angle: Scalars) -> Axes:
    """Unit vectors along the edges of a rectangle that is turned counterclockwise [rad]."""
    xp = namespace(angle)
    cosine, sine = xp.cos(angle), xp.sin(angle)
    return ((cosine, sine), (-sine, cosine))


def axes_of_quaternion(quaternion: Components) -> Axes:
    """Unit vectors along the edges of a cuboid that is turned by a unit quaternion (w, x, y, z).

    The columns of the rotation matrix. The quaternion is divided by its norm, which float32 does
    not keep at 1 to more than 1e-7.
    """
    norm2 = dot(quaternion, quaternion)
    w, x, y, z = quaternion
    two = 2 / norm2
    return (
        (1 - two * (y * y + z * z), two * (x * y + w * z), two * (x * z - w * y)),
        (two * (x * y - w * z), 1 - two * (x * x + z * z), two * (y * z + w * x)),
        (two * (x * z + w * y), two * (y * z - w * x), 1 - two * (x * x + y * y)),
    )

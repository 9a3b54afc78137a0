"""Demagnetising tensor of a box in the plain closed form, which compiles in a second.

`rectangle` and `cuboid` keep all digits at any distance, and their derivatives compile for minutes.
A linear system needs the tensor to a rounding of its largest entry alone, and so do derivatives.
"""

import functools
import itertools
import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from hypermagnetics.sources.values import Components

_Corners = tuple[tuple[Float[Array, "..."], Float[Array, "..."]], ...]
"""Coordinates from the face at -side / 2 and from that at side / 2, along each axis."""


def box_tensor(displacement: Components, sides: Components) -> list[list[Float[Array, "..."]]]:
    """Demagnetising tensor N of a uniformly magnetised box: H = -N M.

    With u, v and w the coordinates of the point from the faces, r its distance from a corner and
    the sums over corners with alternating signs, in three dimensions

        4 pi N_xx = sum atan(v w / (u r)),    4 pi N_xy = -sum log(w + r),

    and in two dimensions 2 pi N_xx = sum atan(v / u), 2 pi N_xy = sum log r. Its trace is 1 inside
    and 0 outside. Errors are some roundings of 1, whatever the distance.

    Args:
        displacement: Components of point minus centre along the edges [m]; not on the surface.
        sides: Full sides [m], greater than 0.

    Returns:
        N_ij as nested lists, of the shape that the arguments broadcast to.

    References:
        Newell, Williams and Dunlop, J. Geophys. Res. 98 (1993) 9551; Aharoni, J. Appl. Phys. 83
        (1998) 3432.
    """
    dim = len(sides)
    unit = functools.reduce(jnp.maximum, sides)
    corners = tuple(
        ((x + side / 2) / unit, (x - side / 2) / unit)
        for x, side in zip(displacement, sides, strict=True)
    )
    diagonal, across = (_flat_angle, _flat_logarithm) if dim == 2 else (_angle, _logarithm)
    tensor = [[jnp.zeros(()) for _ in range(dim)] for _ in range(dim)]
    for axis in range(dim):
        tensor[axis][axis] = diagonal(corners, axis)
    for first, second in itertools.combinations(range(dim), 2):
        tensor[first][second] = tensor[second][first] = across(corners, first, second)
    return tensor


def _flat_angle(corners: _Corners, axis: int) -> Float[Array, "..."]:
    v, w = corners[1 - axis]
    angles = [jnp.arctan2(u * (v - w), u * u + v * w) for u in corners[axis]]
    return (angles[0] - angles[1]) / (2 * math.pi)


def _flat_logarithm(corners: _Corners, first: int, second: int) -> Float[Array, "..."]:
    (u, v), (s, t) = corners[first], corners[second]
    above, below = (u * u + s * s) * (v * v + t * t), (u * u + t * t) * (v * v + s * s)
    return jnp.log(above / below) / (4 * math.pi)


def _angle(corners: _Corners, axis: int) -> Float[Array, "..."]:
    # The angles of two corners as that of one complex product: it stays smooth in the plane of a
    # face beside the face, where each angle alone jumps.
    across, along = (other for other in range(3) if other != axis)
    z, z_near = corners[along]
    total: Float[Array, ...] = jnp.zeros(())
    for sign_u, u in zip((1, -1), corners[axis], strict=True):
        for sign_v, v in zip((1, -1), corners[across], strict=True):
            far = jnp.sqrt(u * u + v * v + z * z)
            near = jnp.sqrt(u * u + v * v + z_near * z_near)
            real = u * u * far * near + v * v * z * z_near
            total = total + sign_u * sign_v * jnp.arctan2(u * v * (z * near - z_near * far), real)
    return total / (4 * math.pi)


def _logarithm(corners: _Corners, first: int, second: int) -> Float[Array, "..."]:
    # Even along the third axis: from there on the point is at its far end, or beside the box.
    (along,) = (other for other in range(3) if other not in (first, second))
    far, near = corners[along]
    centre, half = 0.5 * (far + near), 0.5 * (far - near)
    centre = jnp.where(centre < 0, -centre, centre)
    far, near = centre + half, centre - half
    ratio: Float[Array, ...] = jnp.ones(())
    for sign_u, u in zip((1, -1), corners[first], strict=True):
        for sign_v, v in zip((1, -1), corners[second], strict=True):
            across2 = u * u + v * v
            top = jnp.sqrt(across2 + far * far) + far
            to_near = jnp.sqrt(across2 + near * near) + jnp.abs(near)
            bottom = jnp.where(near > 0, to_near, across2 / to_near)
            one = top / bottom
            ratio = ratio * one if sign_u * sign_v > 0 else ratio / one
    return -jnp.log(ratio) / (4 * math.pi)

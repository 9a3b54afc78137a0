"""Demagnetising tensor of a box in the plain closed form, which compiles in a second.

`rectangle` and `cuboid` keep all digits at any distance, and their derivatives compile for minutes.
A linear system needs the tensor to a rounding of its largest entry alone, and so do derivatives.
All corners are computed as one array: written out one by one, they compile for a minute, too.
"""

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

_SIGNS = np.array([1.0, -1.0])
_CORNERS = np.outer(_SIGNS, _SIGNS)
"""Signs of the corners at the far and near sides of two axes."""


def box_tensor(
    displacement: Float[Array, "*points dim"], sides: Float[Array, "*bodies dim"]
) -> Float[Array, "*both dim dim"]:
    """Demagnetising tensor N of a uniformly magnetised box: H = -N M.

    With u, v and w the coordinates of the point from the faces, r its distance from a corner and
    the sums over corners with alternating signs, in three dimensions

        4 pi N_xx = sum atan(v w / (u r)),    4 pi N_xy = -sum log(w + r),

    and in two dimensions 2 pi N_xx = sum atan(v / u), 2 pi N_xy = sum log r. Its trace is 1 inside
    and 0 outside. Errors are some roundings of 1, whatever the distance.

    Args:
        displacement: Point minus centre along the edges [m]; not on the surface.
        sides: Full sides [m], greater than 0.

    Returns:
        N_ij, of the shape that the arguments broadcast to.

    References:
        Newell, Williams and Dunlop, J. Geophys. Res. 98 (1993) 9551; Aharoni, J. Appl. Phys. 83
        (1998) 3432.
    """
    unit = jnp.max(sides, axis=-1, keepdims=True)
    centre, half = displacement / unit, 0.5 * sides / unit
    if sides.shape[-1] == 2:
        diagonal, across = _flat(centre, half)
        rows = [[diagonal[..., 0], across], [across, diagonal[..., 1]]]
    else:
        diagonal, off = _angles(centre, half), _logarithms(centre, half)
        places = ((0, 2, 1), (2, 1, 0), (1, 0, 2))
        rows = [
            [diagonal[..., i] if i == j else off[..., places[i][j]] for j in range(3)]
            for i in range(3)
        ]
    return jnp.stack([jnp.stack(row, axis=-1) for row in rows], axis=-2)


def _faces(centre: Float[Array, "*#axes"], half: Float[Array, "*#axes"]) -> Float[Array, "*axes 2"]:
    """Coordinates from the face at -side / 2 and from that at side / 2."""
    return jnp.stack(jnp.broadcast_arrays(centre + half, centre - half), axis=-1)


def _flat(
    centre: Float[Array, "*#points 2"], half: Float[Array, "*#points 2"]
) -> tuple[Float[Array, "*#points 2"], Float[Array, "*points"]]:
    """N_xx and N_yy, and N_xy, in two dimensions."""
    faces = _faces(centre, half)
    u, side = faces, faces[..., ::-1, :]
    far, near = side[..., :1], side[..., 1:]
    angles = jnp.arctan2(u * (far - near), u * u + far * near)
    square = faces[..., 0, :, None] ** 2 + faces[..., 1, None, :] ** 2
    ratio = square[..., 0, 0] * square[..., 1, 1] / (square[..., 0, 1] * square[..., 1, 0])
    return jnp.tensordot(angles, _SIGNS, 1) / (2 * math.pi), jnp.log(ratio) / (4 * math.pi)


def _angles(
    centre: Float[Array, "*#points 3"], half: Float[Array, "*#points 3"]
) -> Float[Array, "*#points 3"]:
    """The diagonal, for each axis in turn."""
    faces = _faces(centre, half)
    u = faces[..., :, :, None]
    v = faces[..., (1, 2, 0), None, :]
    far, near = (faces[..., (2, 0, 1), side, None, None] for side in (0, 1))
    across = u * u + v * v
    to_far, to_near = jnp.sqrt(across + far * far), jnp.sqrt(across + near * near)
    # The angles of two corners as that of one complex product: it stays smooth in the plane of a
    # face beside the face, where each angle alone jumps.
    imaginary = u * v * (far * to_near - near * to_far)
    angles = jnp.arctan2(imaginary, u * u * to_far * to_near + v * v * far * near)
    return jnp.tensordot(angles, _CORNERS, 2) / (4 * math.pi)


def _logarithms(
    centre: Float[Array, "*#points 3"], half: Float[Array, "*#points 3"]
) -> Float[Array, "*#points 3"]:
    """N_yz, N_zx and N_xy."""
    faces = _faces(centre, half)
    u = faces[..., (1, 2, 0), :, None]
    v = faces[..., (2, 0, 1), None, :]
    # Even along the third axis: from there on the point is beyond its far end, or beside the box.
    along = jnp.where(centre < 0, -centre, centre)
    far, near = (along + half)[..., None, None], (along - half)[..., None, None]
    across = u * u + v * v
    top = jnp.sqrt(across + far * far) + far
    beyond = jnp.sqrt(across + near * near) + jnp.abs(near)
    ratio = jnp.where(near > 0, top / beyond, top * beyond / jnp.where(near > 0, 1, across))
    one = ratio[..., 0, 0] * ratio[..., 1, 1] / (ratio[..., 0, 1] * ratio[..., 1, 0])
    return -jnp.log(one) / (4 * math.pi)

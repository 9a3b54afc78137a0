"""The linear system of the modes of soft boxes: each in the field of all others."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from hypermagnetics.grids import components
from hypermagnetics.models.conditions import where_needed
from hypermagnetics.sources.values import dot, full_angle

_NUMBERS_AT_ONCE = 1 << 17
"""Of the tensors between the dipoles of two boxes that are computed at once; half a megabyte."""


class Boxes(NamedTuple):
    """The rows of a source table as soft boxes, in units of one length of the configuration."""

    is_soft: Bool[Array, " rows"]
    """Whether the row is one; of the others nothing else counts."""
    aspect: Int[Array, " rows"]
    """Number of the aspect."""
    centre: Float[Array, "rows dim"]
    """Centre, over the unit."""
    axes: Float[Array, "rows dim dim"]
    """Unit vectors along the edges, one a row."""
    side: Float[Array, " rows"]
    """Longest side, over the unit."""
    susceptibility: Float[Array, " rows"]
    """chi."""


def turned_back(axes: Float[Array, "rows dim dim"], vectors: Float[Array, "rows ... dim"]) -> Array:
    """Vectors in the frames of boxes, from those in the frame of the laboratory."""
    return jnp.einsum("red,r...d->r...e", axes, vectors)


def turned(axes: Float[Array, "rows dim dim"], vectors: Float[Array, "rows ... dim"]) -> Array:
    """Vectors in the frame of the laboratory, from those in the frames of boxes."""
    return jnp.einsum("red,r...e->r...d", axes, vectors)


def places_of(
    boxes: Boxes, places: Float[Array, "rows dipoles dim"]
) -> Float[Array, "rows dipoles dim"]:
    """Places in the laboratory, over the unit, from places in boxes of unit longest side."""
    centre, side = boxes.centre[:, None], boxes.side[:, None, None]
    found: Array = centre + side * turned(boxes.axes, places)
    return found


def coefficients(
    boxes: Boxes,
    own_field: Float[Array, "rows modes modes"],
    moments: Float[Array, "rows modes dipoles dim"],
    places: Float[Array, "rows dipoles dim"],
    field: Float[Array, "rows dipoles dim"],
    remanent: Float[Array, "rows modes"],
) -> Float[Array, "rows modes"]:
    """Coefficients a of the modes, which solve a linear system of all bodies.

        a_i = r_i + chi_i (S a_i + h_i + sum_j K_ij a_j),

    where r is the remanent magnetisation, S the field of a mode in its own body, h the field of
    magnets and applied fields, K that of the modes of other bodies, all projected on the modes:
    h_ik = sum_p Q_ikp . H(x_p) with the dipoles Q_ikp at x_p that stand for mode k. By reciprocity
    K_ij is the transpose of K_ji, but for the volumes of both.

    Args:
        boxes: The boxes.
        own_field: S.
        moments: Q, in boxes of unit longest side.
        places: x, in the laboratory, over the unit.
        field: H of magnets and applied fields at these places [A/m].
        remanent: r [A/m].

    Returns:
        a [A/m]; 0 in rows that are no soft box.
    """
    rows, modes = remanent.shape
    dim = places.shape[-1]
    chi = jnp.where(boxes.is_soft, boxes.susceptibility, 0)
    tests = turned(boxes.axes, moments)
    external = jnp.einsum("ikpd,ipd->ik", tests, field)

    first, second = np.triu_indices(rows, 1)

    none = jnp.zeros((modes, modes), field.dtype)

    def between(pair: tuple[Int[Array, ""], Int[Array, ""]]) -> Float[Array, "modes modes"]:
        i, j = pair
        is_pair = boxes.is_soft[i] & boxes.is_soft[j]
        # In a batch with other pairs: rows that are no soft box may share their places.
        other = jnp.where(is_pair, places[j], places[i] + 1)

        def projected() -> Float[Array, "modes modes"]:
            tensor, found = _dipole_tensor(places[i], other), none
            for a in range(dim):
                along = sum(tensor[a][b] @ tests[j, :, :, b].T for b in range(dim))
                found = found + tests[i, :, :, a] @ along
            return jnp.where(is_pair, found, none)

        return where_needed(is_pair, projected, lambda: none)

    # A few pairs at a time, as a tensor of all pairs of dipoles is large; where it is one, those
    # of rows that are no soft box take no time.
    at_once = _NUMBERS_AT_ONCE // (dim * places.shape[1]) ** 2
    pairs = (jnp.asarray(first), jnp.asarray(second))
    half = jax.lax.map(between, pairs, batch_size=at_once if at_once > 1 else None)
    across = jnp.zeros((rows, rows, modes, modes), half.dtype).at[first, second].set(half)
    across = across + jnp.moveaxis(across, (0, 1, 2, 3), (1, 0, 3, 2))
    across = across * boxes.side[None, :, None, None] ** dim
    own = jnp.where(boxes.is_soft[:, None, None], own_field, 0)
    number = np.arange(rows)
    response = across.at[number, number].add(own)
    matrix = -chi[:, None, None, None] * response
    matrix = jnp.moveaxis(matrix, 1, 2).reshape(rows * modes, rows * modes)
    right = jnp.where(boxes.is_soft[:, None], remanent + chi[:, None] * external, 0)
    matrix = matrix + jnp.eye(rows * modes, dtype=matrix.dtype)
    found: Array = jnp.linalg.solve(matrix, right.reshape(-1)).reshape(rows, modes)
    return found


def _dipole_tensor(
    to: Float[Array, "dipoles dim"], of: Float[Array, "dipoles dim"]
) -> list[list[Float[Array, "dipoles dipoles"]]]:
    """Field at places `to` of unit moments at places `of`, an array for each pair of components.

    As one array its parts would be computed once for each component, and moved once more.
    """
    offset = [a[:, None] - b[None] for a, b in zip(components(to), components(of), strict=True)]
    dim, square = len(offset), dot(offset, offset)
    scale = 1 / (full_angle(dim) * (square if dim == 2 else square * jnp.sqrt(square)))
    radial = dim * scale / square
    return [
        [radial * offset[a] * offset[b] - (scale if a == b else 0) for b in range(dim)]
        for a in range(dim)
    ]

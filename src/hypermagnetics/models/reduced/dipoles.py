"""Dipoles inside a box whose field outside is that of its modes."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from hypermagnetics.models.reduced.divided_box import Cells, DividedBox
from hypermagnetics.models.reduced.snapshots import places_around
from hypermagnetics.sources.values import full_angle

_LAYERS = {2: ((0.035, 0.116), (0.15, 0.175)), 3: ((0.05, 0.12), (0.2, 0.25))}
"""Depth of each layer of dipoles under the surface, and their distance, in longest sides. Two
layers: the outer one alone leaves between its dipoles what the inner one smooths
(docs/decisions.md, Soft magnets)."""

_THIN = 0.5
"""Shortest side of a box below which the layers move outwards, as it has no room for them."""

_SMOOTH = 1.2
"""Distance from the surface, in cells, from which on a field has no more of the single cells."""

_POINTS = {2: 2000, 3: 2500}
"""Points at which the fields are made equal."""

_FAR = 4.0
"""Their largest distance."""

_TOTAL = 100.0
"""Weight of the total moment of a mode, which is the field far away."""

_RIDGE = 1e-8
"""Least singular value, over the largest."""


class Dipoles(NamedTuple):
    """Dipoles that stand for the modes of a box."""

    places: Float64[np.ndarray, "dipoles dim"]
    """Places in the box."""
    moments: Float64[np.ndarray, "modes dipoles dim"]
    """Moments for each mode."""


def dipole_places(box: DividedBox) -> Float64[np.ndarray, "dipoles dim"]:
    """Places of the dipoles: lattices on the surfaces of boxes within the box."""
    sides, found = np.array(box.sides), []
    for depth, distance in _LAYERS[box.dim]:
        inner = sides - 2 * depth * min(1, sides.min() / _THIN)
        counts = np.maximum(np.rint(inner / distance).astype(int) + 1, 2)
        axes = [np.linspace(-0.5, 0.5, n) * side for n, side in zip(counts, inner, strict=True)]
        lattice = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, box.dim)
        on_surface = np.isclose(np.abs(lattice), inner / 2).any(axis=1)
        found.append(lattice[on_surface])
    return np.concatenate(found)


def dipoles_of(box: DividedBox, modes: Cells, gap: float, random: np.random.Generator) -> Dipoles:
    """Fit the moments of dipoles to the fields of modes, everywhere beyond a gap.

    The squares of the errors of the field are summed over points at distances from the gap to some
    sides, each over the square of the field of all modes there. So near to the surface that the
    field varies from cell to cell, which that of a continuous magnetisation does not, they count
    less, by the square of the distance.

    By reciprocity the same dipoles measure: the integral of B_k . H over the box is the sum of
    their moments times H at their places, for any field H of sources beyond the gap.

    Args:
        box: The box.
        modes: Magnetisation of its modes.
        gap: Least distance from the surface.
        random: Random numbers.

    Returns:
        The dipoles.
    """
    points = places_around(box, gap, _FAR, _POINTS[box.dim], random)
    field = box.field(modes, points)
    smooth = np.minimum(box.gap(points) / (_SMOOTH * box.cell.max()), 1) ** 2
    weight = smooth / np.sqrt(np.sum(field**2, axis=(0, 2)))
    places = dipole_places(box)
    tensor = weight[:, None, None, None] * _dipole_tensor(points[:, None] - places)
    wanted = weight[:, None, None] * np.moveaxis(field, 0, 2)
    size = box.dim * len(places)
    total = np.tile(np.eye(box.dim), (1, len(places)))
    moment = box.cell_volume * modes.sum(axis=1).T
    found = np.linalg.lstsq(
        np.concatenate([np.moveaxis(tensor, 2, 1).reshape(-1, size), _TOTAL * total]),
        np.concatenate([wanted.reshape(-1, len(modes)), _TOTAL * moment]),
        rcond=_RIDGE,
    )[0]
    return Dipoles(places, found.T.reshape(len(modes), len(places), box.dim))


def _dipole_tensor(
    displacement: Float64[np.ndarray, "points dipoles dim"],
) -> Float64[np.ndarray, "points dipoles dim dim"]:
    """Field of unit moments: (n d d^T / d² - 1) / (A d^n) in n dimensions, A = 2 pi or 4 pi."""
    dim = displacement.shape[-1]
    square = np.sum(displacement**2, axis=-1)[..., None, None]
    along = dim * displacement[..., :, None] * displacement[..., None, :] / square
    found: np.ndarray = (along - np.eye(dim)) / (full_angle(dim) * square ** (dim / 2))
    return found

"""A soft box divided into cells: its response to any field, by its symmetries."""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64, Int64

from hypermagnetics.sources.kinds import KINDS
from hypermagnetics.sources.kinds.box import BoxKind
from hypermagnetics.sources.kinds.demagnetising import box_tensor
from hypermagnetics.sources.superposition import superposition
from hypermagnetics.table import DIMENSIONS, SHAPES, SIZES, SourceColumns

_POINTS_AT_ONCE = 16

Cells = Float64[np.ndarray, "bodies cells dim"]
"""Vectors in the cells of a box, for several magnetisations."""

Parity = tuple[int, ...]
"""Of a potential, 1 or -1 at the reflection of each axis."""


@dataclass(frozen=True)
class DividedBox:
    """A box of sides a around the origin, in n equal cells along each axis, of unit longest side.

    Cell c has a uniform magnetisation M_c, and the field at the centres of the cells is that of all
    cells and of the surroundings, M_c = chi (H_c + sum_d T(r_c - r_d) M_d). A box is the same after
    a reflection, so that T falls into blocks, one for each parity of the potential; each is
    diagonal in its eigenvectors, which serve every chi.

    References:
        Newell, Williams, Dunlop, J. Geophys. Res. 98, 9551 (1993): the demagnetising tensor T.
    """

    sides: tuple[float, ...]
    """a, without unit; the longest is 1."""
    divisions: int
    """n, even."""

    @property
    def dim(self) -> int:
        """Space dimension."""
        return len(self.sides)

    @property
    def cell(self) -> Float64[np.ndarray, " dim"]:
        """Sides of a cell."""
        return np.array(self.sides) / self.divisions

    @property
    def cell_volume(self) -> float:
        """Volume of a cell."""
        return float(np.prod(self.cell))

    @property
    def volume(self) -> float:
        """Volume of the box."""
        return math.prod(self.sides)

    @cached_property
    def indices(self) -> Int64[np.ndarray, "cells dim"]:
        """Numbers of the cells along the axes, the last axis fastest."""
        return np.indices((self.divisions,) * self.dim).reshape(self.dim, -1).T

    @cached_property
    def centres(self) -> Float64[np.ndarray, "cells dim"]:
        """Centres of the cells."""
        places: np.ndarray = (self.indices + 0.5 - 0.5 * self.divisions) * self.cell
        return places

    @cached_property
    def uniform(self) -> Cells:
        """Uniform magnetisations along the axes."""
        return np.tile(np.eye(self.dim)[:, None], (1, len(self.centres), 1))

    @cached_property
    def cell_columns(self) -> SourceColumns:
        """Columns of a source table of cells."""
        (body,) = (
            name
            for name, kind in KINDS.items()
            if isinstance(kind, BoxKind) and self.dim in DIMENSIONS[name]
        )
        sizes = [name for name in SHAPES[body] if name in SIZES]
        return SourceColumns.of(body, constants=dict(zip(sizes, self.cell.tolist(), strict=True)))

    def field(
        self, magnetisation: Cells, points: Float64[np.ndarray, "points dim"]
    ) -> Float64[np.ndarray, "bodies points dim"]:
        """Field of magnetisations outside of the box."""
        with jax.enable_x64(True):
            arrays = (points, self.centres, self.cell, magnetisation)
            return np.asarray(_field_of_cells(*map(jnp.asarray, arrays)))

    @cached_property
    def parities(self) -> tuple[Parity, ...]:
        """All parities of a potential."""
        return tuple(itertools.product((1, -1), repeat=self.dim))

    def of_parity(self, vectors: Cells, parity: Parity) -> Float64[np.ndarray, "bodies numbers"]:
        """The part of a parity, by its numbers in an octant, in 2D a quadrant; an isometry."""
        parts = (
            vectors[:, image] * self._signs(parity, flipped)
            for flipped, image in zip(self._reflections, self._images, strict=True)
        )
        total: np.ndarray = sum(parts, start=np.zeros(1)) / math.sqrt(len(self._images))
        return total.reshape(len(vectors), -1)

    def whole(self, numbers: Float64[np.ndarray, "bodies numbers"], parity: Parity) -> Cells:
        """Vectors in all cells from the numbers of one parity, see `of_parity`."""
        octant = numbers.reshape(len(numbers), -1, self.dim) / math.sqrt(len(self._images))
        found = np.zeros((len(numbers), *self.centres.shape))
        for flipped, image in zip(self._reflections, self._images, strict=True):
            found[:, image] = octant * self._signs(parity, flipped)
        return found

    def own_field(
        self, numbers: Float64[np.ndarray, "bodies numbers"], parity: Parity
    ) -> Float64[np.ndarray, "bodies numbers"]:
        """Field T M of magnetisations of one parity, at the centres of the cells."""
        values, vectors = self._eigen[parity]
        found: np.ndarray = (numbers @ vectors * values) @ vectors.T
        return found

    def response(self, field: Cells, susceptibility: Float64[np.ndarray, " bodies"]) -> Cells:
        """Magnetisation M = chi (H + T M) in the fields of the surroundings.

        Args:
            field: H at the centres of the cells.
            susceptibility: chi > 0, of each body.
        """
        total = np.zeros_like(field)
        for parity, (values, vectors) in self._eigen.items():
            along = self.of_parity(field, parity) @ vectors
            found = along / (1 / susceptibility[:, None] - values)
            total += self.whole(found @ vectors.T, parity)
        return total

    def own_potential(self, magnetisation: Cells) -> Float64[np.ndarray, "bodies cells"]:
        """Potential of magnetisations at the centres of the cells, in units of the longest side."""
        from scipy.signal import fftconvolve  # with statistics: a second of imports

        potential, _ = self._of_differences
        shape = (len(magnetisation), *(self.divisions,) * self.dim)
        total = np.zeros(shape)
        for axis in range(self.dim):
            values = magnetisation[..., axis].reshape(shape)
            # Of all differences those between two cells of the box.
            whole = fftconvolve(values, potential[None, ..., axis], axes=range(1, self.dim + 1))
            kept = slice(self.divisions - 1, 2 * self.divisions - 1)
            total += whole[(slice(None), *(kept,) * self.dim)]
        return total.reshape(len(magnetisation), -1)

    def norms(self, vectors: Cells) -> Float64[np.ndarray, " bodies"]:
        """Root of the integral of the square over the box."""
        found: np.ndarray = np.sqrt(self.cell_volume * np.sum(vectors**2, axis=(1, 2)))
        return found

    def gap(self, points: Float64[np.ndarray, "points dim"]) -> Float64[np.ndarray, " points"]:
        """Distance of points from the box; 0 inside."""
        beyond = np.maximum(np.abs(points) - np.array(self.sides) / 2, 0)
        found: np.ndarray = np.linalg.norm(beyond, axis=-1)
        return found

    @cached_property
    def _reflections(self) -> tuple[tuple[bool, ...], ...]:
        return tuple(itertools.product((False, True), repeat=self.dim))

    @cached_property
    def _images(self) -> tuple[Int64[np.ndarray, " octant"], ...]:
        """Numbers of the images of the octant's cells, for each reflection."""
        half = self.divisions // 2
        within = np.indices((half,) * self.dim).reshape(self.dim, -1)
        images = []
        for flipped in self._reflections:
            axes = [
                half - 1 - own if flip else half + own
                for own, flip in zip(within, flipped, strict=True)
            ]
            images.append(np.ravel_multi_index(axes, (self.divisions,) * self.dim))
        return tuple(images)

    def _signs(self, parity: Parity, flipped: tuple[bool, ...]) -> Float64[np.ndarray, " dim"]:
        """Signs of the components of M = -grad phi at the image of a reflection."""
        even = math.prod(sign for sign, flip in zip(parity, flipped, strict=True) if flip)
        return np.array([-even if flip else even for flip in flipped], np.float64)

    @cached_property
    def _eigen(self) -> Mapping[Parity, tuple[np.ndarray, np.ndarray]]:
        """Eigenvalues and eigenvectors of T, for each parity."""
        _, tensor = self._of_differences
        octant, found = self.indices[self._images[0]], {}
        shift = self.divisions - 1
        blocks = [
            tensor[tuple(np.moveaxis(octant[:, None] - self.indices[image][None] + shift, -1, 0))]
            for image in self._images
        ]
        for parity in self.parities:
            total = sum(
                (
                    block * self._signs(parity, flipped)
                    for flipped, block in zip(self._reflections, blocks, strict=True)
                ),
                start=np.zeros(1),
            )
            count = len(octant) * self.dim
            matrix = np.moveaxis(total, 2, 1).reshape(count, count)
            found[parity] = np.linalg.eigh((matrix + matrix.T) / 2)
        return found

    @cached_property
    def _of_differences(
        self,
    ) -> tuple[Float64[np.ndarray, "*differences dim"], Float64[np.ndarray, "*shape dim dim"]]:
        """Potential and field T of a cell of unit magnetisations at all differences of centres."""
        count = 2 * self.divisions - 1
        steps = np.indices((count,) * self.dim).reshape(self.dim, -1).T - (self.divisions - 1)
        values = [
            superposition(self.cell_columns, row, steps * self.cell)
            for row in np.eye(self.dim, 2 * self.dim)[:, None] * self.cell_volume
        ]
        potential, field = (
            np.stack([np.asarray(one[part]) for one in values], axis=-1) for part in (0, 1)
        )
        shape = (count,) * self.dim
        return potential.reshape(*shape, -1), field.reshape(*shape, self.dim, self.dim)


@jax.jit
def _field_of_cells(
    points: Float[Array, "points dim"],
    centres: Float[Array, "cells dim"],
    sides: Float[Array, " dim"],
    magnetisation: Float[Array, "bodies cells dim"],
) -> Float[Array, "bodies points dim"]:
    """Field of cells, by one tensor of a point and a cell for all magnetisations."""

    def at(point: Float[Array, " dim"]) -> Float[Array, "bodies dim"]:
        tensor = box_tensor(point[None] - centres, sides[None])
        return -jnp.einsum("cij,bcj->bi", tensor, magnetisation)

    found = jax.lax.map(at, points, batch_size=_POINTS_AT_ONCE)
    return jnp.moveaxis(found, 0, 1)

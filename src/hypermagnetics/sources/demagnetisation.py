"""Potential and field of a raster of magnetisation: a convolution with those of one cell."""

from functools import lru_cache
from typing import Literal

import jax
import numpy as np
import scipy.fft
from jaxtyping import Array, Complex128, Float, Float64

from hypermagnetics.sources.superposition import superposition
from hypermagnetics.table import SHAPES, SIZES, BodyName, SourceColumns

RasterQuantity = Literal["potential", "field"]

_CELLS: dict[int, BodyName] = {2: "rectangle", 3: "cuboid"}


def cell_kernel(
    sides: tuple[int, ...], spacing: float, quantity: RasterQuantity
) -> Float64[np.ndarray, "components dim *double"]:
    """Potential, or field, of a cell of unit magnetisation along each axis, exactly.

    Args:
        sides: Points of a grid along each axis.
        spacing: Their distance, the side of a cell [m].
        quantity: The quantity.

    Returns:
        Values at every offset between two points of the grid, in the order of a cyclic convolution
        of twice the sides: offset o stands at o modulo 2 n, and nothing at n. Potential [A] and
        field [A/m], of a magnetisation of 1 A/m.
    """
    dim = len(sides)
    body = _CELLS[dim]
    sizes = {name: 1.0 for name in SHAPES[body] if name in SIZES}
    columns = SourceColumns.of(body, constants=sizes)
    offsets = [np.arange(1 - side, side, dtype=np.float64) for side in sides]
    points = np.stack(np.meshgrid(*offsets, indexing="ij"), axis=-1).reshape(-1, dim)
    found = []
    for axis in range(dim):
        row = np.zeros((1, 2 * dim))
        row[0, axis] = 1.0  # of a cell of side 1
        # At once, also where a model is traced for the shapes of its arrays alone.
        with jax.enable_x64(True), jax.ensure_compile_time_eval():
            potential, field = superposition(columns, row, points)
        values = np.asarray(potential)[:, None] * spacing if quantity == "potential" else field
        found.append(np.asarray(values).T.reshape(-1, *map(len, offsets)))
    kernel = np.zeros((found[0].shape[0], dim, *(2 * side for side in sides)))
    places = [offset.astype(int) % (2 * side) for offset, side in zip(offsets, sides, strict=True)]
    every = np.ix_(*map(np.arange, kernel.shape[:2]), *places)
    kernel[every] = np.stack(found, axis=1)
    return kernel


def demagnetisation(
    magnetisation: Float[np.ndarray, "samples dim *sides"] | Float[Array, "samples dim *sides"],
    spacing: float,
    quantity: RasterQuantity,
) -> Float64[np.ndarray, "samples components *sides"]:
    """Potential, or field, at the points of a raster, by FFT in float64.

    It is exact for cells of constant magnetisation, with nothing outside of the grid.

    Args:
        magnetisation: Of each cell [A/m].
        spacing: Side of a cell [m].
        quantity: The quantity.

    Returns:
        Potential [A] or field [A/m].
    """
    sides = magnetisation.shape[2:]
    axes, double = tuple(range(2, 2 + len(sides))), [2 * side for side in sides]
    spectrum = scipy.fft.rfftn(np.asarray(magnetisation, np.float64), double, axes)
    product = np.einsum("cd...,sd...->sc...", _spectrum(sides, spacing, quantity), spectrum)
    whole = scipy.fft.irfftn(product, double, axes)
    found: np.ndarray = whole[(slice(None), slice(None), *map(slice, sides))]
    return found


@lru_cache(maxsize=2)
def _spectrum(
    sides: tuple[int, ...], spacing: float, quantity: RasterQuantity
) -> Complex128[np.ndarray, "components dim *frequencies"]:
    """Discrete Fourier transform of a kernel, which many blocks of one grid share."""
    kernel = cell_kernel(sides, spacing, quantity)
    found: np.ndarray = scipy.fft.rfftn(kernel, axes=tuple(range(2, kernel.ndim)))
    return found

"""Rasters of the magnetisation: its means over the cells around the points of a regular grid."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from hypermagnetics.shapes import SourceTables
from hypermagnetics.sources.geometry import magnetisation_of_source, rounding_unit
from hypermagnetics.table import SourceColumns


class Raster(NamedTuple):
    """A regular grid whose points are the centres of cells."""

    sides: tuple[int, ...]
    """Points along each axis."""
    spacing: float
    """Distance of neighbouring points, the side of a cell [m]."""
    subpoints: int
    """Points along each axis of a cell over which the mean is taken."""
    reach: float
    """Largest distance of a point of a body from its position [m]."""

    @property
    def window(self) -> tuple[int, ...]:
        """Cells along each axis that hold the largest body, wherever it lies."""
        most = int(2 * self.reach / self.spacing) + 2
        return tuple(min(most, side) for side in self.sides)


def cell_means(
    columns: SourceColumns, raster: Raster, sources: SourceTables, origin: Float[Array, " dim"]
) -> Float[Array, "samples dim *sides"]:
    """Mean of the magnetisation over each cell of a grid, over equally spaced points of the cell.

    The mean, and not the value at the centre, as it has a twentieth of the error of the potential
    that follows from the raster: a body's edge moves through a cell, and does not jump.

    Each body is looked at in a window of cells around it alone.

    Args:
        columns: Columns of the source tables.
        raster: The grid.
        sources: Source tables; rows of no moment are padding.
        origin: The first point of the grid [m].

    Returns:
        Magnetisation [A/m]; where bodies overlap, the sum.
    """
    dim, unit = columns.dim, rounding_unit(sources, origin)
    window, sides, spacing = raster.window, raster.sides, raster.spacing
    within = (np.arange(raster.subpoints) + 0.5) / raster.subpoints - 0.5
    dtype = jnp.result_type(sources, origin)
    # Coordinates along one axis of the window, in cells from the first one: (cells, subpoints).
    along = [jnp.asarray(np.arange(count)[:, None] + within, dtype) for count in window]

    def of_source(row: Float[Array, " columns"]) -> Float[Array, "dim *sides"]:
        position = row[dim : 2 * dim]
        edges = (position - raster.reach - origin) / spacing
        most = jnp.asarray([side - count for side, count in zip(sides, window, strict=True)])
        # A window as long as the grid begins with it.
        first = jnp.where(most > 0, jnp.floor(edges + 0.5).astype(jnp.int32), 0)
        axes = [
            (origin[i] + spacing * (first[i].astype(dtype) + cells)).reshape(-1)
            for i, cells in enumerate(along)
        ]
        points = jnp.stack(jnp.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, dim)
        found = jnp.stack(magnetisation_of_source(columns, unit, points, row))
        cells = found.reshape(dim, *(n for count in window for n in (count, raster.subpoints)))
        means = jnp.mean(cells, axis=tuple(range(2, 2 + 2 * dim, 2)))
        for axis, (count, side) in enumerate(zip(window, sides, strict=True)):
            # A product with zeros and ones, and no scattering, whose order a GPU leaves open.
            places = first[axis] + jnp.arange(count)
            chosen = (places[:, None] == jnp.arange(side)[None]).astype(dtype)
            means = jnp.moveaxis(
                jnp.tensordot(means, chosen, (1 + axis, 0), precision="highest"), -1, 1 + axis
            )
        return means

    def add(
        total: Float[Array, "samples dim *sides"], rows: Float[Array, "samples columns"]
    ) -> tuple[Float[Array, "samples dim *sides"], None]:
        return total + jax.vmap(of_source)(rows), None

    zero = jnp.zeros((len(sources), dim, *sides), dtype)
    total: Float[Array, "samples dim *sides"]
    total, _ = jax.lax.scan(add, zero, jnp.moveaxis(sources, 1, 0))
    return total

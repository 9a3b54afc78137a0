"""Whole maps of a split, put together from the crops that a network reads."""

from collections.abc import Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from hypermagnetics.data import CropConfig, read_batch
from hypermagnetics.data.array_view import read_array_batch
from hypermagnetics.jax_setup import own_program
from hypermagnetics.models import ArrayModel, MapFrame
from hypermagnetics.models.map_arrays import ReadAndGiven, SourceMaps, maps_of_arrays
from hypermagnetics.models.map_data import (
    ArrayMapData,
    MapData,
    SourceMapData,
    covering_crops,
    grid_crops,
)


class Mapper:
    """Predicts whole maps, block by block."""

    def __init__(self, model: ArrayModel, frame: MapFrame, data: MapData) -> None:
        """Store the parts; the first block compiles.

        Args:
            model: The network.
            frame: Its grids, on the grid of the data; see `frame_on`.
            data: The split.
        """
        self._model, self._data = model, data
        self._crops = covering_crops(frame, data.grid)
        maps = data.maps(frame) if isinstance(data, SourceMapData) else None

        @own_program
        def predict(model: ArrayModel, *arrays: jax.Array) -> jax.Array:
            found = _read_and_given(maps, frame, *arrays)
            return model(found.inputs)

        self._predict = predict

    def __call__(self, block: int) -> np.ndarray:
        """The predicted maps of a block, without those that fill it up."""
        if self._crops is None:
            return self._of_crop(block, None)
        crops = self._crops
        parts = (
            np.moveaxis(self._of_crop(block, crops.points(number)), 1, -1)
            for number in range(len(crops))
        )
        return np.moveaxis(crops.assemble(parts), -1, 1)

    def _of_crop(self, block: int, points: np.ndarray | None) -> np.ndarray:
        arrays, count = _arrays(self._data, block, points)
        return np.asarray(self._predict(self._model, *map(jnp.asarray, arrays)))[:count]


def _arrays(
    data: MapData, block: int, points: np.ndarray | None
) -> tuple[tuple[np.ndarray, ...], int]:
    """The arrays of a block at some points, filled up to the size of a block, and its samples."""
    if isinstance(data, ArrayMapData):
        chosen = None if points is None else points[None]
        batch = read_array_batch(data.view, (block,), chosen)
        both = batch.arrays["inputs"][0], batch.arrays["targets"][0]
        return both, int(batch.num_samples[0])
    found = read_batch(data.split, (block,), points)
    parts = found.sources[0], found.grid[0], found.potential[0], found.field[0]
    return parts, int(found.num_samples[0])


def _read_and_given(maps: SourceMaps | None, frame: MapFrame, *arrays: jax.Array) -> ReadAndGiven:
    if maps is None:
        return maps_of_arrays(frame, *arrays)
    sources, points, potential, field = arrays
    return maps.of_block(sources, points, potential, field)


def true_maps(data: MapData, block: int) -> dict[str, np.ndarray]:
    """The true maps of a block on the grid without its halo, by name."""
    if isinstance(data, ArrayMapData):
        (arrays,) = data.view.read((block,))
        return {"inputs": arrays["inputs"], "targets": arrays["targets"]}
    grid, dim = data.grid, data.split.layout.dim
    found = data.split.block(block)
    sides = tuple(side + 2 * grid.halo for side in grid.sides)
    inner = tuple(slice(grid.halo, grid.halo + side) for side in grid.sides)
    potential = found.potential.reshape(-1, 1, *sides)
    field = np.moveaxis(found.field.reshape(-1, *sides, dim), -1, 1)
    every = (slice(None), slice(None), *inner)
    return {"potential": potential[every], "field": field[every]}


def margin_of(stride: int, halo: int) -> int:
    """Points of the halo at each side that a raster has, on the lattice of the points read."""
    return halo // stride * stride


def rasters(data: SourceMapData, frame: MapFrame, blocks: Sequence[int]) -> Iterator[np.ndarray]:
    """Magnetisation of each block, on the stored points that are read, and on those of the halo.

    Args:
        data: The split.
        frame: Grids of the network, whose stride and subpoints count.
        blocks: Numbers of the blocks.

    Yields:
        (samples, dim, *sides) [A/m], from `margin_of` points before the first point of the map.
    """
    grid, margin = data.grid, margin_of(frame.stride, data.grid.halo)
    whole = MapFrame(
        inputs=("magnetisation",),
        targets=("potential",),
        dim=frame.dim,
        core=grid.sides,
        pad=margin,
        stride=frame.stride,
        spacing=frame.spacing,
        subpoints=frame.subpoints,
    )
    points = None
    if margin != grid.halo:
        config = CropConfig(size=grid.sides[0], pad=margin)
        points = grid_crops(whole, grid, config).points(0)
    of_block = jax.jit(data.maps(whole).of_block)
    for block in blocks:
        arrays, count = _arrays(data, block, points)
        yield np.asarray(of_block(*map(jnp.asarray, arrays)).inputs)[:count]

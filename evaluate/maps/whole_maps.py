"""Whole maps of a split, put together from the crops that a network reads."""

from collections.abc import Iterator, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from hypermagnetics.data import CropConfig, Crops, GridShape, read_batch
from hypermagnetics.data.array_view import read_array_batch
from hypermagnetics.data.boundary import Boundary
from hypermagnetics.models import ArrayModel, MapFrame
from hypermagnetics.models.map_arrays import ReadAndGiven, SourceMaps, maps_of_arrays
from hypermagnetics.models.map_data import ArrayMapData, MapData, MapGrid, SourceMapData


def frame_on(frame: MapFrame, grid: MapGrid) -> MapFrame:
    """The frame of a network on a grid: of crops as it is, of whole maps with its sides."""
    if frame.is_cropped or frame.core == grid.sides:
        return frame
    return MapFrame(**{**frame.model_dump(), "core": grid.sides})


def crops_of(frame: MapFrame, grid: MapGrid) -> Crops | None:
    """The crops that cover a grid; None if one crop is all of its points.

    Where a network reads every `stride`-th point, all crops read points of the same lattice.

    Raises:
        RecipeError: If the grid has no such crops.
    """
    if not frame.is_cropped and frame.pad == grid.halo:
        return None
    size = frame.core[0]
    config = CropConfig(size=size, pad=frame.pad)
    if frame.stride > 1 and (rest := grid.sides[0] - size) > 0:
        steps = range(frame.stride, size + 1, frame.stride)
        # The rest is a multiple of the stride, as the first and last points are read.
        step = max((step for step in steps if rest % step == 0), default=1)
        config = CropConfig(size=size, pad=frame.pad, stop=rest + 1, step=step)
    return grid_crops(grid, config, frame.dim, frame.boundary)


def grid_crops(grid: MapGrid, config: CropConfig, dim: int, boundary: Boundary) -> Crops:
    """Crops of the grid of some maps."""
    shape = GridShape(points_per_side=grid.sides[0] + 2 * grid.halo, halo=grid.halo)
    return Crops(shape, config, dim, boundary)


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
        self._crops = crops_of(frame, data.grid)
        self._sides = data.grid.sides
        maps = data.maps(frame) if isinstance(data, SourceMapData) else None

        @eqx.filter_jit
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


def rasters(data: SourceMapData, frame: MapFrame, blocks: Sequence[int]) -> Iterator[np.ndarray]:
    """Magnetisation of each block, on all stored points that are read, the halo included.

    Args:
        data: The split.
        frame: Grids of the network, whose stride and subpoints count.
        blocks: Numbers of the blocks.

    Yields:
        (samples, dim, *sides) [A/m].
    """
    grid = data.grid
    whole = MapFrame(
        inputs=("magnetisation",),
        targets=("potential",),
        dim=frame.dim,
        core=tuple(side + 2 * grid.halo for side in grid.sides),
        stride=frame.stride,
        spacing=frame.spacing,
        subpoints=frame.subpoints,
    )
    of_block = jax.jit(data.maps(whole).of_block)
    for block in blocks:
        arrays, count = _arrays(data, block, None)
        yield np.asarray(of_block(*map(jnp.asarray, arrays)).inputs)[:count]

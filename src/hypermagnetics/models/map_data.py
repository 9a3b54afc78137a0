"""Splits of maps: of sources on a regular grid, or of imported arrays."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hypermagnetics.data import CropConfig, Crops, Dataset, GridShape, Split
from hypermagnetics.data.array_view import ArrayView, names_of
from hypermagnetics.data.npy_maps import is_map
from hypermagnetics.errors import DatasetError, RecipeError
from hypermagnetics.models.array_inputs import ArrayInputs, ArrayScales
from hypermagnetics.models.map_arrays import SourceMaps, reach_of
from hypermagnetics.models.map_frame import MapFrame, MapInput, MapTarget
from hypermagnetics.sources.kinds import KINDS
from hypermagnetics.table import SourceColumns

_EDGE = 1e-4
"""Part of a cell by which a body may lie beyond the edge, as recipes and float32 round."""
_EXAMPLES = 256
"""Samples whose rasters give the unit of the magnetisation."""


class MapGrid(NamedTuple):
    """The grid of the maps of a split."""

    sides: tuple[int, ...]
    """Points along each axis, without the halo."""
    halo: int
    """Points beyond them at each side."""
    spacing: float | None
    """Distance of the points [m]; None of imported arrays."""

    def __str__(self) -> str:
        """Sizes of the grid, for messages."""
        halo = f" with a halo of {self.halo}" * (self.halo > 0)
        spacing = "" if self.spacing is None else f", {self.spacing:.4g} m apart"
        return f"{' x '.join(map(str, self.sides))} points{halo}{spacing}"


@dataclass(frozen=True)
class SourceMapData:
    """A split of sources on a regular grid."""

    split: Split
    columns: SourceColumns

    @property
    def data(self) -> Split:
        """The split, as a feed reads it."""
        return self.split

    @property
    def grid(self) -> MapGrid:
        """The grid.

        Raises:
            DatasetError: If points are of another kind.
        """
        shape, dim = self.split.layout.grid_shape, self.split.layout.dim
        if shape is None:
            raise DatasetError(
                "Maps must be on a regular grid, the same for all samples; got points of another "
                f'kind ({place_of(self)}). Generate a dataset with grid.kind = "regular", such '
                "as hm-generate maps."
            )
        found = self.split.statistics("grid")
        spacing = (found.max[0] - found.min[0]) / (shape.points_per_side - 1)
        return MapGrid((shape.resolution,) * dim, shape.halo, spacing)

    def maps(self, frame: MapFrame) -> SourceMaps:
        """The maps of its blocks."""
        largest = dict(zip(self.columns.names, self.split.statistics("sources").max, strict=True))
        return SourceMaps(frame, self.columns, reach_of(self.columns, largest))

    def unit_of_norm(self, name: MapInput | MapTarget, frame: MapFrame) -> float:
        """Root mean square of the norm of a map: of the magnetisation over the first samples."""
        match name:
            case "potential" | "field":
                found = self.split.statistics(name)
                return _rms(found.mean, found.std)
            case "magnetisation":
                return self._rms_of_raster(frame)
            case _:
                raise TypeError("a dataset of sources has no other maps")

    def inputs(self, frame: MapFrame) -> ArrayInputs:
        """Shapes and scales of the maps that a network reads and gives.

        Scales are root mean squares, and nothing is shifted, as fields are linear in their sources.
        """
        return ArrayInputs(
            input=self._scales(frame.inputs, frame.read, frame),
            target=self._scales(frame.targets, frame.core, frame),
            map=frame,
        )

    def _scales(
        self,
        names: tuple[MapInput | MapTarget, ...],
        sides: tuple[int, ...],
        frame: MapFrame,
    ) -> ArrayScales:
        scale: list[float] = []
        for name in names:
            count = frame.num_channels(name, 0)
            scale += [self.unit_of_norm(name, frame) / count**0.5 or 1.0] * count
        return ArrayScales(
            name=" and ".join(names),
            shape=(len(scale), *sides),
            unit=", ".join(dict.fromkeys("A" if n == "potential" else "A/m" for n in names)),
            channel_axis=0,
            shift=(0.0,) * len(scale),
            scale=tuple(scale),
        )

    def _rms_of_raster(self, frame: MapFrame) -> float:
        layout, dim = self.split.layout, frame.dim
        whole = MapFrame(
            inputs=("magnetisation",),
            targets=("potential",),
            dim=dim,
            core=(round(layout.num_points ** (1 / dim)),) * dim,
            stride=frame.stride,
            spacing=frame.spacing,
            subpoints=frame.subpoints,
        )
        of_block = jax.jit(self.maps(whole).of_block)
        total, count = 0.0, 0
        for number in range(layout.num_blocks):
            block = self.split.block(number)
            found = of_block(block.sources, block.grid, block.potential, block.field).inputs
            total += float(jnp.sum(found**2))
            count += found.size // dim
            if (number + 1) * layout.samples_per_block >= _EXAMPLES:
                break
        return float(np.sqrt(total / count))


@dataclass(frozen=True)
class ArrayMapData:
    """A split of imported maps, channels before the axes of space."""

    view: ArrayView

    @property
    def data(self) -> ArrayView:
        """The view, as a feed reads it."""
        return self.view

    @property
    def grid(self) -> MapGrid:
        """The grid, of unknown spacing.

        Raises:
            DatasetError: If arrays are no maps, or inputs and targets are at other points.
        """
        first, second = (self.view.viewed[role].shape for role in ("inputs", "targets"))
        for name, shape in (("inputs", first), ("targets", second)):
            if not is_map(shape):
                raise DatasetError(
                    "Maps must have shape (channels, x, y) or (channels, x, y, z) each; got "
                    f"{list(shape)} of the {name} ({place_of(self)}). Import arrays of that shape."
                )
        if first[1:] != second[1:]:
            raise DatasetError(
                "Inputs and targets of maps must have the same points; got "
                f"{list(first[1:])} and {list(second[1:])} ({place_of(self)}). For "
                "super-resolution import both on the fine grid, and set map.stride."
            )
        return MapGrid(first[1:], 0, None)

    def unit_of_norm(self, name: MapInput | MapTarget, frame: MapFrame) -> float:
        """Root mean square of the norm of a map less its mean, which may mean nothing."""
        assert name in ("inputs", "targets"), "imported arrays have no other maps"
        viewed = self.view.viewed[name]
        return _rms((0.0,), _each(viewed.statistics.std, viewed.shape[0]))

    def inputs(self, frame: MapFrame) -> ArrayInputs:
        """Shapes and scales of the maps that a network reads and gives.

        Each channel of the inputs is centred, and has a standard deviation of 1; targets are
        centred, with one scale for all, so that errors of all channels count alike.
        """
        first, second = (self.view.viewed[role] for role in ("inputs", "targets"))
        own = _each(first.statistics.std, first.shape[0])
        common = _rms((0.0,), second.statistics.std) / len(second.statistics.std) ** 0.5
        return ArrayInputs(
            input=ArrayScales(
                name=first.name,
                shape=(first.shape[0], *frame.read),
                unit=first.unit,
                channel_axis=0,
                shift=_each(first.statistics.mean, first.shape[0]),
                scale=tuple(std or 1.0 for std in own),
            ),
            target=ArrayScales(
                name=second.name,
                shape=(second.shape[0], *frame.core),
                unit=second.unit,
                channel_axis=0,
                shift=_each(second.statistics.mean, second.shape[0]),
                scale=(common or 1.0,) * second.shape[0],
            ),
            map=frame,
        )


MapData = SourceMapData | ArrayMapData


def map_data(
    dataset: Dataset, split: str, given_input: str | None = None, given_target: str | None = None
) -> MapData:
    """The maps of a split.

    Args:
        dataset: The dataset.
        split: Name of the split.
        given_input: Name of the imported array that is read; "inputs" if None.
        given_target: Name of the imported array that is given; "targets" if None.

    Raises:
        DatasetError: If there is no such split or array.
    """
    if dataset.has_sources:
        return SourceMapData(dataset.split(split), dataset.columns)
    found = dataset.any_split(split)
    names = names_of(found, given_input, given_target)
    return ArrayMapData(ArrayView(found, {"inputs": names["inputs"], "targets": names["targets"]}))


def frame_on(frame: MapFrame, grid: MapGrid) -> MapFrame:
    """The frame of a network on a grid: of crops as it is, of whole maps with its sides."""
    if frame.is_cropped or frame.core == grid.sides:
        return frame
    return frame.on(grid.sides, frame.pad)


def covering_crops(frame: MapFrame, grid: MapGrid) -> Crops | None:
    """The crops that cover a grid; None if one crop is all of its points.

    Where a network reads every `stride`-th point, all crops read points of the same lattice.

    Args:
        frame: Grids of the network; see `frame_on`.
        grid: The grid.

    Raises:
        RecipeError: If the grid has no such crops.
    """
    if not frame.is_cropped and frame.pad == grid.halo:
        return None
    size, stride = frame.core[0], frame.stride
    config = CropConfig(size=size, pad=frame.pad)
    if stride > 1 and (rest := grid.sides[0] - size) > 0:
        step = max(
            (step for step in range(stride, size + 1, stride) if rest % step == 0), default=0
        )
        if not step:
            raise RecipeError(
                f"Crops of which every {stride}-th point is read must cover the map from points "
                f"of one lattice; got crops of {size} points of {grid} (data.crop.size, "
                f"map.stride). Take a multiple of {stride} and one more."
            )
        config = CropConfig(size=size, pad=frame.pad, step=step)
    return grid_crops(frame, grid, config)


def grid_crops(frame: MapFrame, grid: MapGrid, config: CropConfig) -> Crops:
    """Crops of the grid of some maps.

    Args:
        frame: Grids of the network.
        grid: The grid.
        config: The crops.

    Raises:
        RecipeError: If the grid has no such crops.
    """
    if len(set(grid.sides)) > 1:
        raise RecipeError(
            "Crops, and padding, must be of maps with as many points along each axis; got "
            f'{grid} (data.crop). Leave it out, with a network of padding "same".'
        )
    is_imported = grid.spacing is None
    if is_imported and frame.boundary == "open" and frame.pad > 0:
        raise RecipeError(
            "Imported maps that are open must be read without padding, as nothing is known beyond "
            f"their edge; got {frame.pad} points (data.crop.pad, model.padding). Take a network of "
            'padding "same" and no data.crop.pad, or import periodic maps with --boundary periodic.'
        )
    shape = GridShape(points_per_side=grid.sides[0] + 2 * grid.halo, halo=grid.halo)
    return Crops(shape, config, frame.dim, frame.boundary)


def refuse_another_stride(frame: MapFrame, grid: MapGrid) -> None:
    """Refuse a stride that does not lead from one end of maps and crops to the other.

    Args:
        frame: Grids of the network, on those of the maps.
        grid: The grid.

    Raises:
        RecipeError: If it does not.
    """
    stride = frame.stride
    if frame.pad % stride:
        raise RecipeError(
            f"The padding must be a multiple of the stride, {stride}; got {frame.pad} "
            f"(data.crop.pad, map.stride). Take {frame.pad + -frame.pad % stride}."
        )
    if stride > 1 and frame.boundary == "periodic":
        raise RecipeError(
            "map.stride must be 1 for periodic maps, as a stride reads both ends, which are "
            f"neighbours there; got {stride} (map.stride). Import them as open maps, with their "
            "first points once more behind the last."
        )
    whole = [("points of the grid along each axis", side, 0) for side in grid.sides]
    crops = [("data.crop.size", side, frame.pad) for side in frame.padded] * frame.is_cropped
    for what, side, pad in (*crops, *whole):
        if (side - 1) % stride:
            nearest = max((side - 1) // stride, 1) * stride + 1 - 2 * pad
            raise RecipeError(
                f"A map of which every {stride}-th point is read must begin and end with one: "
                f"points - 1 must be a multiple of {stride}; got {side} points along an axis"
                f"{', padding included' * (pad > 0)} (map.stride). Take {nearest} or "
                f"{nearest + stride} for the {what}."
            )


def hidden_sources(frame: MapFrame, data: SourceMapData) -> str | None:
    """A sentence on sources that a map of the magnetisation does not show; None if it shows all.

    Args:
        frame: Grids of the network, on those of the data.
        data: The split.
    """
    if "magnetisation" not in frame.inputs:
        return None
    if frame.is_cropped:
        return (
            "Crops do not show the magnetisation outside of them, which has its share in every "
            "potential: errors of per cents follow. Leave data.crop out where whole maps fit."
        )
    assert frame.spacing is not None, "sources are on grids of known spacing"
    found, dim = data.split.statistics("sources"), frame.dim
    edge = (data.grid.sides[0] + 2 * frame.pad) / 2 * frame.spacing
    ends = (*found.min[dim : 2 * dim], *found.max[dim : 2 * dim])
    farthest = max(map(abs, ends)) + data.maps(frame).reach
    if farthest <= edge + _EDGE * frame.spacing:
        return None
    return (
        f"Bodies reach up to {farthest:.3g} m from the centre, and the map ends at {edge:.3g} m "
        f"({place_of(data)}): the input does not show them beyond it, and errors of about 5 % "
        'follow. Keep the bodies inside, as position = { distribution = "packed", ... } does.'
    )


def point_bodies(columns: SourceColumns) -> tuple[str, ...]:
    """Names of the bodies without an inside, which no raster shows."""
    return tuple(body for body in columns.bodies if KINDS[body].is_point)


def place_of(data: MapData) -> str:
    """The split of some maps, for messages."""
    return f"split {data.data.name!r} of {data.data.directory}"


def _each(values: tuple[float, ...], count: int) -> tuple[float, ...]:
    """A number for each channel, of statistics that are apart by channel or not."""
    return values if len(values) == count else values * count


def _rms(mean: tuple[float, ...], std: tuple[float, ...]) -> float:
    """Root mean square of the norm of a vector, from the moments of its components."""
    squares = sum(m * m for m in mean) + sum(s * s for s in std)
    return float(np.sqrt(squares))

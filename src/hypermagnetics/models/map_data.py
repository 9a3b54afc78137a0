"""Splits of maps: of sources on a regular grid, or of imported arrays."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hypermagnetics.data import Dataset, Split
from hypermagnetics.data.array_view import ArrayView, names_of
from hypermagnetics.errors import DatasetError
from hypermagnetics.models.array_inputs import ArrayInputs, ArrayScales
from hypermagnetics.models.map_arrays import SourceMaps, reach_of
from hypermagnetics.models.map_frame import MapFrame, MapInput, MapTarget
from hypermagnetics.table import SourceColumns

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

    def rms_of_norm(self, name: MapInput | MapTarget, frame: MapFrame) -> float:
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
            scale += [self.rms_of_norm(name, frame) / count**0.5 or 1.0] * count
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
            if len(shape) not in (3, 4):
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

    def rms_of_norm(self, name: MapInput | MapTarget, frame: MapFrame) -> float:
        """Root mean square of the norm of a map."""
        assert name in ("inputs", "targets"), "imported arrays have no other maps"
        viewed = self.view.viewed[name]
        found, count = viewed.statistics, viewed.shape[0]
        return _rms(_each(found.mean, count), _each(found.std, count))

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

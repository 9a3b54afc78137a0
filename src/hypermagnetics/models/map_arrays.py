"""Maps that a network reads and gives, of the blocks of a dataset."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar, assert_never

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from hypermagnetics.models.map_frame import MapFrame, MapInput, MapTarget
from hypermagnetics.shapes import BlockField, BlockPotential, Points, SourceTables
from hypermagnetics.sources.kinds import KINDS
from hypermagnetics.sources.raster import Raster, cell_means
from hypermagnetics.table import SHAPES, SourceColumns

Maps = Float[Array, "samples channels *sides"]
_Maps = TypeVar("_Maps", Array, np.ndarray)


class ReadAndGiven(NamedTuple):
    """Maps of some samples."""

    inputs: Maps
    """Those that the network reads, on every `stride`-th point of the padded crop."""
    targets: Maps
    """Those that it is to give, at all points of the core."""


@dataclass(frozen=True)
class SourceMaps:
    """Maps of samples of sources: their raster, potential and field."""

    frame: MapFrame
    columns: SourceColumns
    reach: float
    """Largest distance of a point of a body from its position [m]."""

    def of_block(
        self,
        sources: SourceTables,
        points: Points,
        potential: BlockPotential,
        field: BlockField,
    ) -> ReadAndGiven:
        """The maps of a block.

        Args:
            sources: Source tables.
            points: Points of the padded crop [m], the last axis fastest.
            potential: Potential there [A].
            field: Field there [A/m].
        """
        whole = self.frame.padded

        def of(name: MapInput | MapTarget) -> Maps:
            match name:
                case "potential":
                    return potential.reshape(-1, 1, *whole)
                case "field":
                    return jnp.moveaxis(field.reshape(-1, *whole, self.columns.dim), -1, 1)
                case "magnetisation":
                    # On all points; those that are read have cells as wide as they are apart.
                    return self._raster(sources, points[0], whole)
                case "inputs" | "targets":
                    raise TypeError("a dataset of sources has no such array")
                case _:
                    assert_never(name)

        frame = self.frame
        read = [
            of(name) if name == "magnetisation" else strided(of(name), frame.stride)
            for name in frame.inputs
        ]
        given = [core_of(of(name), frame) for name in frame.targets]
        return ReadAndGiven(jnp.concatenate(read, axis=1), jnp.concatenate(given, axis=1))

    def _raster(
        self, sources: SourceTables, origin: Float[Array, " dim"], whole: tuple[int, ...]
    ) -> Maps:
        frame = self.frame
        assert frame.spacing is not None, "sources are on grids of known spacing"
        sides = tuple((side - 1) // frame.stride + 1 for side in whole)
        spacing = frame.spacing * frame.stride
        raster = Raster(sides, spacing, frame.subpoints, self.reach)
        return cell_means(self.columns, raster, sources, origin)


def maps_of_arrays(
    frame: MapFrame, inputs: Float[Array, "..."], targets: Float[Array, "..."]
) -> ReadAndGiven:
    """The maps of imported arrays.

    Args:
        frame: The grids.
        inputs: (samples, channels, ...), the points of the padded crop, in a row or as a grid.
        targets: Likewise.
    """
    whole = frame.padded
    first, second = (values.reshape(*values.shape[:2], *whole) for values in (inputs, targets))
    return ReadAndGiven(strided(first, frame.stride), core_of(second, frame))


def strided(values: _Maps, stride: int) -> _Maps:
    """Every `stride`-th point of maps (samples, channels, *sides)."""
    every: Any = (slice(None), slice(None), *(slice(None, None, stride),) * (values.ndim - 2))
    found: _Maps = values[every]
    return found


def core_of(values: Float[Array, "..."], frame: MapFrame) -> Float[Array, "..."]:
    """Maps (samples, channels, *sides) without their padding."""
    pad = frame.pad
    inner = (slice(pad, side - pad) for side in values.shape[2:])
    return values[(slice(None), slice(None), *inner)]


def reach_of(columns: SourceColumns, largest: Mapping[str, float]) -> float:
    """Largest distance of a point of a body from its position [m].

    Args:
        columns: Columns of the sources.
        largest: Largest value of each of them.
    """
    found = 0.0
    for body in columns.bodies:
        shape = {
            name: np.float64(largest[name] if columns.has(name) else columns.constant(name))
            for name in SHAPES[body]
        }
        found = max(found, float(KINDS[body].outer_radius(shape)))
    return found


def points_of(
    maps: Float[np.ndarray, "samples channels *sides"],
) -> Float[np.ndarray, "samples points *channels"]:
    """Maps with their points in a row, as metrics take them; one channel is a scalar."""
    rows = maps.reshape(*maps.shape[:2], -1)
    found: np.ndarray = rows[:, 0] if maps.shape[1] == 1 else np.moveaxis(rows, 1, 2)
    return found

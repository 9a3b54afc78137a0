"""Frame of maps: the grids of a network from maps to maps, and the fields on them."""

from collections.abc import Sequence
from typing import Annotated, Literal, TypeVar, assert_never

from pydantic import Field

from hypermagnetics.config import Config, Positive
from hypermagnetics.data.boundary import Boundary

MapInput = Literal["magnetisation", "potential", "field", "inputs"]
"""Map that a network reads: of sources, or the array of an imported dataset."""
MapTarget = Literal["potential", "field", "targets"]
"""Map that a network gives: of sources, or the array of an imported dataset."""

_Name = TypeVar("_Name", bound=str)
_Sides = Annotated[int, Field(ge=1, le=2**16)]

ReadMaps = Annotated[tuple[MapInput, ...], Field(min_length=1)]
"""Maps that a network reads, one after another along the channels."""
GivenMaps = Annotated[tuple[MapTarget, ...], Field(min_length=1)]
"""Maps that a network gives, likewise."""


class MapFrame(Config):
    """Grids of a network from maps to maps.

    It reads the points of a crop with its padding, every `stride`-th of them, and gives all points
    of the core. Channels come before the axes of space.
    """

    inputs: ReadMaps
    """Maps that it reads, one after another along the channels."""
    targets: GivenMaps
    """Maps that it gives, likewise."""
    dim: Annotated[int, Field(ge=1, le=3)]
    """Number of axes of space."""
    core: tuple[_Sides, ...]
    """Points of the core in training along each axis."""
    pad: Annotated[int, Field(ge=0)] = 0
    """Points at each side of the core that it reads as well."""
    stride: Annotated[int, Field(ge=1)] = 1
    """Distance of the points that it reads, in those of the grid."""
    is_cropped: bool = False
    """Whether it is of crops of a larger grid; else of whole grids."""
    boundary: Boundary = "open"
    """Edge of the whole maps."""
    spacing: Positive | None = None
    """Distance of the points of the grid [m]; null where it is not known."""
    subpoints: Annotated[int, Field(ge=1)] = 8
    """Points along each axis of a cell over which the magnetisation is averaged."""

    @property
    def padded(self) -> tuple[int, ...]:
        """Points of a crop with its padding along each axis."""
        return tuple(side + 2 * self.pad for side in self.core)

    @property
    def read(self) -> tuple[int, ...]:
        """Points that the network reads along each axis."""
        return tuple((side - 1) // self.stride + 1 for side in self.padded)

    @property
    def wraps(self) -> bool:
        """Whether opposite sides of the points that it reads are neighbours."""
        return self.boundary == "periodic" and not self.is_cropped

    def core_of(self, read: tuple[int, ...]) -> tuple[int, ...]:
        """Points that it gives along each axis, from those that it reads."""
        return tuple((side - 1) * self.stride + 1 - 2 * self.pad for side in read)

    def num_channels(self, name: MapInput | MapTarget, total: int) -> int:
        """Channels of a map, one of those with `total` in all; an imported one has them all."""
        match name:
            case "potential":
                return 1
            case "field" | "magnetisation":
                return self.dim
            case "inputs" | "targets":
                return total
            case _:
                assert_never(name)

    def channels_read(self, total: int) -> dict[MapInput, slice]:
        """Channels of each map that it reads, of `total` in all."""
        return _channels(self.inputs, [self.num_channels(name, total) for name in self.inputs])

    def channels_given(self, total: int) -> dict[MapTarget, slice]:
        """Channels of each map that it gives, of `total` in all."""
        return _channels(self.targets, [self.num_channels(name, total) for name in self.targets])

    def on(self, core: tuple[int, ...], pad: int) -> "MapFrame":
        """The same maps on another grid, checked again."""
        return MapFrame(**{**self.model_dump(), "core": core, "pad": pad})


def _channels(names: Sequence[_Name], counts: Sequence[int]) -> dict[_Name, slice]:
    """Consecutive channels, by name."""
    found, first = {}, 0
    for name, count in zip(names, counts, strict=True):
        found[name] = slice(first, first + count)
        first += count
    return found

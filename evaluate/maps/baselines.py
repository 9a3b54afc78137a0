"""Maps without a network: the exact convolution of a raster, and splines."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from hypermagnetics.models import MapFrame, MapTarget
from hypermagnetics.models.map_data import MapData, SourceMapData
from hypermagnetics.models.map_network import spline_matrix
from hypermagnetics.sources.demagnetisation import demagnetisation

_DEGREES: Mapping[str, int] = {"linear spline": 1, "cubic spline": 3}
_FFT = "FFT of the raster"

Given = dict[MapTarget, np.ndarray]
"""Maps by name, (samples, channels, *sides)."""


@dataclass(frozen=True)
class Baseline:
    """A way to the targets without a network, from the same maps."""

    name: str
    maps: Callable[[np.ndarray | None, Mapping[str, np.ndarray]], Given]
    """Map from the raster of a block, if the input has one, and its true maps, of which it reads
    every `stride`-th point alone."""


def baselines_of(frame: MapFrame, data: MapData) -> tuple[Baseline, ...]:
    """The baselines that read no more than a network of this frame.

    Args:
        frame: Its grids.
        data: The split.

    Returns:
        The convolution with the closed form of a cell, of the magnetisation; or linear and cubic
        splines, of every `stride`-th point of a target.
    """
    if frame.inputs == ("magnetisation",) and isinstance(data, SourceMapData):
        return (Baseline(_FFT, _Convolution(frame, data.grid.halo)),)
    held = [name for name in frame.targets if name in frame.inputs]
    if frame.stride > 1 and held:
        return tuple(
            Baseline(name, _Splines(frame, tuple(held), degree))
            for name, degree in _DEGREES.items()
        )
    return ()


@dataclass(frozen=True)
class _Convolution:
    """Potential and field of a raster, by FFT with zeros outside; see `demagnetisation`."""

    frame: MapFrame
    halo: int

    def __call__(self, raster: np.ndarray | None, truth: Mapping[str, np.ndarray]) -> Given:
        frame, halo = self.frame, self.halo
        assert raster is not None, "the input is the magnetisation"
        assert frame.spacing is not None, "sources are on grids of known spacing"
        found: Given = {}
        for name in frame.targets:
            assert name != "targets", "sources have no such array"
            values = demagnetisation(raster, frame.spacing * frame.stride, name)
            if frame.stride > 1:
                values = splined(values, frame.stride, 3)
            inner = (slice(halo, side - halo) for side in values.shape[2:])
            found[name] = values[(slice(None), slice(None), *inner)]
        return found


@dataclass(frozen=True)
class _Splines:
    """Splines along each axis, through the points that are read."""

    frame: MapFrame
    names: tuple[MapTarget, ...]
    degree: int

    def __call__(self, raster: np.ndarray | None, truth: Mapping[str, np.ndarray]) -> Given:
        frame = self.frame
        every = (slice(None), slice(None), *(slice(None, None, frame.stride),) * frame.dim)
        return {name: splined(truth[name][every], frame.stride, self.degree) for name in self.names}


def splined(values: np.ndarray, stride: int, degree: int) -> np.ndarray:
    """Splines of maps (samples, channels, *sides) along each axis of space, in float64."""
    for axis in range(2, values.ndim):
        matrix = spline_matrix(values.shape[axis], stride, degree)
        values = np.moveaxis(np.tensordot(values, matrix, (axis, 1)), -1, axis)
    return values

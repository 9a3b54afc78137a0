"""Maps without a network: the exact convolution of a raster, and splines."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from hypermagnetics.evaluate.maps.whole_maps import margin_of
from hypermagnetics.models import ArrayInputs, MapTarget
from hypermagnetics.models.map_arrays import strided
from hypermagnetics.models.map_data import MapData, SourceMapData
from hypermagnetics.models.map_network import frame_of, held_targets, spline_matrix
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


def baselines_of(inputs: ArrayInputs, data: MapData) -> tuple[Baseline, ...]:
    """The baselines that read no more than a network.

    Args:
        inputs: Maps that the network reads and gives.
        data: The split.

    Returns:
        The convolution with the closed form of a cell, of the magnetisation; or linear and cubic
        splines, of every `stride`-th point of a target.
    """
    frame = frame_of(inputs)
    if frame.inputs == ("magnetisation",) and isinstance(data, SourceMapData):
        assert frame.spacing is not None, "sources are on grids of known spacing"
        margin = margin_of(frame.stride, data.grid.halo)
        found = _Convolution(frame.targets, frame.stride, frame.spacing, frame.subpoints, margin)
        return (Baseline(_FFT, found),)
    held = tuple(held_targets(inputs))
    if frame.stride > 1 and held:
        return tuple(
            Baseline(name, _Splines(held, frame.stride, degree))
            for name, degree in _DEGREES.items()
        )
    return ()


@dataclass(frozen=True)
class _Convolution:
    """Potential and field of a raster, by FFT with zeros outside; see `demagnetisation`."""

    targets: tuple[MapTarget, ...]
    stride: int
    spacing: float
    """Distance of the points of the grid [m]."""
    subpoints: int
    """Those of the raster that it is given."""
    margin: int
    """Points of the grid that the raster has before the first point of the map."""

    def __call__(self, raster: np.ndarray | None, truth: Mapping[str, np.ndarray]) -> Given:
        assert raster is not None, "the input is the magnetisation"
        found: Given = {}
        for name in self.targets:
            assert name != "targets", "sources have no such array"
            values = demagnetisation(raster, self.spacing * self.stride, name)
            if self.stride > 1:
                values = splined(values, self.stride, 3)
            inner = (slice(self.margin, side - self.margin) for side in values.shape[2:])
            found[name] = values[(slice(None), slice(None), *inner)]
        return found


@dataclass(frozen=True)
class _Splines:
    """Splines along each axis, through the points that are read."""

    names: tuple[MapTarget, ...]
    stride: int
    degree: int

    def __call__(self, raster: np.ndarray | None, truth: Mapping[str, np.ndarray]) -> Given:
        found: Given = {}
        for name in self.names:
            found[name] = splined(strided(truth[name], self.stride), self.stride, self.degree)
        return found


def splined(values: np.ndarray, stride: int, degree: int) -> np.ndarray:
    """Splines of maps (samples, channels, *sides) along each axis of space, in float64."""
    for axis in range(2, values.ndim):
        matrix = spline_matrix(values.shape[axis], stride, degree)
        values = np.moveaxis(np.tensordot(values, matrix, (axis, 1)), -1, axis)
    return values

"""The samples of a split that are shown, and the maps of them in a plane."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hypermagnetics.evaluate.maps.evaluation import EvaluatedNetwork, MapSplit
from hypermagnetics.evaluate.maps.measurement import (
    PredictedBlock,
    frame_of_network,
    predicted_blocks,
    truth_of,
)
from hypermagnetics.evaluate.maps.records import MapQuantity
from hypermagnetics.evaluate.maps.whole_maps import margin_of
from hypermagnetics.evaluate.measuring.detail import Rank
from hypermagnetics.evaluate.measuring.evaluations import chosen_samples
from hypermagnetics.metrics import measure
from hypermagnetics.models import MapFrame, MapInput
from hypermagnetics.models.map_arrays import points_of, strided
from hypermagnetics.models.map_data import MapData, SourceMapData

SHOWN: tuple[Rank, ...] = ("median", "worst")
"""Ranks of the samples that are shown."""

_MOST_POINTS = 320
"""Points along a side that are shown; a panel of the page has fewer pixels."""

PlaneMap = Float[np.ndarray, "channels across up"]
"""A map in the plane that is shown."""


@dataclass(frozen=True)
class MapPlane:
    """The points that are shown: all of a map of two axes, or those in the middle of the last one.

    Coordinates are in metres for sources, and numbers of points, from 0, of imported arrays.
    """

    sides: tuple[int, int]
    """Points along each axis that are shown."""
    every: int
    """Distance of these, in points of the map: large maps are shown by fewer."""
    origin: tuple[float, float]
    """Coordinates of the first point."""
    spacing: float
    """Distance of the points of the map."""
    is_metric: bool
    height: float | None
    """Coordinate along the last axis of a map in space."""


@dataclass(frozen=True)
class ReadMap:
    """A map that a network reads, at points that it reads."""

    name: MapInput
    values: PlaneMap
    stride: int
    """Stride of the points that are read [points of the target grid]."""
    first: int
    """Index of its first point along each axis of the target grid."""
    step: int
    """Stride of the points that are shown [points of the target grid]."""
    others: tuple[MapInput, ...]
    """Further maps that the network reads."""
    what: str
    """Its name, of imported arrays that in the dataset."""
    unit: str


@dataclass(frozen=True)
class SampleMap:
    """One map of one sample, by a network or a baseline: numbers alone, drawn in any process."""

    subject: str
    dataset: str
    split: str
    sample: int
    """Number of the sample, from 0."""
    rank: Rank
    quantity: MapQuantity
    what: str
    """Its name, of imported arrays that in the dataset."""
    relative_l2: float
    """Relative L2 error over all points of the sample, those outside of the plane included."""
    plane: MapPlane
    read: ReadMap
    truth: PlaneMap
    found: PlaneMap
    unit: str


def shown_samples(split: MapSplit) -> dict[Rank, int]:
    """The samples of median and worst error of the first network of a split."""
    found = chosen_samples(split.sample_relative_l2)
    return {rank: found[rank] for rank in SHOWN}


def sample_maps(split: MapSplit) -> Iterator[SampleMap]:
    """Predict the blocks of the shown samples again, and yield their maps.

    Args:
        split: Networks on a split.

    Yields:
        Every map of every network and of its baselines, for each sample.
    """
    samples = shown_samples(split)
    for network in split.networks:
        each = network.data.data.layout.samples_per_block
        blocks = sorted({sample // each for sample in samples.values()})
        predicted = predicted_blocks(
            network.model, network.data, baselines=network.baselines, blocks=blocks
        )
        for number, block in zip(blocks, predicted, strict=True):
            for rank, sample in samples.items():
                if sample // each == number:
                    yield from _of_sample(split, network, block, rank, sample)


def _of_sample(
    split: MapSplit, network: EvaluatedNetwork, block: PredictedBlock, rank: Rank, sample: int
) -> Iterator[SampleMap]:
    row = sample % network.data.data.layout.samples_per_block
    frame = frame_of_network(network.model, network.data)
    middle = _middle(frame, network.data)
    plane = _plane(network.data, middle)
    target = network.model.inputs.target
    for subject, maps in ((network.record.name, block.of_network), *block.of_baselines.items()):
        for quantity, values in maps.items():
            truth, found = block.truth[truth_of(quantity)][row], values[row]
            errors = measure(points_of(found[None]), points_of(truth[None]))
            yield SampleMap(
                subject=subject,
                dataset=split.about.name,
                split=split.split,
                sample=sample,
                rank=rank,
                quantity=quantity,
                what=target.name if quantity == "targets" else quantity,
                relative_l2=float(errors.sample_relative_l2()[0]),
                plane=plane,
                read=_read(network, frame, block, row, quantity),
                truth=_in_plane(truth, middle, plane.every),
                found=_in_plane(found, middle, plane.every),
                unit=target.unit if quantity == "targets" else _UNITS[quantity],
            )


_UNITS: Mapping[MapInput | MapQuantity, str] = {
    "potential": "A",
    "field": "A/m",
    "field by differences": "A/m",
    "magnetisation": "A/m",
}


def _read(
    network: EvaluatedNetwork,
    frame: MapFrame,
    block: PredictedBlock,
    row: int,
    quantity: MapQuantity,
) -> ReadMap:
    """The map of the same kind that a network reads, or else the first one."""
    name = next((one for one in frame.inputs if one == truth_of(quantity)), frame.inputs[0])
    others = tuple(one for one in frame.inputs if one != name)
    middle, stride, first = _middle(frame, network.data), frame.stride, 0
    if name == "magnetisation":
        assert block.raster is not None, "the input has it"
        values, first = block.raster[row], -margin_of(frame.stride, network.data.grid.halo)
    else:
        (values,) = strided(block.truth[name][row : row + 1], stride)
    at = None if middle is None else (middle - first) // stride
    inputs = network.model.inputs.input
    what, unit = (inputs.name, inputs.unit) if name == "inputs" else (name, _UNITS[name])
    every = max(_every(network.data) // stride, 1)
    shown = _in_plane(values, at, every)
    return ReadMap(name, shown, stride, first, stride * every, others, what, unit)


def _middle(frame: MapFrame, data: MapData) -> int | None:
    """Number of the point in the middle of the last axis, one that is read; None in the plane."""
    return data.grid.sides[-1] // 2 // frame.stride * frame.stride if frame.dim == 3 else None


def _plane(data: MapData, middle: int | None) -> MapPlane:
    grid = data.grid
    lowest: Sequence[float] = (0.0,) * len(grid.sides)
    spacing = grid.spacing or 1.0
    if isinstance(data, SourceMapData):
        lowest = [one + grid.halo * spacing for one in data.split.statistics("grid").min]
    every = _every(data)
    right, up = (-(-side // every) for side in grid.sides[:2])
    return MapPlane(
        sides=(right, up),
        every=every,
        origin=(lowest[0], lowest[1]),
        spacing=spacing,
        is_metric=grid.spacing is not None,
        height=None if middle is None else lowest[-1] + middle * spacing,
    )


def _every(data: MapData) -> int:
    """Distance of the points that are shown, in points of the map."""
    return -(-max(data.grid.sides[:2]) // _MOST_POINTS)


def _in_plane(values: np.ndarray, middle: int | None, every: int) -> PlaneMap:
    """A map (channels, *sides) in the plane, or at one point of its last axis."""
    plane = values if middle is None else values[..., middle]
    return plane[:, ::every, ::every]

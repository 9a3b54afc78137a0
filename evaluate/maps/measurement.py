"""Errors of whole maps: of a network, and of the baselines that read no more."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from hypermagnetics.evaluate.maps.baselines import Baseline, baselines_of
from hypermagnetics.evaluate.maps.records import MapQuantity, MapScores
from hypermagnetics.evaluate.maps.wave_numbers import Spectrum
from hypermagnetics.evaluate.maps.whole_maps import Mapper, rasters, true_maps
from hypermagnetics.evaluate.results.quantity_scores import ArrayQuantityScores
from hypermagnetics.log import SILENT, Listener
from hypermagnetics.metrics import Errors, joined, measure
from hypermagnetics.models import ArrayModel, MapFrame, MapTarget
from hypermagnetics.models.map_arrays import points_of
from hypermagnetics.models.map_data import MapData, SourceMapData, frame_on
from hypermagnetics.models.map_network import frame_of, points_read

Maps = dict[MapQuantity, np.ndarray]
"""Predicted maps by quantity, (samples, channels, *sides)."""


class PredictedBlock(NamedTuple):
    """The maps of one block of a split."""

    truth: Mapping[str, np.ndarray]
    """True maps by name."""
    raster: np.ndarray | None
    """Magnetisation at the points that are read, the halo included; None if it is not."""
    of_network: Maps
    of_baselines: dict[str, Maps]
    """By the name of the baseline."""


@dataclass
class _Sums:
    """Errors of one quantity, block by block."""

    errors: list[Errors] = field(default_factory=list)
    at_new: list[Errors] = field(default_factory=list)
    spectrum: Spectrum = field(default_factory=Spectrum)

    def add(self, found: np.ndarray, truth: np.ndarray, frame: MapFrame) -> None:
        """Add the maps of a block."""
        errors = measure(points_of(found), points_of(truth))
        self.errors.append(errors)
        if frame.stride > 1:
            new = np.flatnonzero(~points_read(truth.shape[2:], frame.stride))
            rows = (points_of(one)[:, new] for one in (found, truth))
            self.at_new.append(measure(*rows))
        difference = found.astype(np.float64) - truth
        self.spectrum.add(difference, truth.astype(np.float64), frame.boundary)

    def scores(self, quantity: MapQuantity) -> MapScores:
        """The metrics of all blocks."""
        return MapScores(
            quantity=quantity,
            all_points=ArrayQuantityScores.of(joined(self.errors)),
            new_points=ArrayQuantityScores.of(joined(self.at_new)) if self.at_new else None,
            by_wave_number=self.spectrum.shells(),
        )


class MeasuredMaps(NamedTuple):
    """Errors of a network on a split, and of its baselines by name."""

    network: tuple[MapScores, ...]
    baselines: dict[str, tuple[MapScores, ...]]
    sample_relative_l2: Float64[np.ndarray, " samples"]
    """Relative L2 error of each sample, of the first map that the network gives."""


def measure_maps(
    model: ArrayModel,
    data: MapData,
    listener: Listener = SILENT,
    baselines: Sequence[Baseline] | None = None,
) -> MeasuredMaps:
    """Measure a network and its baselines on a split.

    Args:
        model: The network.
        data: The split.
        listener: Receives the number of samples just predicted.
        baselines: Those that stand beside it; all of `baselines_of` if None.

    Returns:
        The errors of each map that they give, and, of sources, of the field by differences of the
        potential where no field is given.
    """
    frame = frame_of_network(model, data)
    own: dict[MapQuantity, _Sums] = {}
    others: dict[str, dict[MapQuantity, _Sums]] = {}
    for block in predicted_blocks(model, data, listener, baselines):
        _add(own, block.of_network, block.truth, frame)
        for name, maps in block.of_baselines.items():
            _add(others.setdefault(name, {}), maps, block.truth, frame)
    first = next(iter(own.values()))
    return MeasuredMaps(
        _all_scores(own),
        {name: _all_scores(one) for name, one in others.items()},
        joined(first.errors).sample_relative_l2(),
    )


def predicted_blocks(
    model: ArrayModel,
    data: MapData,
    listener: Listener = SILENT,
    baselines: Sequence[Baseline] | None = None,
    blocks: Sequence[int] | None = None,
) -> Iterator[PredictedBlock]:
    """Yield the maps of blocks, of all if none are chosen; arguments as of `measure_maps`."""
    frame = frame_of_network(model, data)
    predict = Mapper(model, frame, data)
    beside = baselines_of(model.inputs, data) if baselines is None else baselines
    numbers = range(data.data.layout.num_blocks) if blocks is None else blocks
    channels = frame.channels_given(model.inputs.target.shape[0])
    of_blocks = None
    if "magnetisation" in frame.inputs and isinstance(data, SourceMapData):
        of_blocks = rasters(data, frame, numbers)
    for number in numbers:
        truth, found = true_maps(data, number), predict(number)
        raster = None if of_blocks is None else next(of_blocks)
        network = {name: found[:, own] for name, own in channels.items()}
        yield PredictedBlock(
            truth,
            raster,
            with_differences(network, frame),
            {one.name: with_differences(one.maps(raster, truth), frame) for one in beside},
        )
        listener.advance(len(found))


def frame_of_network(model: ArrayModel, data: MapData) -> MapFrame:
    """The grids of a network on those of a split."""
    return frame_on(frame_of(model.inputs), data.grid)


def with_differences(maps: Mapping[MapTarget, np.ndarray], frame: MapFrame) -> Maps:
    """Maps, and the field by differences of the potential where there is no field.

    Differences are centred, and of second order at the edge as well.
    """
    found: Maps = dict(maps.items())
    if "potential" in maps and "field" not in maps and min(maps["potential"].shape[2:]) > 2:
        assert frame.spacing is not None, "a potential is on a grid of known spacing"
        potential = maps["potential"][:, 0].astype(np.float64)
        axes = range(1, potential.ndim)
        slopes = [np.gradient(potential, frame.spacing, axis=i, edge_order=2) for i in axes]
        found["field by differences"] = -np.stack(slopes, axis=1)
    return found


def truth_of(quantity: MapQuantity) -> str:
    """Name of the true map that a quantity is compared with."""
    return "field" if quantity == "field by differences" else quantity


def _add(
    sums: dict[MapQuantity, _Sums],
    maps: Maps,
    truth: Mapping[str, np.ndarray],
    frame: MapFrame,
) -> None:
    for name, values in maps.items():
        sums.setdefault(name, _Sums()).add(values, truth[truth_of(name)], frame)


def _all_scores(sums: Mapping[MapQuantity, _Sums]) -> tuple[MapScores, ...]:
    return tuple(one.scores(name) for name, one in sums.items())

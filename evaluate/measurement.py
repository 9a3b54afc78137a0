"""A split, predicted and compared with its labels block by block."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, UInt8

from hypermagnetics.data import Block, Split
from hypermagnetics.evaluate.baselines import RankFloor
from hypermagnetics.evaluate.predict import FieldModel, predict, samples_per_call
from hypermagnetics.evaluate.regions import REGIONS, regions
from hypermagnetics.evaluate.results import QuantityResult, RegionScores
from hypermagnetics.metrics import Errors, measure, quantiles, scores
from hypermagnetics.sources import SourceColumns


@dataclass(frozen=True)
class Measurement:
    """The errors of every sample of a split, and where its points lie."""

    potential: Errors
    field: Errors
    regions: UInt8[np.ndarray, "samples points"]
    """Indices into `REGIONS`."""
    num_sources: Int[np.ndarray, " samples"]
    predict_seconds: float
    """Time of the predictions alone, without compilation."""


def measure_split(
    model: FieldModel, split: Split, columns: SourceColumns, advance: Callable[[int], None]
) -> Measurement:
    """Predict every sample of a split and compare it with its labels.

    Memory holds one block of values, and of the whole split nothing but a relative error and a
    region for each point.

    Args:
        model: The model.
        split: The samples.
        columns: What the columns of the source tables are.
        advance: Called with the number of samples of each step.

    Returns:
        The errors.
    """
    rows = samples_per_call(split.layout)
    first = split.block(0)
    predict(model, first.sources[:rows], first.grid, rows)  # compiles, out of the time measured
    parts: list[tuple[Errors, Errors, np.ndarray, np.ndarray]] = []
    seconds = 0.0
    for block in _steps(split, rows):
        start = time.perf_counter()
        potential, field = predict(model, block.sources, block.grid, rows)
        seconds += time.perf_counter() - start
        parts.append(
            (
                measure(potential, block.potential),
                measure(field, block.field),
                regions(columns, block.sources, block.num_sources, block.grid),
                block.num_sources,
            )
        )
        advance(len(block.potential))
    potentials, fields, codes, counts = zip(*parts, strict=True)
    return Measurement(
        Errors.join(potentials),
        Errors.join(fields),
        np.concatenate(codes),
        np.concatenate(counts),
        seconds,
    )


def middle_sample(measurement: Measurement) -> int:
    """The sample with the median relative L2 error of the potential, counted from 0."""
    order = np.argsort(measurement.potential.sample_relative_l2(), kind="stable")
    return int(order[(len(order) - 1) // 2])


def summarise(measurement: Measurement, errors: Errors, floor: RankFloor | None) -> QuantityResult:
    """The metrics of one quantity, over all, by region and by number of sources.

    Args:
        measurement: Where the points lie, and how many sources the samples have.
        errors: `measurement.potential` or `measurement.field`.
        floor: The rank floor of the quantity, if there is one.

    Returns:
        The metrics.
    """
    overall = scores(errors)
    counts = np.unique(measurement.num_sources)
    return QuantityResult(
        scores=overall,
        rank_floor=floor,
        regions={
            name: _in_region(errors.relative, measurement.regions == code)
            for code, name in enumerate(REGIONS)
        },
        by_num_sources={
            int(count): overall
            if len(counts) == 1
            else scores(errors.of(measurement.num_sources == count))
            for count in counts
        },
    )


def _steps(split: Split, rows: int) -> Iterator[Block]:
    """The blocks of a split, cut into pieces of at most `rows` samples."""
    for block in split.blocks():
        for first in range(0, len(block.sources), rows):
            samples = slice(first, first + rows)
            yield Block(
                sources=block.sources[samples],
                num_sources=block.num_sources[samples],
                grid=block.grid,
                potential=block.potential[samples],
                field=block.field[samples],
            )


def _in_region(relative: np.ndarray, inside: np.ndarray) -> RegionScores:
    values = relative[inside]
    median, p90, p99 = quantiles(values[~np.isnan(values)], (0.5, 0.9, 0.99))
    return RegionScores(float(median), float(p90), float(p99), float(inside.mean()))

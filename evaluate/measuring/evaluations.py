"""Record and figure data of a subject on a split, from its errors."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int

from hypermagnetics.data import Split
from hypermagnetics.evaluate.measuring.detail import RANKS, Evaluated, QuantityDetail, Rank
from hypermagnetics.evaluate.measuring.groups import quantity_scores
from hypermagnetics.evaluate.measuring.measurement import Measurement
from hypermagnetics.evaluate.results.records import BySourcesScores, Evaluation, WorstSample
from hypermagnetics.evaluate.subjects.subject import Subject
from hypermagnetics.metrics import Errors, steps
from hypermagnetics.sources import SourceColumns

_NUM_WORST = 5
_DECADES = (-8, 3)
_PER_DECADE = 10
"""Bins per decade of the distribution of errors."""


class Slopes(NamedTuple):
    """Errors of derivatives of the potential by parameters of the sources."""

    parameters: tuple[str, ...]
    errors: Errors


def evaluation_of(
    measurement: Measurement,
    names: tuple[str, str, str],
    seconds: float,
    slopes: Slopes | None = None,
) -> Evaluation:
    """The record of one subject on one split.

    Args:
        measurement: Its errors.
        names: Names of the subject, the dataset and the split.
        seconds: Time of the measurement, without the time of the metrics [s].
        slopes: Errors of its derivatives by the sources, if they were measured.

    Returns:
        The record.
    """
    subject, dataset, split = names
    both = (measurement.potential, measurement.field)
    # Nearly all of it is loops of numpy, which leave the interpreter to the other thread.
    with ThreadPoolExecutor(len(both)) as threads:
        potential, field = threads.map(partial(quantity_scores, measurement), both)
    samples, points = measurement.potential.relative.shape
    return Evaluation(
        subject=subject,
        dataset=dataset,
        split=split,
        num_samples=samples,
        num_points=points,
        potential=potential,
        field=field,
        worst_samples=_worst_samples(split, measurement),
        seconds=seconds,
        predict_seconds=measurement.predict_seconds,
        exact_pairs=measurement.exact_pairs,
        by_sources=None if slopes is None else _by_sources(measurement, slopes),
    )


def _by_sources(measurement: Measurement, slopes: Slopes) -> BySourcesScores:
    found = quantity_scores(measurement, slopes.errors)
    return BySourcesScores(**vars(found), columns=slopes.parameters)


def evaluated_of(
    evaluation: Evaluation,
    measurement: Measurement,
    subject: Subject,
    split: Split,
    columns: SourceColumns,
) -> Evaluated:
    """Figure data of one subject on one split.

    Args:
        evaluation: Its record.
        measurement: Its errors.
        subject: The subject.
        split: The samples.
        columns: Columns of the source tables.

    Returns:
        Distributions, pairs, and the samples shown in figures.
    """
    truth, predicted = measurement.pairs
    return Evaluated(
        evaluation=evaluation,
        potential=_detail(measurement.potential, truth.potential, predicted.potential),
        field=_detail(measurement.field, truth.field.ravel(), predicted.field.ravel()),
        num_sources=measurement.num_sources,
        chosen=chosen_samples(measurement.potential.sample_relative_l2()),
        subject=subject,
        split=split,
        columns=columns,
    )


def chosen_samples(sample_relative_l2: Float[np.ndarray, " samples"]) -> dict[Rank, int]:
    """The samples of median, 90 % and largest error, among those with a defined error.

    Args:
        sample_relative_l2: Relative L2 error of each sample; NaN where it is undefined.

    Returns:
        Numbers of samples, from 0.
    """
    order = _from_the_least(sample_relative_l2)
    last = len(order) - 1
    places = (last // 2, round(0.9 * last), last)
    return {rank: int(order[place]) for rank, place in zip(RANKS, places, strict=True)}


def _from_the_least(sample_relative_l2: Float[np.ndarray, " samples"]) -> Int[np.ndarray, " some"]:
    """Samples by ascending error, without undefined errors unless all are undefined."""
    order = np.argsort(sample_relative_l2, kind="stable")
    defined = order[~np.isnan(sample_relative_l2[order])]
    return defined if defined.size else order


def _worst_samples(split: str, measurement: Measurement) -> tuple[WorstSample, ...]:
    potential = measurement.potential.sample_relative_l2()
    field = measurement.field.sample_relative_l2()
    return tuple(
        WorstSample(
            name=f"{split}[{sample}]",
            sample=int(sample),
            num_sources=int(measurement.num_sources[sample]),
            potential_relative_l2=float(potential[sample]),
            field_relative_l2=float(field[sample]),
        )
        for sample in _from_the_least(potential)[::-1][:_NUM_WORST]
    )


def _detail(
    errors: Errors,
    true_values: Float32[np.ndarray, " values"],
    predicted_values: Float32[np.ndarray, " values"],
) -> QuantityDetail:
    first, last = _DECADES
    num_bins = (last - first) * _PER_DECADE
    counts = np.zeros(num_bins, np.int64)
    for part in steps(errors.relative):
        values = errors.relative[part]
        with np.errstate(divide="ignore"):
            place = (np.log10(values[~np.isnan(values)]) - first) * _PER_DECADE
        bins = np.clip(place, 0, num_bins - 1).astype(np.int64)
        counts += np.bincount(bins, minlength=num_bins)
    return QuantityDetail(
        error_edges=np.logspace(first, last, num_bins + 1),
        error_shares=counts / errors.relative.size,
        true_values=true_values,
        predicted_values=predicted_values,
        sample_relative_l2=errors.sample_relative_l2(),
    )

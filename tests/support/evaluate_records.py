"""Records of evaluations, made by hand."""

import math
from dataclasses import replace

import numpy as np

from hypermagnetics.evaluate.measuring.measurement import Measurement, Pairs
from hypermagnetics.evaluate.measuring.places import Places
from hypermagnetics.evaluate.results.records import (
    DatasetRecord,
    DistanceScores,
    Evaluation,
    GroupScores,
    QuantityScores,
    Results,
    SubjectRecord,
    WorstSample,
)
from hypermagnetics.evaluate.subjects.subject import PotentialAndField
from hypermagnetics.metrics import Errors, Scores


def scores(median: float = 0.0441, **changes: object) -> Scores:
    """Metrics with every kind of odd number in them."""
    return replace(
        Scores(
            median_relative_error=median,
            p90_relative_error=0.5,
            p99_relative_error=math.inf,
            ci95=(0.04, 0.0482),
            num_points=7 * 24,
            zero_truth_points=3,
            median_sample_relative_l2=0.05,
            median_sample_relative_l2_ci95=(0.04, 0.06),
            global_relative_l2=0.07,
            global_relative_l2_ci95=None,
            nonfinite_fraction=0.0,
            num_samples=7,
            global_relative_l2_largest_share=0.012,
        ),
        **changes,  # type: ignore[arg-type]
    )


def group(median: float, share: float = 0.5) -> GroupScores:
    """The errors at some of the points."""
    return GroupScores(median, 2 * median, 3 * median, (median, median), 84, 0, share)


def quantity(median: float = 0.0441, **changes: object) -> QuantityScores:
    """One quantity, in groups."""
    found = scores(median, **changes)
    return QuantityScores(
        **vars(found),
        by_region={
            "inside": group(0.2, 0.1),
            "near": group(0.1),
            "beyond": GroupScores(math.nan, math.nan, math.nan, None, 0, 0, 0.0),
        },
        by_distance=(DistanceScores(**vars(group(0.1)), low=None, high=-0.5),),
        by_body={"disc": group(median, 1.0)},
        by_num_sources={"4": found},
    )


def evaluation(subject: str = "run", split: str = "test_multi", **changes: object) -> Evaluation:
    """One subject on one split."""
    return replace(
        Evaluation(
            subject=subject,
            dataset="discs",
            split=split,
            num_samples=7,
            num_points=24,
            potential=quantity(),
            field=quantity(0.4),
            worst_samples=(WorstSample(f"{split}[3]", 3, 4, 0.5, 0.6),),
            seconds=2.0,
            predict_seconds=0.5,
        ),
        **changes,  # type: ignore[arg-type]
    )


def results(*evaluations: Evaluation, **changes: object) -> Results:
    """All of one call; a single evaluation of a run if none is given."""
    found = evaluations or (evaluation(),)
    names = dict.fromkeys(one.subject for one in found)
    return replace(
        Results(
            subjects=tuple(SubjectRecord(name, "run", name, "cd" * 32, 1000, 8) for name in names),
            datasets=(DatasetRecord("discs", "discs", "ab" * 32, "Discs", 2, ("disc",), 1.0),),
            evaluations=found,
            physics=(),
            timings=(),
            notes=(),
            software={"jax": "1"},
            device="cpu",
            processor="a processor, 2 cores",
        ),
        **changes,  # type: ignore[arg-type]
    )


def measured(relative: np.ndarray, truth: float = 1.0) -> Measurement:
    """The same relative errors in potential and field, of labels that are all equal.

    Sample n, from 0, has n + 1 sources; all points are at the same place.
    """
    squared_truth = np.full(len(relative), relative.shape[1] * truth**2)
    errors = Errors(
        relative.astype(np.float32),
        np.square(relative * truth).sum(axis=1),
        squared_truth,
        np.zeros(len(relative), np.int64),
    )
    none = PotentialAndField(np.zeros(0, np.float32), np.zeros((0, 2), np.float32))
    codes = np.zeros(relative.shape, np.uint8)
    counts = np.arange(len(relative), dtype=np.int32) + 1
    return Measurement(errors, errors, Pairs(none, none), Places(codes, codes, codes), counts, 0.1)

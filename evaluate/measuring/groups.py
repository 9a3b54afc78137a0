"""Metrics of one quantity: overall, and by region, distance, body and number of sources."""

from dataclasses import fields
from itertools import pairwise

import numpy as np
from jaxtyping import Int

from hypermagnetics.evaluate.measuring.measurement import Measurement
from hypermagnetics.evaluate.measuring.places import DISTANCES
from hypermagnetics.evaluate.results.records import DistanceScores, GroupScores, QuantityScores
from hypermagnetics.metrics import (
    Errors,
    Quantiles,
    Scores,
    grouped_point_quantiles,
    grouped_scores,
    scores,
    steps,
)
from hypermagnetics.sources import BODIES, REGIONS

_MAX_NUMBERS = 8
"""Most distinct numbers of sources listed one by one; more are grouped in ranges."""


def quantity_scores(measurement: Measurement, errors: Errors) -> QuantityScores:
    """The metrics of one quantity, over all points and in groups.

    Args:
        measurement: Measurement of a subject.
        errors: Its errors in one quantity.

    Returns:
        The metrics. Groups without a point are left out, but for the regions.
    """
    overall, where = scores(errors), measurement.places
    regions = grouped_point_quantiles(errors.relative, where.region, len(REGIONS))
    distances = grouped_point_quantiles(errors.relative, where.distance, len(DISTANCES) + 1)
    return QuantityScores(
        **vars(overall),
        by_region={
            name: _group(found, overall) for name, found in zip(REGIONS, regions, strict=True)
        },
        by_distance=tuple(
            DistanceScores(**vars(_group(found, overall)), low=low, high=high)
            for found, (low, high) in zip(
                distances, pairwise((None, *DISTANCES, None)), strict=True
            )
            if found.num_points
        ),
        by_body=_by_body(measurement, errors, overall),
        by_num_sources=_by_num_sources(measurement, errors, overall),
    )


def _group(found: Quantiles, overall: Scores) -> GroupScores:
    return GroupScores(**vars(found), share_of_points=found.num_points / overall.num_points)


def _by_body(measurement: Measurement, errors: Errors, overall: Scores) -> dict[str, GroupScores]:
    """Scores by kind of the nearest body; a single kind has the scores of all points."""
    codes = measurement.places.body
    first = int(codes[0, 0])
    if all((codes[part] == first).all() for part in steps(codes)):
        same = {field.name: getattr(overall, field.name) for field in fields(Quantiles)}
        return {BODIES[first]: GroupScores(**same, share_of_points=1.0)}
    found = grouped_point_quantiles(errors.relative, codes, len(BODIES))
    return {
        name: _group(group, overall)
        for name, group in zip(BODIES, found, strict=True)
        if group.num_points
    }


def _by_num_sources(measurement: Measurement, errors: Errors, overall: Scores) -> dict[str, Scores]:
    names, groups = ranges_of(measurement.num_sources)
    if len(names) == 1:
        return {names[0]: overall}
    return dict(zip(names, grouped_scores(errors, groups, len(names)), strict=True))


def ranges_of(
    num_sources: Int[np.ndarray, " samples"],
) -> tuple[tuple[str, ...], Int[np.ndarray, " samples"]]:
    """Names of the groups by number of sources, and the group of each sample.

    Up to eight different numbers are named one by one. Of more, those from one power of two to the
    next are one range, as in "17-32", with its ends from the least to the largest that occurs.
    """
    occurring = np.unique(num_sources)
    if len(occurring) <= _MAX_NUMBERS:
        keys = num_sources
    else:
        keys = np.ceil(np.log2(np.maximum(num_sources, 1))).astype(num_sources.dtype)
    _, groups = np.unique(keys, return_inverse=True)
    names = []
    for group in range(groups.max() + 1):
        own = num_sources[groups == group]
        low, high = own.min(), own.max()
        names.append(f"{low}" if low == high else f"{low}-{high}")
    return tuple(names), groups

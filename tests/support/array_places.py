"""Public functions of two arrays each, to hand over to them whatever may be an array."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from hypermagnetics import metrics
from hypermagnetics.models import (
    HyperLayer,
    HyperLayerConfig,
    ModelInputs,
    RangeSplit,
    RangeSplitConfig,
    as_magpylib_source,
)
from hypermagnetics.sources import (
    Dipole,
    SourceColumns,
    block_superposition,
    body_size,
    labels,
    magnetisation,
    region_codes,
    signed_distance,
    superposition,
    vertices,
)

_DISC = SourceColumns.of("disc", varying=["radius"])
_TABLE = np.array([[1, 2, 0, 0, 1], [3, 0, 4, 1, 2], [2, 1, -3, 1, 1], [1, 1, 0, -4, 1]])
_POINTS = np.array([[0, 1], [2, -3], [4, 2]])
_INPUTS = ModelInputs(columns=_DISC)
_SPLIT = RangeSplit(RangeSplitConfig(rank=4, waves=8), _INPUTS, jax.random.key(0))
_LAYER = HyperLayer(
    config=HyperLayerConfig(width=4, depth=1, hwidth=1.0, hdepth=1),
    inputs=_INPUTS,
    hyperkey=jax.random.key(0),
    mainkey=jax.random.key(1),
)
_SQUARE = SourceColumns.of("rectangle", constants={"dimension_x": 1.0, "dimension_y": 1.0})
_CODES = np.zeros((4, 5), np.int64)


class Place(NamedTuple):
    """A public function as a function of two arrays."""

    call: Callable[[Any, Any], Any]
    first: np.ndarray
    second: np.ndarray


def _measured(predicted: Any, truth: Any) -> Any:
    return vars(metrics.measure(predicted, truth))


def _body(numbers: Any, points: Any) -> Any:
    dipole = Dipole(numbers, [0, 0, 0])
    return dipole.potential(points), dipole.field(points)


PLACES = {
    "superposition": Place(lambda s, p: superposition(_DISC, s, p), _TABLE, _POINTS),
    "block_superposition": Place(
        lambda s, p: block_superposition(_DISC, s, [4], p), _TABLE[None], _POINTS
    ),
    "labels": Place(lambda s, p: labels(_DISC, s, np.array([4]), p), _TABLE[None], _POINTS),
    "magnetisation": Place(lambda s, p: magnetisation(_DISC, s, p), _TABLE, _POINTS),
    "region_codes": Place(
        lambda s, p: region_codes(_DISC, s, p), _TABLE[None, None], _POINTS[None]
    ),
    "signed_distance": Place(lambda s, p: signed_distance(_DISC, s, p), _TABLE, _POINTS),
    "body_size": Place(
        lambda s, t: (body_size(_DISC, s), vertices(_SQUARE, t)),
        _TABLE,
        np.array([1, 0, 2, 1, 0])[:4],
    ),
    "a body": Place(_body, np.array([1, 2, 3]), np.array([[0, 1, 4], [5, 1, 0]])),
    "a split model": Place(lambda s, p: (_SPLIT(s, p), _SPLIT.field(s, p)), _TABLE, _POINTS),
    "potential": Place(_LAYER.potential, _TABLE, _POINTS),
    "field": Place(_LAYER.field, _TABLE, _POINTS),
    "flux_density": Place(_LAYER.flux_density, _TABLE, _POINTS),
    "potential_and_field": Place(_LAYER.potential_and_field, _TABLE, _POINTS),
    "block": Place(_LAYER.block, _TABLE[None], _POINTS),
    "learned_block": Place(_SPLIT.learned_block, _TABLE[None], _POINTS),
    "a magpylib source": Place(
        lambda s, _: as_magpylib_source(_LAYER, s).getH([[0, 1, 2], [2, -3, 2]]),
        _TABLE,
        _POINTS,
    ),
    "measure": Place(_measured, np.arange(12).reshape(3, 4), np.arange(1, 13).reshape(3, 4)),
    "quantiles": Place(metrics.quantiles, np.array([3, 1, 2]), np.array([0, 1])),
    "grouped_quantiles": Place(
        lambda r, p: vars(metrics.grouped_quantiles(r, _CODES, 1, p)),
        np.arange(20).reshape(4, 5),
        np.array([0, 1]),
    ),
    "row_quantiles": Place(metrics.row_quantiles, np.arange(20).reshape(4, 5), np.array([0, 1])),
    "median_intervals": Place(
        lambda r, _: metrics.median_intervals(r, _CODES, 1),
        np.arange(20).reshape(4, 5),
        np.array([0, 1]),
    ),
    "resampled_ratios": Place(metrics.resampled_ratios, np.array([1, 2, 3]), np.array([4, 5, 6])),
}

OF_ONE = ("median_intervals", "a magpylib source")
"""Functions of one array; the second is not used."""

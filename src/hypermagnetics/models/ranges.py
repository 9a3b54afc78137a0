"""Where a model was trained, and a warning beyond it."""

import warnings

import jax
import numpy as np

from hypermagnetics.models.inputs import ModelInputs
from hypermagnetics.shapes import Points, SourceTable

_TOLERANCE = 1e-3
"""Beyond the range by this share of its width still counts to it: samples never fill a range."""


class OutOfRangeWarning(UserWarning):
    """A model is evaluated where it was not trained, so that its error is unknown."""


def warn_out_of_range(
    inputs: ModelInputs, columns: tuple[str, ...], sources: SourceTable, points: Points
) -> None:
    """Warn if values lie outside of what the model has seen; once for each kind of value.

    Values inside a transformation of JAX, as under `jit`, are not looked at.

    Args:
        inputs: What the model reads, and its ranges.
        columns: The columns that count.
        sources: Source table.
        points: Points of evaluation [m].
    """
    trained = inputs.trained
    if trained is None or isinstance(sources, jax.core.Tracer):
        return
    table = np.asarray(sources)
    table = table[np.any(table[:, : inputs.dim] != 0, axis=1)]
    for name in columns:
        index = inputs.columns.index(name)
        _warn(f"{name} of a source", trained.sources[index], table[:, index])
    if not isinstance(points, jax.core.Tracer):
        for axis, bounds, values in zip("xyz", trained.points, np.asarray(points).T, strict=False):
            _warn(f"{axis} of a point", bounds, values)


def _warn(what: str, bounds: tuple[float, float], values: np.ndarray) -> None:
    low, high = bounds
    slack = _TOLERANCE * (high - low)
    if values.size and (values.min() < low - slack or values.max() > high + slack):
        # Always the same place and, for one model, the same text: shown once by Python's default.
        warnings.warn(
            f"The {what} must lie within {low:.4g} and {high:.4g} m, where the model was trained; "
            "got values outside, where its error is unknown. Train on a wider dataset, or filter "
            "OutOfRangeWarning.",
            OutOfRangeWarning,
            stacklevel=1,
        )

"""Axes of a parallel-coordinates plot: heights of values, each from 0 to 1."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.ticker import LogLocator, MaxNLocator
from pydantic import JsonValue

from hypermagnetics.train.sweep.dimensions import Choices, Dimension, Range, text_of
from hypermagnetics.train.sweep.plan import shown

_LOG_FROM = 10.0
"""Ratio of the largest to the smallest error beyond which their axis is logarithmic."""
_MOST_CHARACTERS = 18
_MOST_LABELS = 30
"""Largest number of labels of an axis, so that they do not touch."""
_NEAR = 0.05
"""Distance from an end within which a tick label would overlap that of the end."""
_SPREAD = 0.5
"""Share of the space of a choice taken by its lines, so that they are distinguishable."""


@dataclass(frozen=True)
class Axis:
    """A vertical axis of a plot."""

    title: str
    ticks: Sequence[tuple[float, str]]
    """Height and text of each tick."""
    height: Callable[[JsonValue, float], float]
    """Height of a value, for a line whose rank among all is this fraction."""
    spread: float = 0.0
    """Height of the bar that holds the lines of equal values."""


def key_axis(key: str, dimension: Dimension) -> Axis:
    """The axis of a key of the recipe."""
    title = key.replace(".", ".\n")
    if isinstance(dimension, Range):
        return _numeric(title, dimension.low, dimension.high, log=dimension.log)
    return _of_choices(title, dimension)


def metric_axis(title: str, values: Sequence[float]) -> Axis:
    """Axis of the metric, the least at the bottom.

    Args:
        title: Title of the axis.
        values: Finite ones, at least one.
    """
    low, high = min(values), max(values)
    if low == high:
        return Axis(title, [(0.5, f"{low:.3g}")], lambda value, rank: 0.5)
    return _numeric(title, low, high, log=low > 0 and high / low > _LOG_FROM)


def _of_choices(title: str, choices: Choices) -> Axis:
    """Values at equal distances, numbers in their order."""
    values = list(choices.values)
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        values.sort(key=lambda value: float(str(value)))
    space = 1 / len(values)
    middle = {text_of(value): (index + 0.5) * space for index, value in enumerate(values)}
    every = math.ceil(len(values) / _MOST_LABELS)
    labels = [_short(shown(v)) if i % every == 0 else "" for i, v in enumerate(values)]
    return Axis(
        title,
        list(zip(middle.values(), labels, strict=True)),
        lambda value, rank: middle[text_of(value)] + (rank - 0.5) * _SPREAD * space,
        _SPREAD * space,
    )


def _numeric(title: str, low: float, high: float, *, log: bool) -> Axis:
    scale = math.log if log else float

    def height(value: JsonValue, rank: float) -> float:
        return (scale(float(str(value))) - scale(low)) / (scale(high) - scale(low))

    marks = _log_marks(low, high) if log else MaxNLocator(nbins=6).tick_values(low, high)
    between = [
        mark
        for mark in map(float, marks)
        if low < mark < high and _NEAR < height(mark, 0.5) < 1 - _NEAR
    ]
    ticks = [(height(mark, 0.5), f"{mark:.3g}") for mark in (low, *between, high)]
    return Axis(title, ticks, height)


def _log_marks(low: float, high: float) -> Sequence[float]:
    """Powers of ten; with their multiples by 2 and 5 where there are few."""
    for subs in ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), tuple(map(float, range(1, 10)))):
        marks = LogLocator(subs=subs, numticks=20).tick_values(low, high)
        inside = [float(mark) for mark in marks if low <= mark <= high]
        if len(inside) >= 3:
            return inside
    return [low, high]


def _short(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 3] + "..."

"""Parallel coordinates: a line for each trial across an axis for each key and for the result."""

import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator
from pydantic import JsonValue

from hypermagnetics.pictures.style import plain_style
from hypermagnetics.train.sweep.config import Metric
from hypermagnetics.train.sweep.dimensions import Choices, Dimension, Range, text_of
from hypermagnetics.train.sweep.ledger import Trial, ranked
from hypermagnetics.train.sweep.plan import shown

_COLOURS = "viridis_r"  # told apart by colour-blind readers, and in grey
_BEST = "#D55E00"  # vermilion, away from all of viridis for them too
_FAILED = "0.6"
_INK = "0.15"
_BAR = "0.82"
_DOTS_PER_INCH = 150
_LOG_FROM = 10.0
"""Ratio of the largest to the smallest error beyond which their axis is logarithmic."""
_MOST_CHARACTERS = 18
_MOST_LABELS = 30
"""Largest number of labels of an axis, so that they do not touch."""
_NEAR = 0.05
"""Distance from an end within which a tick label would overlap that of the end."""
_SPREAD = 0.5
"""Share of the space of a choice taken by its lines, so that they are distinguishable."""

_TITLES: Mapping[Metric, str] = {
    "loss": "validation loss",
    "potential": "error of the\npotential [%]",
    "field": "error of the\nfield [%]",
}


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


@plain_style()
def parallel_coordinates(
    trials: Sequence[Trial], keys: Mapping[str, Dimension], metric: Metric, title: str
) -> bytes:
    """Draw all trials that have ended.

    Args:
        trials: At least one of them has the metric.
        keys: Varied keys, an axis each.
        metric: The last axis, and the colour.
        title: Title on top.

    Returns:
        A PNG.
    """
    order = ranked(trials, metric)
    scores = [_in_unit(trial.score(metric), metric) for trial in order]
    axes = [key_axis(key, dimension) for key, dimension in keys.items()]
    axes.append(metric_axis(_TITLES[metric], [score for score in scores if math.isfinite(score)]))
    figure = Figure(figsize=(2.2 + 1.6 * len(axes), 5.2), layout="constrained", dpi=_DOTS_PER_INCH)
    FigureCanvasAgg(figure)
    canvas = figure.add_subplot()
    for place, axis in enumerate(axes):
        _draw_axis(canvas, place, axis, is_last=place == len(axes) - 1)
    # The best is drawn last, over all others.
    for rank, (trial, score) in reversed(list(enumerate(zip(order, scores, strict=True)))):
        share = (rank + 0.5) / len(order)
        heights = [
            axis.height(value, share)
            for axis, value in zip(axes, (trial.values[key] for key in keys), strict=False)
        ]
        if math.isfinite(score):
            heights.append(axes[-1].height(score, share))
        _draw_line(canvas, heights, trial, is_best=rank == 0, fails=not math.isfinite(score))
    _finish(canvas, len(axes), any(not math.isfinite(score) for score in scores))
    figure.suptitle(title, fontsize=12)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _in_unit(score: float, metric: Metric) -> float:
    return score if metric == "loss" else 100 * score


def _draw_axis(canvas: Axes, place: int, axis: Axis, *, is_last: bool) -> None:
    # No line comes from the right of the last axis, so its numbers cover none.
    side = 1 if is_last else -1
    if not axis.spread:
        canvas.plot([place, place], [0, 1], color=_INK, lw=1.2, zorder=3)
    for height, text in axis.ticks:
        if axis.spread:
            ends = [height - 0.62 * axis.spread, height + 0.62 * axis.spread]
            canvas.plot([place, place], ends, color=_BAR, lw=6, solid_capstyle="butt", zorder=0)
        else:
            canvas.plot([place, place + 0.025 * side], [height] * 2, color=_INK, lw=1.0, zorder=3)
        canvas.text(
            place + 0.045 * side,
            height,
            text,
            ha="left" if is_last else "right",
            va="center",
            fontsize=8.5,
            zorder=5,
            bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 0.8},
        )
    canvas.text(place, 1.04, axis.title, ha="center", va="bottom", fontsize=9.5)


def _draw_line(
    canvas: Axes, heights: Sequence[float], trial: Trial, *, is_best: bool, fails: bool
) -> None:
    places = range(len(heights))
    if fails:
        canvas.plot(places, heights, color=_FAILED, lw=1.0, ls=(0, (4, 3)), zorder=1)
        canvas.plot(places[-1], heights[-1], color=_FAILED, marker="x", ms=6, zorder=4)
        return
    if is_best:
        label = f"best: trial {trial.number}"
        canvas.plot(places, heights, color=_BEST, lw=3.0, marker="o", ms=5, zorder=4, label=label)
        return
    colour = matplotlib.colormaps[_COLOURS](1 - heights[-1])
    canvas.plot(places, heights, color=colour, lw=1.3, alpha=0.85, zorder=2)


def _finish(canvas: Axes, count: int, some_fail: bool) -> None:
    if some_fail:
        canvas.plot([], [], color=_FAILED, ls=(0, (4, 3)), marker="x", label="failed")
    canvas.legend(loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=2, frameon=False)
    canvas.set(xlim=(-0.65, count - 0.55), ylim=(-0.04, 1.06))
    canvas.axis("off")


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

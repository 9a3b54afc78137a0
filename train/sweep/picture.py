"""Parallel coordinates: a line for each trial across an axis for each key and for the result."""

import io
import math
from collections.abc import Mapping, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hypermagnetics.train.sweep.axes import Axis, key_axis, metric_axis
from hypermagnetics.train.sweep.config import Metric
from hypermagnetics.train.sweep.dimensions import Dimension
from hypermagnetics.train.sweep.ledger import Trial
from hypermagnetics.train.sweep.table import ranked, score_of

_COLOURS = "viridis_r"  # told apart by colour-blind readers, and in grey
_BEST = "#D55E00"  # vermilion, away from all of viridis for them too
_FAILED = "0.6"
_INK = "0.15"
_BAR = "0.82"
_DOTS_PER_INCH = 150

_TITLES: Mapping[Metric, str] = {
    "loss": "validation loss",
    "potential": "error of the\npotential [%]",
    "field": "error of the\nfield [%]",
}


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
    scores = [_in_unit(score_of(trial, metric), metric) for trial in order]
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

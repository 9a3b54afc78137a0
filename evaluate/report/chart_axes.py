"""The frame of a chart: its axes, the colours and marks of subjects, and a legend below."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from hypermagnetics.evaluate.report.formats import number
from hypermagnetics.evaluate.report.rendering import INK, new_figure

PANEL_WIDTH = 4.8
_AXES_HEIGHT, _TOP, _BELOW = 2.75, 0.32, 0.55
_LEFT, _RIGHT = 0.78, 0.14
_LEGEND_ROW = 0.21
"""Lengths of a chart [inch]."""

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", INK, "#e69f00", "#56b4e9")
"""Colours of Okabe and Ito for colour-blind readers, without yellow, which is faint on white."""
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
_LONGEST_NAME = 44
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Look:
    """Name, colour and marker of a subject in all charts."""

    name: str
    """Name in the legend."""
    colour: str
    marker: str


def looks(names: Sequence[str]) -> dict[str, Look]:
    """A colour and a marker for each subject; colours repeat after seven, pairs after 63."""
    colours, markers = (list(islice(cycle(some), len(names))) for some in (_COLOURS, _MARKERS))
    return {
        name: Look(_shortened(name), colour, marker)
        for name, colour, marker in zip(names, colours, markers, strict=True)
    }


def framed(shown: Sequence[Look], panels: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure with empty axes, and a legend of the subjects below them.

    Args:
        shown: Subjects; a legend of one is left out, as captions name it.
        panels: Axes side by side.

    Returns:
        The figure and its axes.
    """
    entries = shown if len(shown) > 1 else ()
    columns = 2 if all(len(look.name) <= 24 for look in entries) else 1
    legend = -(-len(entries) // columns) * _LEGEND_ROW + (0.1 if entries else 0.0)
    width, height = panels * PANEL_WIDTH, _TOP + _AXES_HEIGHT + _BELOW + legend
    figure = new_figure(width, height)
    found = [
        figure.add_axes(
            (
                (panel * PANEL_WIDTH + _LEFT) / width,
                (_BELOW + legend) / height,
                (PANEL_WIDTH - _LEFT - _RIGHT) / width,
                _AXES_HEIGHT / height,
            )
        )
        for panel in range(panels)
    ]
    for panel in range(panels if entries else 0):
        figure.legend(
            handles=[
                Line2D([], [], color=look.colour, marker=look.marker, ms=5, lw=1.5, label=look.name)
                for look in entries
            ],
            loc="lower left",
            bbox_to_anchor=((panel * PANEL_WIDTH + _LEFT - 0.1) / width, 0.0),
            ncols=columns,
            borderaxespad=0.1,
            columnspacing=1.5,
            labelspacing=0.35,
            handlelength=2.2,
        )
    return figure, found


def labelled(axes: Axes, title: str, x: str, y: str) -> None:
    """Name the axes, and draw a faint grid.

    The names are texts in places of their own: those of matplotlib are moved out of the way of the
    ticks, which takes a third of the time of a chart.
    """
    width, height = PANEL_WIDTH - _LEFT - _RIGHT, _AXES_HEIGHT
    place: dict[str, Any] = {"transform": axes.transAxes, "clip_on": False}
    axes.text(0, 1 + 0.1 / height, title, size=10.5, va="bottom", **place)
    axes.text(0.5, -0.3 / height, x, ha="center", va="top", **place)
    axes.text(-0.66 / width, 0.5, y, ha="center", va="center", rotation=90, **place)
    axes.grid(color="#808080", alpha=0.25, lw=0.6)
    axes.set_axisbelow(True)


def logarithmic(axes: Axes, which: Literal["x", "y"]) -> None:
    """Make an axis logarithmic, with plain numbers, several of them even on a short span."""
    axis: Axis = axes.xaxis if which == "x" else axes.yaxis
    axes.set(**{f"{which}scale": "log"})
    low, high = sorted(axis.get_view_interval())
    decades = np.log10(high / low) if low > 0 else 9.0
    if decades < 0.35:  # of a narrow range no power of ten, and no simple multiple, may be in it
        middle = np.sqrt(low * high)
        axes.set(**{f"{which}lim": (middle / 1.6, middle * 1.6)})
        decades = 0.4
    subs = (1, 2, 3, 5, 7) if decades < 0.8 else (1, 2, 5) if decades < 2.2 else (1,)
    axis.set_major_locator(LogLocator(subs=subs, numticks=9))
    axis.set_major_formatter(FuncFormatter(_tick))
    axis.set_minor_locator(NullLocator())


def drawable(values: np.ndarray) -> np.ndarray:
    """The same values; NaN where a logarithmic axis cannot show them."""
    return np.where(np.isfinite(values) & (values > 0), values, np.nan)


def _tick(value: float, _: int | None) -> str:
    """Text of a tick: small and large powers of ten in short form, all others as plain numbers."""
    exponent = round(float(np.log10(value))) if value > 0 else 0
    if 1e-3 <= value < 1e5 or not np.isclose(value, 10.0**exponent):
        return number(value)
    return "10" + str(exponent).translate(_SUPERSCRIPTS)


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else "…" + name[1 - _LONGEST_NAME :]

"""Time of a prediction against the number of sources, and of points."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Literal, get_args

import numpy as np

from hypermagnetics.evaluate.report.chart_axes import framed, labelled, logarithmic
from hypermagnetics.evaluate.report.figures import Note, Undrawn, csv_text
from hypermagnetics.evaluate.report.formats import count, counted, seconds
from hypermagnetics.evaluate.report.inputs import Looks, Report
from hypermagnetics.evaluate.report.rendering import Picture, style
from hypermagnetics.evaluate.results.records import Timing

NOT_MEASURED = "Times against sources and points were not measured."

_Sweep = Literal["sources", "points"]
_SWEEPS: tuple[_Sweep, ...] = get_args(_Sweep)
_COLUMNS = (
    *("num_samples", "num_sources", "num_points", "median_seconds", "spread_seconds"),
    "repeats",
)
"""Columns of the CSV file, by their names in a record."""


def times(report: Report) -> Iterator[Undrawn | Note]:
    """Median times with their spread on logarithmic axes, a line for each subject."""
    timings = [one for one in report.results.timings if one.sweep in _SWEEPS]
    for dataset in dict.fromkeys(one.dataset for one in timings):
        for sweep in _SWEEPS:
            own = [one for one in timings if (one.dataset, one.sweep) == (dataset, sweep)]
            if own:
                chart = partial(_chart, own, sweep, report.looks)
                yield Undrawn(("time", sweep, dataset), {"dataset": dataset}, chart)
    if not timings:
        yield Note({}, NOT_MEASURED)


def _varied(timing: Timing) -> int:
    """The varied number of a sweep: sources or points."""
    return timing.num_sources if timing.sweep == "sources" else timing.num_points


def _chart(timings: Sequence[Timing], sweep: _Sweep, looks: Looks) -> Picture:
    names = list(dict.fromkeys(timing.subject for timing in timings))
    rows: list[tuple[object, ...]] = []
    told: list[str] = []
    with style():
        figure, (axes,) = framed([looks[name] for name in names])
        for name in names:
            own = sorted((one for one in timings if one.subject == name), key=_varied)
            numbers = np.array([_varied(one) for one in own])
            times = np.array([one.median_seconds for one in own])
            spreads = np.array([one.spread_seconds for one in own])
            look = looks[name]
            axes.errorbar(
                numbers,
                times,
                # Half of a time at least stays: a logarithmic axis has no place for 0.
                yerr=(np.minimum(spreads, times / 2), spreads),
                color=look.colour,
                marker=look.marker,
                ms=4.5,
                lw=1.5,
                elinewidth=1,
                capsize=2,
            )
            rows += [(name, *(getattr(one, column) for column in _COLUMNS)) for one in own]
            told.append(
                f"{name}: {seconds(times[0])} for {count(int(numbers[0]))} and "
                f"{seconds(times[-1])} for {count(int(numbers[-1]))}"
            )
        labelled(axes, f"Time against {sweep}", _x(sweep), "time of a prediction [s]")
        logarithmic(axes, "x")
        logarithmic(axes, "y")
    return Picture(
        figure,
        csv_text(("subject", *_COLUMNS), rows),
        f"Time of a prediction of potential and field against the number of {sweep}. "
        f"{'; '.join(told)}.",
        f"{_fixed(timings, sweep)} Medians of repeats; bars are half the distance of the "
        "quartiles. Compilation is left out.",
    )


def _x(sweep: _Sweep) -> str:
    return "sources of a sample" if sweep == "sources" else "points"


def _fixed(timings: Sequence[Timing], sweep: _Sweep) -> str:
    """Sentence on the numbers that are constant in a chart; empty if there are none."""
    others = {one.num_points if sweep == "sources" else one.num_sources for one in timings}
    samples = {one.num_samples for one in timings}
    parts = [
        counted(found.pop(), what) + after
        for found, what, after in (
            (others, "point" if sweep == "sources" else "source", ""),
            (samples, "sample", " at once"),
        )
        if len(found) == 1
    ]
    return f"With {' and '.join(parts)}." if parts else ""

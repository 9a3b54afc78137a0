"""Charts against time: of errors, and of the energy of moments."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Int
from matplotlib.axes import Axes

from hypermagnetics.evaluate.report.chart_axes import drawable, framed, labelled, logarithmic
from hypermagnetics.evaluate.report.figures import csv_text
from hypermagnetics.evaluate.report.formats import MINUS, number, per_cent
from hypermagnetics.evaluate.report.inputs import Looks
from hypermagnetics.evaluate.report.rendering import INK, Picture, style
from hypermagnetics.evaluate.rollouts.measurement import LARGE
from hypermagnetics.evaluate.rollouts.samples import TimeAxis
from hypermagnetics.metrics import row_quantiles

_MOST_POINTS = 400
"""Points of a curve."""
_MARKERS = 12
"""Markers of a curve."""
_LARGEST = 1e4
"""Largest error of the axis [%]: beyond it there is nothing to be seen."""


def error_chart(
    data: str, what: str, time: TimeAxis, relative: Mapping[str, np.ndarray], looks: Looks
) -> Picture:
    """Median and p90 of the errors of whole states, a line for each subject.

    Args:
        data: Name of the split on the page.
        what: Name of the states.
        time: Time between two states.
        relative: Relative errors by subject, (samples, states).
        looks: Colours and markers of the subjects.

    Returns:
        A chart with a logarithmic axis of errors.
    """
    steps = _drawn_steps(relative, 1)
    found = {
        name: row_quantiles(np.ascontiguousarray(one.T[steps]), (0.1, 0.5, 0.9))
        for name, one in relative.items()
    }
    with style():
        figure, (axes,) = framed([looks[name] for name in relative])
        axes.axhline(100 * LARGE, color=INK, lw=0.8, alpha=0.5)
        medians = {name: drawable(100 * one[:, 1]) for name, one in found.items()}
        _draw(axes, steps * time.step, medians, looks)
        for name, one in found.items():
            p90, colour = drawable(100 * one[:, 2]), looks[name].colour
            axes.plot(steps * time.step, p90, color=colour, ls=(0, (4, 2)), lw=1)
        title = f"Error of the {what}: median (solid), p90 (dashed)"
        labelled(axes, title, time.name, "relative error [%]")
        drawn = np.concatenate([drawable(100 * one[:, 1:]).ravel() for one in found.values()])
        drawn = drawn[np.isfinite(drawn)]
        if drawn.size:
            low, high = float(drawn.min()), min(float(drawn.max()), _LARGEST)
            axes.set_ylim(min(low, 100 * LARGE) / 1.5, max(high, 100 * LARGE) * 1.5)
        logarithmic(axes, "y")
        _limit(axes, steps, time)
    told = "; ".join(
        f"{name} {per_cent(one[0, 1])} % after step {steps[0]}, {per_cent(one[-1, 1])} % after "
        f"step {steps[-1]}"
        for name, one in found.items()
    )
    caption = (
        f"{data}: relative L2 error of the whole state of a sample, from the first stored state. "
        f"The thin line is at {100 * LARGE:.0f} %."
    )
    rows = (
        (name, step, step * time.step, *quantiles)
        for name, of_steps in found.items()
        for step, quantiles in zip(steps.tolist(), of_steps.tolist(), strict=True)
    )
    names = ("subject", "step", time.column, "p10", "median", "p90")
    return Picture(
        figure,
        csv_text(names, rows),
        f"Line chart of medians against time. {caption} {told}.",
        caption,
    )


def energy_chart(
    data: str, time: TimeAxis, energy: Mapping[str, np.ndarray], looks: Looks
) -> Picture:
    """Median over the samples of the energy since the start, a line for each subject.

    Args:
        data: Name of the split on the page.
        time: Time between two states.
        energy: Energy minus that at the start by subject, in the unit of its rise, (samples,
            states); NaN of samples in no field.
        looks: Colours and markers of the subjects.

    Returns:
        A chart.
    """
    steps = _drawn_steps(energy, 0)
    medians = {}
    for name, one in energy.items():
        # A median among states that are not finite is none, and leaves a gap; samples in no field
        # have no unit of energy.
        defined = one[~np.isnan(one[:, 0])]
        finite = np.where(np.isfinite(defined), defined, np.nan)[:, steps]
        medians[name] = np.median(finite, axis=0)
    with style():
        figure, (axes,) = framed([looks[name] for name in energy])
        _draw(axes, steps * time.step, medians, looks)
        labelled(axes, "Energy since the start", time.name, f"E {MINUS} E(0) [sum of µ₀ |m| |H|]")
        _limit(axes, steps, time)
    caption = (
        f"{data}: median over the samples of the energy, minus that at the start, in units of the "
        "sum of µ₀ |m| |H| there. Damping lowers it; without damping it stays."
    )
    told = "; ".join(f"{name} {number(float(one[-1]))} at the end" for name, one in medians.items())
    rows = (
        (name, step, step * time.step, median)
        for name, one in medians.items()
        for step, median in zip(steps.tolist(), one.tolist(), strict=True)
    )
    return Picture(
        figure,
        csv_text(("subject", "step", time.column, "median"), rows),
        f"Line chart of medians against time. {caption} {told}.",
        caption,
    )


def _drawn_steps(values: Mapping[str, np.ndarray], first: int) -> Int[np.ndarray, " steps"]:
    """Numbers of the states that are drawn."""
    (num_states,) = {one.shape[1] for one in values.values()}
    count = min(num_states - first, _MOST_POINTS)
    found: np.ndarray = np.unique(np.linspace(first, num_states - 1, count).round().astype(int))
    return found


def _draw(axes: Axes, times: np.ndarray, lines: Mapping[str, np.ndarray], looks: Looks) -> None:
    every = -(-len(times) // _MARKERS)
    for shift, (name, values) in enumerate(lines.items()):
        look = looks[name]
        # Markers of lines that lie on each other stand at other places.
        marks = (shift * every // len(lines), every)
        axes.plot(
            times,
            values,
            color=look.colour,
            marker=look.marker,
            ms=4.5,
            lw=1.5,
            markevery=marks,
        )


def _limit(axes: Axes, steps: np.ndarray, time: TimeAxis) -> None:
    axes.set_xlim(0, steps[-1] * time.step * 1.02)
    axes.locator_params(axis="x", nbins=6)

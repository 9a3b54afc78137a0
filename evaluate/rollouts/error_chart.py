"""Chart of errors against time."""

from collections.abc import Mapping

import numpy as np

from hypermagnetics.evaluate.report.chart_axes import drawable, framed, labelled, logarithmic
from hypermagnetics.evaluate.report.figures import csv_text
from hypermagnetics.evaluate.report.formats import per_cent
from hypermagnetics.evaluate.report.inputs import Looks
from hypermagnetics.evaluate.report.rendering import INK, Picture, style
from hypermagnetics.evaluate.rollouts.measurement import LARGE
from hypermagnetics.evaluate.rollouts.samples import TimeAxis
from hypermagnetics.metrics import row_quantiles

_MOST_POINTS = 400
"""Points of a curve."""
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
    (num_states,) = {one.shape[1] for one in relative.values()}
    number = min(num_states - 1, _MOST_POINTS)
    steps = np.unique(np.linspace(1, num_states - 1, number).round().astype(int))
    found = {
        name: row_quantiles(np.ascontiguousarray(one.T[steps]), (0.1, 0.5, 0.9))
        for name, one in relative.items()
    }
    with style():
        figure, (axes,) = framed([looks[name] for name in relative])
        axes.axhline(100 * LARGE, color=INK, lw=0.8, alpha=0.5)
        every = -(-len(steps) // 12)
        for shift, (name, quantiles) in enumerate(found.items()):
            look = looks[name]
            _, median, p90 = (drawable(100 * one) for one in quantiles.T)
            # Markers of lines that lie on each other stand at other places.
            marks = (shift * every // max(len(found), 1), every)
            axes.plot(
                *(steps * time.step, median),
                color=look.colour,
                marker=look.marker,
                ms=4.5,
                lw=1.5,
                markevery=marks,
            )
            axes.plot(steps * time.step, p90, color=look.colour, ls=(0, (4, 2)), lw=1)
        title = f"Error of the {what}: median (solid), p90 (dashed)"
        labelled(axes, title, time.name, "relative error [%]")
        drawn = np.concatenate([drawable(100 * one[:, 1:]).ravel() for one in found.values()])
        drawn = drawn[np.isfinite(drawn)]
        if drawn.size:
            low, high = float(drawn.min()), min(float(drawn.max()), _LARGEST)
            axes.set_ylim(min(low, 100 * LARGE) / 1.5, max(high, 100 * LARGE) * 1.5)
        logarithmic(axes, "y")
        axes.set_xlim(0, (num_states - 1) * time.step * 1.02)
        axes.locator_params(axis="x", nbins=6)
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

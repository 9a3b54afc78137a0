"""Chart of errors by wave number."""

from collections.abc import Mapping

import numpy as np

from hypermagnetics.evaluate.maps.records import WaveNumberError
from hypermagnetics.evaluate.report.chart_axes import drawable, framed, labelled, logarithmic
from hypermagnetics.evaluate.report.figures import csv_text
from hypermagnetics.evaluate.report.formats import per_cent
from hypermagnetics.evaluate.report.inputs import Looks
from hypermagnetics.evaluate.report.rendering import Picture, style


def spectrum_chart(
    data: str,
    what: str,
    shells: Mapping[str, tuple[WaveNumberError, ...]],
    looks: Looks,
) -> Picture:
    """Errors in shells of wave numbers, a line for each subject.

    Args:
        data: Name of the split on the page.
        what: Name of the map that is compared.
        shells: Errors by subject.
        looks: Colours and markers of the subjects.

    Returns:
        A chart with logarithmic axes.
    """
    with style():
        figure, (axes,) = framed([looks[name] for name in shells])
        ends = sorted({shell.below for one in shells.values() for shell in one})
        for name, one in shells.items():
            # Each error stands in the middle of its shell.
            middles = np.array([shell.below for shell in one]) / np.sqrt(2)
            errors = drawable(100 * np.array([shell.relative_l2 for shell in one]))
            look = looks[name]
            axes.plot(middles, errors, color=look.colour, marker=look.marker, ms=5, lw=1.5)
        logarithmic(axes, "y")
        axes.set(xscale="log", xlim=(ends[0] / 2, ends[-1]))
        axes.set_xticks(ends, [str(end) for end in ends], minor=False)
        axes.set_xticks([], minor=True)
        x = "wave number |k| [periods along the shortest side]"
        labelled(axes, f"Error of the {what}", x, "error [% of the truth]")
    told = "; ".join(
        f"{name} "
        + ", ".join(f"{per_cent(shell.relative_l2)} % below {shell.below}" for shell in one)
        for name, one in shells.items()
    )
    caption = (
        f"{data}: relative L2 error of the {what} in shells of wave numbers, over all "
        "samples together. A shell lies between two numbers of the axis; the first one, below 1, "
        "holds the mean."
    )
    rows = (
        (name, shell.below, shell.relative_l2, shell.share_of_truth)
        for name, one in shells.items()
        for shell in one
    )
    return Picture(
        figure,
        csv_text(("subject", "below", "relative_l2", "share_of_truth"), rows),
        f"Line chart. {caption} {told}.",
        caption,
    )

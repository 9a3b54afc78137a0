"""Predicted against true values of one subject on one split."""

from collections.abc import Iterator
from functools import partial

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import ListedColormap, LogNorm

from hypermagnetics.evaluate.report.chart_axes import framed, labelled
from hypermagnetics.evaluate.report.figures import Undrawn, csv_text
from hypermagnetics.evaluate.report.formats import count, number
from hypermagnetics.evaluate.report.inputs import SplitErrors
from hypermagnetics.evaluate.report.rendering import INK, Picture, style

_BINS = 90
# Without its darkest part, which a dark page would swallow.
_COLOURS = ListedColormap(colormaps["cividis"](np.linspace(0.3, 1, 100)))
_WITHIN = 0.995
"""Share of the labels within the axes, as a few are huge, such as next to a dipole."""
_SYMBOLS = {"potential": ("φ", "A"), "field": ("components of H", "A/m")}


def parity(errors: SplitErrors) -> Iterator[Undrawn]:
    """Counts of pairs of true and predicted values, for each subject that is shown in detail."""
    for subject in errors.details:
        words = ("parity", errors.quantity, subject, errors.dataset, errors.split)
        yield Undrawn(
            words,
            {**errors.choice, "subject": subject},
            partial(_plot, errors.only(subject), subject),
        )


def _plot(errors: SplitErrors, subject: str) -> Picture:
    look, detail = errors.looks[subject], errors.details[subject]
    true, predicted = detail.true_values, detail.predicted_values
    reach = float(np.quantile(np.abs(true), _WITHIN)) if true.size else 0.0
    limit = 1.02 * reach or 1.0
    counts, _, _ = np.histogram2d(predicted, true, _BINS, ((-limit, limit), (-limit, limit)))
    drawn = int(counts.sum())
    symbol, unit = _SYMBOLS[errors.quantity]
    with style():
        figure, (axes,) = framed([look])
        axes.imshow(
            np.ma.masked_equal(counts, 0),
            extent=(-limit, limit, -limit, limit),
            origin="lower",
            aspect="auto",
            interpolation="none",
            cmap=_COLOURS,
            norm=LogNorm(1, max(counts.max(), 2)),
            zorder=2,
        )
        axes.plot([-limit, limit], [-limit, limit], color=INK, lw=0.8, ls=(0, (4, 3)), zorder=3)
        axes.set(xlim=(-limit, limit), ylim=(-limit, limit))
        axes.locator_params(nbins=6)
        labelled(
            axes,
            f"Parity: {symbol}, {look.name}",
            f"true {symbol} [{unit}]",
            f"predicted {symbol} [{unit}]",
        )
    left_out = true.size - drawn
    return Picture(
        figure,
        csv_text(("true", "predicted"), zip(true, predicted, strict=True)),
        f"Predicted against true {symbol} of {subject}: {count(drawn)} pairs between "
        f"{number(-limit)} and {number(limit)} {unit}. {_told(true, predicted)}",
        f"{count(true.size)} values at some points of all samples; yellow where there are many, "
        f"on a logarithmic scale. {_beyond(left_out)}",
    )


def _told(true: np.ndarray, predicted: np.ndarray) -> str:
    finite = np.isfinite(predicted)
    if np.count_nonzero(finite) < 2 or not np.ptp(true[finite]) or not np.ptp(predicted[finite]):
        return "They have no correlation that could be computed."
    correlation = float(np.corrcoef(true[finite], predicted[finite])[0, 1])
    return f"Their correlation is {correlation:.5f}."


def _beyond(left_out: int) -> str:
    if not left_out:
        return "The dashed line is where both are equal."
    return f"Outside the axes or not finite: {count(left_out)}."

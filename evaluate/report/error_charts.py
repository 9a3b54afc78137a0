"""Errors of several subjects on one split: against distance, number of sources, and spread."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes

from hypermagnetics.evaluate.measuring.detail import QuantityDetail, Shown
from hypermagnetics.evaluate.report.chart_axes import Chart, Look, framed, labelled, logarithmic
from hypermagnetics.evaluate.report.formats import per_cent
from hypermagnetics.evaluate.report.rendering import INK, style
from hypermagnetics.evaluate.results.records import DistanceScores, Evaluation, QuantityScores

Quantity = Literal["potential", "field"]
QUANTITIES: tuple[Quantity, ...] = ("potential", "field")

_STYLES = ("-", (0, (5, 1.5)), "-.", (0, (1, 1)))


def scores_of(evaluation: Evaluation, quantity: Quantity) -> QuantityScores:
    """Scores of one quantity."""
    return evaluation.potential if quantity == "potential" else evaluation.field


def detail_of(evaluated: Shown, quantity: Quantity) -> QuantityDetail:
    """Figure data of one quantity."""
    return evaluated.potential if quantity == "potential" else evaluated.field


def error_against_distance(
    evaluations: Sequence[Evaluation], quantity: Quantity, looks: Mapping[str, Look]
) -> Chart:
    """Median and p90 in intervals of distance to the nearest surface.

    The intervals are drawn equally wide: near a surface they are narrow, and errors change fast.
    """
    ranges = _ranges(scores_of(one, quantity) for one in evaluations)
    rows: list[tuple[object, ...]] = []
    with style():
        figure, (axes,) = framed([looks[one.subject] for one in evaluations])
        _surface(axes, ranges)
        for evaluation in evaluations:
            look = looks[evaluation.subject]
            parts = scores_of(evaluation, quantity).by_distance
            places = np.array([ranges.index((part.low, part.high)) + 0.5 for part in parts])
            medians, p90s = (
                _drawable([getattr(part, f"{name}_relative_error") for part in parts])
                for name in ("median", "p90")
            )
            axes.plot(places, medians, color=look.colour, marker=look.marker, ms=4.5, lw=1.5)
            axes.plot(places, p90s, color=look.colour, ls=(0, (4, 2)), lw=1)
            rows += [(evaluation.subject, *_distance_row(part)) for part in parts]
        axes.set_xlim(-0.02 * len(ranges), len(ranges) * 1.02)
        edges = [(place, high) for place, (_, high) in enumerate(ranges, 1) if high is not None]
        axes.set_xticks(*zip(*edges, strict=True) if edges else ([], []))
        axes.set_xticklabels([_short(edge) for _, edge in edges], size=8)
        labelled(
            axes,
            f"Error of the {quantity}: median (solid), p90 (dashed)",
            "distance to the nearest surface [length units]",
            "relative error [%]",
        )
        logarithmic(axes, "y")
    names = ("subject", "low", "high", "median_relative_error", "p90_relative_error")
    columns = _columns((*names, "share_of_points"), rows)
    return Chart(
        figure,
        columns,
        f"Relative error of the {quantity} against the distance to the nearest surface. "
        f"{_largest(evaluations, quantity)}.",
        "Distances are in length units of the dataset, negative inside a body; intervals are "
        "drawn equally wide.",
    )


def _short(edge: float) -> str:
    """Shortest text of a number, as an axis has thirteen."""
    return f"{edge:g}".replace("-", "\N{MINUS SIGN}").replace("0.", ".")


def _ranges(scores: Iterable[QuantityScores]) -> list[tuple[float | None, float | None]]:
    """All intervals of distance with points in any evaluation, in order."""
    found = {(part.low, part.high) for one in scores for part in one.by_distance}
    return sorted(found, key=lambda ends: -math.inf if ends[0] is None else ends[0])


def error_distribution(
    evaluated: Sequence[Shown], quantity: Quantity, looks: Mapping[str, Look]
) -> Chart:
    """Shares of the points by relative error, on a logarithmic axis."""
    rows: list[tuple[object, ...]] = []
    with style():
        figure, (axes,) = framed([looks[one.evaluation.subject] for one in evaluated])
        for number, one in enumerate(evaluated):
            look, detail = looks[one.evaluation.subject], detail_of(one, quantity)
            edges, shares = detail.error_edges, detail.error_shares
            axes.stairs(
                100 * shares,
                100 * edges,
                color=look.colour,
                lw=1.6,
                ls=_STYLES[number % len(_STYLES)],
            )
            middle = int(np.argmax(shares))
            top = 100 * math.sqrt(edges[middle] * edges[middle + 1])
            axes.plot([top], [100 * shares[middle]], look.marker, color=look.colour, ms=5)
            rows += [
                (one.evaluation.subject, *row)
                for row in zip(edges[:-1], edges[1:], shares, strict=True)
            ]
        labelled(
            axes,
            f"Distribution of the errors of the {quantity}",
            "relative error [%]",
            "points [%]",
        )
        logarithmic(axes, "x")
        axes.set_ylim(bottom=0)
    told = "; ".join(
        f"{one.evaluation.subject}: half of the points below "
        f"{per_cent(scores_of(one.evaluation, quantity).median_relative_error)} %, nine of ten "
        f"below {per_cent(scores_of(one.evaluation, quantity).p90_relative_error)} %"
        for one in evaluated
    )
    return Chart(
        figure,
        _columns(("subject", "low", "high", "share"), rows),
        f"Distribution of the relative errors of the {quantity}. {told}.",
        "The first and the last bin also hold what lies beyond them.",
    )


def error_against_num_sources(
    evaluations: Sequence[Evaluation], quantity: Quantity, looks: Mapping[str, Look]
) -> Chart:
    """Median error and its interval for each number of sources, or range of numbers."""
    keys = sorted(
        {key for one in evaluations for key in scores_of(one, quantity).by_num_sources},
        key=first_number,
    )
    rows: list[tuple[object, ...]] = []
    with style():
        figure, (axes,) = framed([looks[one.subject] for one in evaluations])
        for number, evaluation in enumerate(evaluations):
            look = looks[evaluation.subject]
            found = scores_of(evaluation, quantity).by_num_sources
            shift = 0.5 * ((number + 0.5) / len(evaluations) - 0.5)
            for key, scores in found.items():
                low, high = scores.ci95 or (math.nan, math.nan)
                median = scores.median_relative_error
                rows.append((evaluation.subject, key, median, low, high, scores.num_samples))
            own = [key for key in keys if key in found]
            places = np.array([keys.index(key) + shift for key in own])
            medians = _drawable([found[key].median_relative_error for key in own])
            ends = np.array([found[key].ci95 or (math.nan, math.nan) for key in own])
            axes.plot(places, medians, look.marker, color=look.colour, ms=5)
            axes.vlines(places, *_drawable(ends).T, color=look.colour, lw=1.5)
        axes.set_xticks(range(len(keys)), keys)
        axes.set_xlim(-0.6, len(keys) - 0.4)
        labelled(
            axes,
            f"Error of the {quantity} by number of sources",
            "sources of a sample",
            "median relative error [%]",
        )
        logarithmic(axes, "y")
    names = ("subject", "num_sources", "median_relative_error", "ci95_low", "ci95_high")
    told = "; ".join(
        f"{row[0]}, {row[1]} sources: {per_cent(float(str(row[2])))} %" for row in rows[:12]
    )
    return Chart(
        figure,
        _columns((*names, "num_samples"), rows),
        f"Median relative error of the {quantity} by number of sources. {told}.",
        "Bars are 95 % bootstrap intervals over samples.",
    )


def first_number(key: str) -> int:
    """First number of a key: 4 of "4", and 17 of "17-32"."""
    return int(key.partition("-")[0])


def _surface(axes: Axes, ranges: Sequence[tuple[float | None, float | None]]) -> None:
    """Draw a line at distance zero, if an interval ends there."""
    for place, (_, high) in enumerate(ranges, 1):
        if high == 0:
            axes.axvline(place, color=INK, lw=1, alpha=0.7)
            axes.annotate(
                "surface",
                (place, 0.985),
                xycoords=("data", "axes fraction"),
                xytext=(3, 0),
                textcoords="offset points",
                va="top",
                size=8.5,
            )


def _distance_row(part: DistanceScores) -> tuple[object, ...]:
    errors = part.median_relative_error, part.p90_relative_error
    return part.low, part.high, *errors, part.share_of_points


def _largest(evaluations: Sequence[Evaluation], quantity: Quantity) -> str:
    """Text on the largest median of each subject, and its distance."""
    worst = {
        one.subject: max(
            (part for part in scores_of(one, quantity).by_distance),
            key=lambda part: _or(part.median_relative_error, -1.0),
            default=None,
        )
        for one in evaluations
    }
    return "; ".join(
        f"{name}: largest median {per_cent(part.median_relative_error)} % {_where(part)}"
        for name, part in worst.items()
        if part
    )


def _where(part: DistanceScores) -> str:
    if part.low is None:
        return f"at less than {part.high:g}" if part.high is not None else "anywhere"
    return f"beyond {part.low:g}" if part.high is None else f"from {part.low:g} to {part.high:g}"


def _or(value: float, otherwise: float) -> float:
    return otherwise if math.isnan(value) else value


def _drawable(fractions: Sequence[float] | np.ndarray) -> np.ndarray:
    """Values in per cent; NaN where a logarithmic axis cannot show them."""
    values = 100 * np.array(fractions, np.float64)
    return np.where(np.isfinite(values) & (values > 0), values, np.nan)


def _columns(
    names: Sequence[str], rows: Sequence[tuple[object, ...]]
) -> dict[str, Sequence[object] | np.ndarray]:
    values = list(zip(*rows, strict=True)) or [()] * len(names)
    return dict(zip(names, values, strict=True))

"""Errors of several subjects on one split: against distance, number of sources, and spread."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes

from hypermagnetics.evaluate.report.chart_axes import drawable, framed, labelled, logarithmic
from hypermagnetics.evaluate.report.figures import Undrawn, csv_text
from hypermagnetics.evaluate.report.formats import per_cent
from hypermagnetics.evaluate.report.inputs import SplitErrors
from hypermagnetics.evaluate.report.rendering import INK, Picture, style
from hypermagnetics.evaluate.results.records import DistanceScores

_STYLES = ("-", (0, (5, 1.5)), "-.", (0, (1, 1)))


def distance(errors: SplitErrors) -> Iterator[Undrawn]:
    """Median and p90 in intervals of distance to the nearest surface.

    The intervals are drawn equally wide: near a surface they are narrow, and errors change fast.
    """
    yield errors.figure("distance", _distance_chart)


def distribution(errors: SplitErrors) -> Iterator[Undrawn]:
    """Shares of the points by relative error, on a logarithmic axis."""
    if errors.details:
        yield errors.figure("distribution", _distribution_chart)


def num_sources(errors: SplitErrors) -> Iterator[Undrawn]:
    """Median error and its interval for each number of sources, or range of numbers."""
    yield errors.figure("num-sources", _num_sources_chart)


def _distance_chart(errors: SplitErrors) -> Picture:
    quantity, ranges = errors.quantity, _ranges(errors)
    rows: list[tuple[object, ...]] = []
    with style():
        figure, (axes,) = framed([errors.looks[subject] for subject in errors.scores])
        _surface(axes, ranges)
        for subject, scores in errors.scores.items():
            look, parts = errors.looks[subject], scores.by_distance
            places = np.array([ranges.index((part.low, part.high)) + 0.5 for part in parts])
            medians, p90s = (
                _per_cent([getattr(part, f"{name}_relative_error") for part in parts])
                for name in ("median", "p90")
            )
            axes.plot(places, medians, color=look.colour, marker=look.marker, ms=4.5, lw=1.5)
            axes.plot(places, p90s, color=look.colour, ls=(0, (4, 2)), lw=1)
            rows += [(subject, *_distance_row(part)) for part in parts]
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
    return Picture(
        figure,
        csv_text((*names, "share_of_points"), rows),
        f"Relative error of the {quantity} against the distance to the nearest surface. "
        f"{_largest(errors)}.",
        "Distances are in length units of the dataset, negative inside a body; intervals are "
        "drawn equally wide.",
    )


def _short(edge: float) -> str:
    """Shortest text of a number, as an axis has thirteen."""
    return f"{edge:g}".replace("-", "\N{MINUS SIGN}").replace("0.", ".")


def _ranges(errors: SplitErrors) -> list[tuple[float | None, float | None]]:
    """All intervals of distance with points of any subject, in order."""
    found = {(part.low, part.high) for one in errors.scores.values() for part in one.by_distance}
    return sorted(found, key=lambda ends: -math.inf if ends[0] is None else ends[0])


def _distribution_chart(errors: SplitErrors) -> Picture:
    quantity = errors.quantity
    rows: list[tuple[object, ...]] = []
    with style():
        figure, (axes,) = framed([errors.looks[subject] for subject in errors.details])
        for number, (subject, detail) in enumerate(errors.details.items()):
            look, edges, shares = errors.looks[subject], detail.error_edges, detail.error_shares
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
            rows += [(subject, *row) for row in zip(edges[:-1], edges[1:], shares, strict=True)]
        labelled(
            axes,
            f"Distribution of the errors of the {quantity}",
            "relative error [%]",
            "points [%]",
        )
        logarithmic(axes, "x")
        axes.set_ylim(bottom=0)
    told = "; ".join(
        f"{subject}: half of the points below "
        f"{per_cent(errors.scores[subject].median_relative_error)} %, nine of ten below "
        f"{per_cent(errors.scores[subject].p90_relative_error)} %"
        for subject in errors.details
    )
    return Picture(
        figure,
        csv_text(("subject", "low", "high", "share"), rows),
        f"Distribution of the relative errors of the {quantity}. {told}.",
        "The first and the last bin also hold what lies beyond them.",
    )


def _num_sources_chart(errors: SplitErrors) -> Picture:
    quantity = errors.quantity
    keys = sorted(
        {key for scores in errors.scores.values() for key in scores.by_num_sources},
        key=first_number,
    )
    rows: list[tuple[object, ...]] = []
    with style():
        figure, (axes,) = framed([errors.looks[subject] for subject in errors.scores])
        for number, (subject, scores) in enumerate(errors.scores.items()):
            look, found = errors.looks[subject], scores.by_num_sources
            shift = 0.5 * ((number + 0.5) / len(errors.scores) - 0.5)
            for key, group in found.items():
                low, high = group.ci95 or (math.nan, math.nan)
                median = group.median_relative_error
                rows.append((subject, key, median, low, high, group.num_samples))
            own = [key for key in keys if key in found]
            places = np.array([keys.index(key) + shift for key in own])
            medians = _per_cent([found[key].median_relative_error for key in own])
            ends = np.array([found[key].ci95 or (math.nan, math.nan) for key in own])
            axes.plot(places, medians, look.marker, color=look.colour, ms=5)
            axes.vlines(places, *_per_cent(ends).T, color=look.colour, lw=1.5)
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
    return Picture(
        figure,
        csv_text((*names, "num_samples"), rows),
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


def _largest(errors: SplitErrors) -> str:
    """Text on the largest median of each subject, and its distance."""
    worst = {
        subject: max(
            scores.by_distance,
            key=lambda part: _or(part.median_relative_error, -1.0),
            default=None,
        )
        for subject, scores in errors.scores.items()
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


def _per_cent(fractions: Sequence[float] | np.ndarray) -> np.ndarray:
    """Fractions in per cent; NaN where a logarithmic axis cannot show them."""
    return drawable(100 * np.array(fractions, np.float64))

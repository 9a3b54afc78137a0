"""Tables of errors: the summary, and errors by place and by number of sources."""

import math
from collections.abc import Callable, Sequence

from hypermagnetics.evaluate.report.charts import data_name
from hypermagnetics.evaluate.report.error_charts import (
    QUANTITIES,
    Quantity,
    first_number,
    scores_of,
)
from hypermagnetics.evaluate.report.formats import UNDEFINED, count, interval, number, per_cent
from hypermagnetics.evaluate.report.markup import Cell, Row, table
from hypermagnetics.evaluate.results.published import MODEL, PUBLISHED, SOURCE, is_published
from hypermagnetics.evaluate.results.records import (
    DistanceScores,
    Evaluation,
    GroupScores,
    QuantityScores,
    Results,
)
from hypermagnetics.metrics import Quantiles

_NOTHING = "No numbers for this choice."
_ERRORS = ("Median [%]", "p90 [%]", "p99 [%]")


def error_cell(fraction: float | None, ci95: tuple[float, float] | None = None) -> Cell:
    """A fraction in per cent, with its interval below it."""
    value = math.nan if fraction is None else fraction
    return Cell(per_cent(value), value, interval(ci95) if ci95 else "")


def count_cell(things: int | None) -> Cell:
    """A count, undefined if None."""
    return Cell(UNDEFINED, math.nan) if things is None else Cell(count(things), float(things))


def summary(results: Results) -> str:
    """The main metrics of every subject on every split, and the published ones beside them."""
    data = list(dict.fromkeys(map(data_name, results.evaluations)))
    ordered = sorted(results.evaluations, key=lambda one: data.index(data_name(one)))
    rows = [_summary_row(one, quantity) for quantity in QUANTITIES for one in ordered]
    if any(is_published(dataset.bodies) for dataset in results.datasets):
        rows += [_published_row(what, error) for what, error in PUBLISHED]
    headings = ("Subject", "Data", *_ERRORS, "Sample L2 [%]", "Global L2 [%]",
                "Non-finite [%]", "Samples")  # fmt: skip
    return table("Errors of all subjects", headings, rows, empty=_NOTHING)


def _summary_row(evaluation: Evaluation, quantity: Quantity) -> Row:
    scores = scores_of(evaluation, quantity)
    sample_ci95 = scores.median_sample_relative_l2_ci95
    cells = (
        Cell(evaluation.subject),
        Cell(data_name(evaluation)),
        *_quantile_cells(scores),
        error_cell(scores.median_sample_relative_l2, sample_ci95),
        error_cell(scores.global_relative_l2, scores.global_relative_l2_ci95),
        error_cell(scores.nonfinite_fraction),
        count_cell(evaluation.num_samples),
    )
    return Row(cells, {"quantity": quantity})


def _published_row(what: str, error: float) -> Row:
    nothing = Cell(UNDEFINED, math.nan)
    name = Cell(MODEL, sub=f"published: {SOURCE}")
    cells = (name, Cell(f"discs in 2D, {what}"), *[nothing] * 4, error_cell(error), *[nothing] * 2)
    return Row(cells, {"quantity": "potential"}, "published")


def by_region(results: Results) -> str:
    """Errors inside bodies, near them, and beyond."""
    rows = _rows(results, lambda scores: [_group(*item) for item in scores.by_region.items()])
    return _grouped("Region", rows)


def by_body(results: Results) -> str:
    """Errors by the kind of the body whose surface is nearest."""
    rows = _rows(results, lambda scores: [_group(*item) for item in scores.by_body.items()])
    return _grouped("Nearest body", rows)


def by_distance(results: Results) -> str:
    """Errors by the distance to the nearest surface."""
    rows = _rows(results, lambda scores: [_distance(part) for part in scores.by_distance])
    return _grouped("Distance [length units]", rows)


def by_num_sources(results: Results) -> str:
    """Errors by the number of sources of a sample."""
    rows = _rows(
        results,
        lambda scores: [
            (
                Cell(key, float(first_number(key))),
                *_quantile_cells(found),
                error_cell(found.median_sample_relative_l2, found.median_sample_relative_l2_ci95),
                error_cell(found.global_relative_l2, found.global_relative_l2_ci95),
                count_cell(found.num_samples),
            )
            for key, found in scores.by_num_sources.items()
        ],
    )
    headings = ("Subject", "Sources", *_ERRORS, "Sample L2 [%]", "Global L2 [%]", "Samples")
    return table("Errors by number of sources", headings, rows, empty=_NOTHING)


def worst_samples(results: Results) -> str:
    """Samples with the largest errors of the potential, by name; baselines are left out."""
    baselines = {subject.name for subject in results.subjects if subject.kind == "baseline"}
    rows = [
        Row(
            (
                Cell(one.subject),
                Cell(worst.name, is_code=True),
                count_cell(worst.num_sources),
                error_cell(worst.potential_relative_l2),
                error_cell(worst.field_relative_l2),
            ),
            {"data": data_name(one)},
        )
        for one in results.evaluations
        if one.subject not in baselines
        for worst in one.worst_samples
    ]
    headings = ("Subject", "Sample", "Sources", "L2 of potential [%]", "L2 of field [%]")
    return table("Worst samples", headings, rows, empty=_NOTHING)


def _rows(
    results: Results, groups: Callable[[QuantityScores], Sequence[Sequence[Cell]]]
) -> list[Row]:
    """A row for each group of each subject, shown for its split and quantity."""
    return [
        Row((Cell(one.subject), *cells), {"data": data_name(one), "quantity": quantity})
        for one in results.evaluations
        for quantity in QUANTITIES
        for cells in groups(scores_of(one, quantity))
    ]


def _grouped(what: str, rows: Sequence[Row]) -> str:
    headings = ("Subject", what, *_ERRORS, "Share of points [%]")
    return table(f"Errors by {what.lower()}", headings, rows, empty=_NOTHING)


def _group(name: str, scores: GroupScores) -> tuple[Cell, ...]:
    return Cell(name), *_quantile_cells(scores), error_cell(scores.share_of_points)


def _distance(scores: DistanceScores) -> tuple[Cell, ...]:
    low, high = scores.low, scores.high
    if low is None:
        text = "all" if high is None else f"below {number(high)}"
    else:
        text = f"above {number(low)}" if high is None else f"{number(low)} to {number(high)}"
    place = Cell(text, -math.inf if low is None else low)
    return place, *_quantile_cells(scores), error_cell(scores.share_of_points)


def _quantile_cells(scores: Quantiles) -> tuple[Cell, ...]:
    return (
        error_cell(scores.median_relative_error, scores.ci95),
        error_cell(scores.p90_relative_error),
        error_cell(scores.p99_relative_error),
    )

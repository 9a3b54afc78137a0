"""Tables of the report: errors, laws of physics, times, and provenance."""

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

from hypermagnetics.evaluate.report.cells import (
    ERRORS,
    count_cell,
    error_cell,
    global_l2_cells,
    quantile_cells,
)
from hypermagnetics.evaluate.report.error_charts import first_number
from hypermagnetics.evaluate.report.formats import UNDEFINED, count, number, per_cent, seconds
from hypermagnetics.evaluate.report.inputs import QUANTITIES, Quantity, data_name, scores_of
from hypermagnetics.evaluate.report.markup import Cell, Row, table
from hypermagnetics.evaluate.results.published import MODEL, PUBLISHED, SOURCE, is_published
from hypermagnetics.evaluate.results.records import (
    SCHEMA_VERSION,
    DatasetRecord,
    DistanceScores,
    Evaluation,
    GroupScores,
    Physics,
    Property,
    QuantityScores,
    Results,
    SubjectRecord,
)
from hypermagnetics.evaluate.results.tables import by_kind, knowledge_text
from hypermagnetics.models import Knowledge

_NOTHING = "No numbers for this choice."
_LAWS = {
    "superposition": "Superposition [%]",
    "homogeneity": "Homogeneity [%]",
    "gradient": "H = \N{MINUS SIGN}∇φ [%]",
    "laplace": "Laplace [%]",
    "flux": "Flux of B [%]",
}
"""Headings of the columns, by the names of laws."""


def summary(results: Results) -> str:
    """The main metrics of every subject on every split, and the published ones beside them."""
    data = list(dict.fromkeys(map(data_name, results.evaluations)))
    ordered = sorted(by_kind(results), key=lambda one: data.index(data_name(one)))
    knows = {one.name: knowledge_text(one.knowledge) for one in results.subjects}
    rows = [_summary_row(one, quantity, knows) for quantity in QUANTITIES for one in ordered]
    if any(is_published(dataset.bodies) for dataset in results.datasets):
        rows += [_published_row(what, error) for what, error in PUBLISHED]
    headings = ("Subject", "Data", "Knows", "Exact pairs [%]", *ERRORS, "Sample L2 [%]",
                "Global L2 [%]", "Largest sample [%]", "Non-finite [%]", "Samples")  # fmt: skip
    return table("Errors of all subjects", headings, rows, empty=_NOTHING)


def _summary_row(evaluation: Evaluation, quantity: Quantity, knows: Mapping[str, str]) -> Row:
    scores = scores_of(evaluation, quantity)
    sample_ci95 = scores.median_sample_relative_l2_ci95
    cells = (
        Cell(evaluation.subject),
        Cell(data_name(evaluation)),
        Cell(knows.get(evaluation.subject, UNDEFINED)),
        error_cell(evaluation.exact_pairs),
        *quantile_cells(scores),
        error_cell(scores.median_sample_relative_l2, sample_ci95),
        *global_l2_cells(scores),
        error_cell(scores.nonfinite_fraction),
        count_cell(evaluation.num_samples),
    )
    return Row(cells, {"quantity": quantity})


def _published_row(what: str, error: float) -> Row:
    nothing = Cell(UNDEFINED, math.nan)
    name = Cell(MODEL, sub=f"published: {SOURCE}")
    where = Cell(f"discs in 2D, {what}"), Cell(Knowledge.LABELS.value)
    cells = (name, *where, *[nothing] * 5, error_cell(error), *[nothing] * 3)
    return Row(cells, {"quantity": "potential"}, "published")


def by_sources(results: Results) -> str:
    """Errors of derivatives of the potential by the sources; empty if they were not measured."""
    rows = [
        Row(
            (
                Cell(one.subject),
                Cell(data_name(one)),
                Cell(", ".join(scores.columns)),
                *quantile_cells(scores),
                error_cell(scores.median_sample_relative_l2, scores.median_sample_relative_l2_ci95),
                *global_l2_cells(scores),
            )
        )
        for one in by_kind(results)
        if (scores := one.by_sources) is not None
    ]
    if not rows:
        return ""
    headings = ("Subject", "Data", "By", *ERRORS, "Sample L2 [%]", "Global L2 [%]",
                "Largest sample [%]")  # fmt: skip
    return table("Errors of derivatives by the sources", headings, rows, empty=_NOTHING)


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
                *quantile_cells(found),
                error_cell(found.median_sample_relative_l2, found.median_sample_relative_l2_ci95),
                *global_l2_cells(found),
                count_cell(found.num_samples),
            )
            for key, found in scores.by_num_sources.items()
        ],
    )
    headings = ("Subject", "Sources", *ERRORS, "Sample L2 [%]", "Global L2 [%]",
                "Largest sample [%]", "Samples")  # fmt: skip
    return table("Errors by number of sources", headings, rows, empty=_NOTHING)


def worst_samples(results: Results) -> str:
    """Samples with the largest errors of the potential, by name; baselines are left out."""
    baselines = {subject.name for subject in results.subjects if subject.kind == "baseline"}
    rows = [
        Row(
            (
                _subject_cell(results, one.subject),
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
        Row(
            (_subject_cell(results, one.subject), *cells),
            {"data": data_name(one), "quantity": quantity},
        )
        for one in results.evaluations
        for quantity in QUANTITIES
        for cells in groups(scores_of(one, quantity))
    ]


def _grouped(what: str, rows: Sequence[Row]) -> str:
    headings = ("Subject", what, *ERRORS, "Share of points [%]")
    return table(f"Errors by {what.lower()}", headings, rows, empty=_NOTHING)


def _subject_cell(results: Results, name: str) -> Cell:
    """The name of a subject, and below it its kind."""
    found = {one.name: one.knowledge for one in results.subjects}.get(name)
    if found is None:
        return Cell(name)
    return Cell(name, sub=found.value if found is Knowledge.BASELINE else f"knows {found.value}")


def _group(name: str, scores: GroupScores) -> tuple[Cell, ...]:
    return Cell(name), *quantile_cells(scores), error_cell(scores.share_of_points)


def _distance(scores: DistanceScores) -> tuple[Cell, ...]:
    low, high = scores.low, scores.high
    if low is None:
        text = "all" if high is None else f"below {number(high)}"
    else:
        text = f"above {number(low)}" if high is None else f"{number(low)} to {number(high)}"
    place = Cell(text, -math.inf if low is None else low)
    return place, *quantile_cells(scores), error_cell(scores.share_of_points)


def physics(results: Results) -> str:
    """Violation of each law by each subject: the median, and below it the worst."""
    rows = [_physics_row(results, one) for one in results.physics]
    headings = ("Subject", "Data", *_LAWS.values())
    return table("Laws of physics", headings, rows, empty="The laws of physics were not measured.")


def _physics_row(results: Results, physics: Physics) -> Row:
    found = {one.law: one for one in physics.properties}
    cells = [_law(found.get(law)) for law in _LAWS]
    return Row((_subject_cell(results, physics.subject), Cell(data_name(physics)), *cells))


def _law(found: Property | None) -> Cell:
    if found is None or math.isnan(found.median):
        return Cell(UNDEFINED, math.nan)
    return Cell(per_cent(found.median), found.median, f"worst {per_cent(found.worst)}")


def timings(results: Results) -> str:
    """All measured times of predictions."""
    rows = [
        Row(
            (
                _subject_cell(results, one.subject),
                Cell(f"{one.dataset}, {one.sweep}"),
                count_cell(one.num_samples),
                count_cell(one.num_sources),
                count_cell(one.num_points),
                Cell(
                    seconds(one.median_seconds),
                    one.median_seconds,
                    f"± {seconds(one.spread_seconds)}",
                ),
                Cell(seconds(one.seconds_per_source), one.seconds_per_source),
                Cell(seconds(one.seconds_per_point), one.seconds_per_point),
                count_cell(one.repeats),
            )
        )
        for one in results.timings
    ]
    headings = ("Subject", "Data, what is varied", "Samples", "Sources", "Points", "Median time",
                "Per source", "Per point", "Repeats")  # fmt: skip
    return table("Times of predictions", headings, rows, empty="No times were measured.")


def evaluation_times(results: Results) -> str:
    """Times of the evaluation of each split."""
    rows = [
        Row(
            (
                _subject_cell(results, one.subject),
                Cell(data_name(one)),
                count_cell(one.num_samples),
                count_cell(one.num_points),
                Cell(seconds(one.predict_seconds), one.predict_seconds),
                Cell(seconds(one.seconds), one.seconds),
            )
        )
        for one in results.evaluations
    ]
    headings = ("Subject", "Data", "Samples", "Points each", "Predictions", "Everything")
    return table("Times of the evaluation", headings, rows, empty="Nothing was evaluated.")


def provenance(results: Results) -> str:
    """Subjects, datasets, software and machine."""
    parts = ["<h3>Subjects</h3>", *(_subject(one) for one in results.subjects)]
    parts += ["<h3>Datasets</h3>", *(_dataset(one) for one in results.datasets)]
    software = ", ".join(f"{name} {version}" for name, version in results.software.items())
    machine = (
        ("Software", software),
        ("Device", results.device),
        ("Processor", results.processor),
        ("Matrix products of models", results.matmul),
        ("Format of results.json", str(SCHEMA_VERSION)),
    )
    return "\n".join([*parts, "<h3>Made with</h3>", definitions(machine), _left_out(results)])


def _left_out(results: Results) -> str:
    items = "".join(f"<li>{escape(note)}</li>" for note in results.notes)
    return f"<h3>Left out</h3><ul>{items}</ul>" if items else ""


def _subject(record: SubjectRecord) -> str:
    entries = [("Subject", record.name), ("Kind", record.kind), ("From", record.place)]
    if record.knowledge is not None:
        entries.append(("Knows", record.knowledge.value))
    if record.num_parameters is not None:
        entries.append(("Parameters", count(record.num_parameters)))
    if record.rank is not None:
        entries.append(("Features K", count(record.rank)))
    if record.sha256 is not None:
        entries.append(("sha256", record.sha256))
    return definitions(entries)


def _dataset(record: DatasetRecord) -> str:
    return definitions(
        (
            ("Dataset", record.name),
            ("Title", record.title),
            ("Bodies", f"{', '.join(record.bodies)}, in {record.dim}D"),
            ("Length unit", f"{number(record.length_unit)} m"),
            ("From", record.place),
            ("sha256 of manifest", record.sha256),
        )
    )


def definitions(entries: Sequence[tuple[str, str]]) -> str:
    """A list of terms and their values."""
    items = "".join(
        f"<dt>{escape(term)}</dt><dd>{_value(term, value)}</dd>" for term, value in entries
    )
    return f"<dl>{items}</dl>"


def _value(term: str, value: str) -> str:
    is_code = term == "From" or term.startswith("sha256")
    return f"<code>{escape(value)}</code>" if is_code else escape(value)

"""Tables of physics, of times and of provenance."""

import math
from collections.abc import Sequence
from html import escape

from hypermagnetics.evaluate.report.charts import data_name
from hypermagnetics.evaluate.report.error_tables import count_cell
from hypermagnetics.evaluate.report.formats import UNDEFINED, count, number, per_cent, seconds
from hypermagnetics.evaluate.report.markup import Cell, Row, table
from hypermagnetics.evaluate.results.records import (
    SCHEMA_VERSION,
    DatasetRecord,
    Physics,
    Property,
    Results,
    SubjectRecord,
)

LAWS = {
    "superposition": "Superposition [%]",
    "homogeneity": "Homogeneity [%]",
    "gradient": "H = \N{MINUS SIGN}∇φ [%]",
    "laplace": "Laplace [%]",
    "flux": "Flux of B [%]",
}
"""Headings of the columns, by the names of laws."""


def physics(results: Results) -> str:
    """Violation of each law by each subject: the median, and below it the worst."""
    rows = [_physics_row(one) for one in results.physics]
    headings = ("Subject", "Data", *LAWS.values())
    return table("Laws of physics", headings, rows, empty="The laws of physics were not measured.")


def _physics_row(physics: Physics) -> Row:
    found = {one.law: one for one in physics.properties}
    cells = [_law(found.get(law)) for law in LAWS]
    return Row((Cell(physics.subject), Cell(f"{physics.dataset}, {physics.split}"), *cells))


def _law(found: Property | None) -> Cell:
    if found is None or math.isnan(found.median):
        return Cell(UNDEFINED, math.nan)
    return Cell(per_cent(found.median), found.median, f"worst {per_cent(found.worst)}")


def timings(results: Results) -> str:
    """All measured times of predictions."""
    rows = [
        Row(
            (
                Cell(one.subject),
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
                Cell(one.subject),
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
        ("Format of results.json", str(SCHEMA_VERSION)),
    )
    return "\n".join([*parts, "<h3>Made with</h3>", _list(machine), _left_out(results)])


def _left_out(results: Results) -> str:
    items = "".join(f"<li>{escape(note)}</li>" for note in results.notes)
    return f"<h3>Left out</h3><ul>{items}</ul>" if items else ""


def _subject(record: SubjectRecord) -> str:
    entries = [("Subject", record.name), ("Kind", record.kind), ("From", record.place)]
    if record.num_parameters is not None:
        entries.append(("Parameters", count(record.num_parameters)))
    if record.rank is not None:
        entries.append(("Features K", count(record.rank)))
    if record.sha256 is not None:
        entries.append(("sha256", record.sha256))
    return _list(entries)


def _dataset(record: DatasetRecord) -> str:
    return _list(
        (
            ("Dataset", record.name),
            ("Title", record.title),
            ("Bodies", f"{', '.join(record.bodies)}, in {record.dim}D"),
            ("Length unit", f"{number(record.length_unit)} m"),
            ("From", record.place),
            ("sha256 of manifest", record.sha256),
        )
    )


def _list(entries: Sequence[tuple[str, str]]) -> str:
    items = "".join(
        f"<dt>{escape(term)}</dt><dd>{_value(term, value)}</dd>" for term, value in entries
    )
    return f"<dl>{items}</dl>"


def _value(term: str, value: str) -> str:
    is_code = term == "From" or term.startswith("sha256")
    return f"<code>{escape(value)}</code>" if is_code else escape(value)

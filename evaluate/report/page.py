"""The HTML page, filled in from the template of the package."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template

from hypermagnetics.evaluate.measuring.detail import RANKS, Evaluated
from hypermagnetics.evaluate.report import error_tables, other_tables
from hypermagnetics.evaluate.report.charts import ERROR_FIGURES, data_name
from hypermagnetics.evaluate.report.error_charts import QUANTITIES
from hypermagnetics.evaluate.report.markup import slot
from hypermagnetics.evaluate.results.published import LIKE, MODEL, SOURCE, is_published
from hypermagnetics.evaluate.results.records import Results

_RANK_NAMES = {"median": "median error", "p90": "p90 error", "worst": "worst"}
TITLE = "hypermagnetics evaluation"

_Option = tuple[str, str, Mapping[str, str]]
"""Value, text, and further data of an option."""


def page(results: Results, evaluated: Sequence[Evaluated], templates: Iterable[str]) -> str:
    """The text of index.html.

    Args:
        results: All numbers.
        evaluated: Subjects on splits with figures, for the choices of the reader.
        templates: HTML of all figures, to be copied into their slots.

    Returns:
        HTML that needs no other file.
    """
    sections = _sections(results)
    contents = "".join(f'<a href="#{key}">{heading}</a>' for key, heading, _ in sections)
    body = "\n".join(
        f'<section id="{key}"><h2>{heading}</h2>\n{inner}\n</section>'
        for key, heading, inner in sections
    )
    return Template(_packaged("page.html")).substitute(
        title=TITLE,
        heading=escape(_heading(results)),
        lead=escape(_lead(results)),
        css=_packaged("page.css"),
        js=_packaged("page.js"),
        controls=_controls(results, evaluated),
        contents=contents,
        sections=body,
        templates="\n".join(templates),
    )


def _packaged(name: str) -> str:
    return (files("hypermagnetics.evaluate.report") / name).read_text(encoding="utf-8")


def _heading(results: Results) -> str:
    names = [subject.name for subject in results.subjects if subject.kind != "baseline"]
    shown = names[:3] + ([f"{len(names) - 3} more"] if len(names) > 3 else [])
    return _joined(shown) or "Baselines"


def _lead(results: Results) -> str:
    data = list(dict.fromkeys(map(data_name, results.evaluations)))
    if len(results.datasets) == 1:
        data = list(dict.fromkeys(one.split for one in results.evaluations))
    shown = data[:4] + ([f"{len(data) - 4} more"] if len(data) > 4 else [])
    of = f" of {results.datasets[0].name}" if len(results.datasets) == 1 else ""
    return (
        f"Evaluated on {_joined(shown) or 'nothing'}{of}. Errors are relative errors in per cent "
        "of the truth; small numbers below are 95 % bootstrap intervals over samples."
    )


def _joined(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _controls(results: Results, evaluated: Sequence[Evaluated]) -> str:
    data: dict[str, _Option] = {
        data_name(one): (data_name(one), data_name(one), {"dataset": one.dataset})
        for one in results.evaluations
    }
    drawn = dict.fromkeys(one.evaluation.subject for one in evaluated)
    choices: tuple[tuple[str, str, Sequence[_Option]], ...] = (
        ("data", "Data", list(data.values())),
        ("subject", "Subject", [(name, name, {}) for name in drawn]),
        ("rank", "Sample", [(rank, _RANK_NAMES[rank], {}) for rank in RANKS]),
        ("quantity", "Quantity", [(name, name, {}) for name in QUANTITIES]),
    )
    return "\n".join(_control(*choice) for choice in choices)


def _control(name: str, label: str, options: Sequence[_Option]) -> str:
    inner = "".join(
        f'<option value="{escape(value)}"'
        + "".join(f' data-{key}="{escape(other)}"' for key, other in also.items())
        + f">{escape(text)}</option>"
        for value, text, also in options
    )
    kind = ' class="single"' if len(options) < 2 else ""
    return f'<label{kind}>{label} <select name="{name}">{inner}</select></label>'


def _sections(results: Results) -> tuple[tuple[str, str, str], ...]:
    """Anchor, heading and content of each section."""
    none = "There is no figure for this choice."
    return (
        ("summary", "Summary", error_tables.summary(results) + _published_note(results)),
        (
            "samples",
            "Samples",
            slot("maps", "No maps were drawn for this choice.")
            + slot("view3d", "", "wide"),
        ),
        (
            "errors",
            "Errors",
            '<div class="charts">'
            + "".join(slot(figure.slot, none) for figure in ERROR_FIGURES)
            + "</div>"
            + "<h3>By region</h3>" + error_tables.by_region(results)
            + "<h3>By number of sources</h3>" + error_tables.by_num_sources(results)
            + _folded("By distance to the nearest surface", error_tables.by_distance(results))
            + _folded("By nearest body", error_tables.by_body(results))
            + "<h3>Worst samples</h3>" + error_tables.worst_samples(results),
        ),
        ("physics", "Physics", _PHYSICS + other_tables.physics(results)),
        ("learning", "Learning", slot("learning", none, "wide")),
        (
            "times",
            "Times",
            slot("times", "Times against sources and points were not measured.", "pair")
            + _folded("All times of predictions", other_tables.timings(results))
            + _folded("Times of this evaluation", other_tables.evaluation_times(results)),
        ),
        ("provenance", "Provenance", other_tables.provenance(results)),
    )  # fmt: skip


_PHYSICS = (
    "<p>How far each law is broken, as a share of what it compares: the median over the places it "
    "was looked at, and below it the worst. 0 is exact.</p>"
)


def _published_note(results: Results) -> str:
    if not any(is_published(dataset.bodies) for dataset in results.datasets):
        return ""
    return (
        f'<p class="note">The numbers of {escape(MODEL)} are from {escape(SOURCE)}, for discs in '
        f"2D and the potential. They are likely to be compared with the global L2 error of {LIKE}: "
        "see docs/metrics.md.</p>"
    )


def _folded(heading: str, inner: str) -> str:
    return f"<details><summary>{escape(heading)}</summary>{inner}</details>"

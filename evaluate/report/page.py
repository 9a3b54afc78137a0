"""The HTML page, filled in from the template of the package."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template

from hypermagnetics.evaluate.report import tables
from hypermagnetics.evaluate.report.earlier_page import TITLE
from hypermagnetics.evaluate.report.inputs import QUANTITIES, RANK_NAMES, Report, data_name
from hypermagnetics.evaluate.report.markup import slot
from hypermagnetics.evaluate.report.slots import SLOTS, Heading
from hypermagnetics.evaluate.results.conclusion import conclusions
from hypermagnetics.evaluate.results.published import LIKE, MODEL, SOURCE, is_published
from hypermagnetics.evaluate.results.records import Results
from hypermagnetics.evaluate.results.tables import kind_lines, withheld_lines

Option = tuple[str, str, Mapping[str, str]]
"""Value, text, and further data of an option."""


def page(report: Report, templates: Iterable[str]) -> str:
    """The text of index.html.

    Args:
        report: All that it shows.
        templates: HTML of all figures, to be copied into their slots.

    Returns:
        HTML that needs no other file.
    """
    results = report.results
    sections: dict[str, str] = {
        heading: f"{_slots(heading)}{inner}" for heading, inner in _sections(results)
    }
    names = [subject.name for subject in results.subjects if subject.kind != "baseline"]
    return filled_page(
        names, _lead(results), conclusions(results), _controls(report), sections, templates
    )


def filled_page(
    names: Sequence[str],
    lead_text: str,
    sentences: Sequence[str],
    controls: Sequence[str],
    sections: Mapping[str, str],
    templates: Iterable[str],
) -> str:
    """The template of the package, filled in.

    Args:
        names: Subjects in the heading.
        lead_text: Text below the heading.
        sentences: Conclusions between them.
        controls: HTML of `control`.
        sections: HTML of each section by its heading, a single word.
        templates: HTML of all figures.

    Returns:
        HTML that needs no other file.
    """
    contents = "".join(f'<a href="#{name.lower()}">{name}</a>' for name in sections)
    body = "\n".join(
        f'<section id="{heading.lower()}"><h2>{heading}</h2>\n{inner}\n</section>'
        for heading, inner in sections.items()
    )
    return Template(_packaged("page.html")).substitute(
        title=TITLE,
        heading=escape(_heading(names)),
        conclusions="\n".join(f'<p class="conclusion">{escape(one)}</p>' for one in sentences),
        lead=escape(lead_text),
        css=_packaged("page.css"),
        js=_packaged("page.js"),
        controls="\n".join(controls),
        contents=contents,
        sections=body,
        templates="\n".join(templates),
    )


def _packaged(name: str) -> str:
    return (files("hypermagnetics.evaluate.report") / name).read_text(encoding="utf-8")


def _heading(names: Sequence[str]) -> str:
    shown = [*names[:3]] + ([f"{len(names) - 3} more"] if len(names) > 3 else [])
    return _joined(shown) or "Baselines"


def _lead(results: Results) -> str:
    data = list(dict.fromkeys(map(data_name, results.evaluations)))
    if len(results.datasets) == 1:
        data = list(dict.fromkeys(one.split for one in results.evaluations))
    return lead(data, [one.name for one in results.datasets])


def lead(data: Sequence[str], datasets: Sequence[str]) -> str:
    """Sentences below the heading: the data, and the meaning of the numbers.

    Args:
        data: Names of the splits, each with its dataset if there are several.
        datasets: Names of the datasets.
    """
    shown = [*data[:4]] + ([f"{len(data) - 4} more"] if len(data) > 4 else [])
    of = f" of {datasets[0]}" if len(datasets) == 1 else ""
    return (
        f"Evaluated on {_joined(shown) or 'nothing'}{of}. Errors are relative errors in per cent "
        "of the truth; small numbers below are 95 % bootstrap intervals over samples."
    )


def _joined(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _controls(report: Report) -> list[str]:
    data: dict[str, Option] = {
        data_name(one): (data_name(one), data_name(one), {"dataset": one.dataset})
        for one in report.results.evaluations
    }
    drawn = dict.fromkeys(one.evaluation.subject for one in report.evaluated)
    choices: tuple[tuple[str, str, Sequence[Option]], ...] = (
        ("data", "Data", list(data.values())),
        ("subject", "Subject", [(name, name, {}) for name in drawn]),
        ("rank", "Sample", [(*both, {}) for both in RANK_NAMES.items()]),
        ("quantity", "Quantity", [(name, name, {}) for name in QUANTITIES]),
    )
    return [control(*choice) for choice in choices]


def control(name: str, label: str, options: Sequence[Option]) -> str:
    """HTML of a choice of the reader; hidden if there is but one option."""
    inner = "".join(
        f'<option value="{escape(value)}"'
        + "".join(f' data-{key}="{escape(other)}"' for key, other in also.items())
        + f">{escape(text)}</option>"
        for value, text, also in options
    )
    kind = ' class="single"' if len(options) < 2 else ""
    return f'<label{kind}>{label} <select name="{name}">{inner}</select></label>'


def _sections(results: Results) -> Iterator[tuple[Heading, str]]:
    """Yield the heading of each section, and its content below the figures."""
    notes = _line_notes(results) + _published_note(results)
    yield "Summary", tables.summary(results) + notes
    yield "Samples", ""
    yield "Errors", (
        "<h3>By region</h3>" + tables.by_region(results)
        + "<h3>By number of sources</h3>" + tables.by_num_sources(results)
        + _folded("By distance to the nearest surface", tables.by_distance(results))
        + _folded("By nearest body", tables.by_body(results))
        + _titled("Derivatives of the potential by the sources", tables.by_sources(results))
        + "<h3>Worst samples</h3>" + tables.worst_samples(results)
    )  # fmt: skip
    yield "Physics", _PHYSICS + tables.physics(results)
    yield "Learning", ""
    yield "Times", (
        _folded("All times of predictions", tables.timings(results))
        + _folded("Times of this evaluation", tables.evaluation_times(results))
    )  # fmt: skip
    yield "Provenance", tables.provenance(results)


def _slots(heading: Heading) -> str:
    own = "".join(slot(one.name, one.empty, one.kind) for one in SLOTS if one.heading == heading)
    return f'<div class="charts">{own}</div>' if heading == "Errors" else own


_PHYSICS = (
    "<p>How far each law is broken, as a share of what it compares: the median over the places it "
    "was looked at, and below it the worst. 0 is exact.</p>"
)


def _line_notes(results: Results) -> str:
    return "".join(
        f'<p class="note">{escape(line)} See docs/metrics.md.</p>'
        for line in (*kind_lines(results), *withheld_lines(results))
    )


def _published_note(results: Results) -> str:
    if not any(is_published(dataset.bodies) for dataset in results.datasets):
        return ""
    return (
        f'<p class="note">The numbers of {escape(MODEL)} are from {escape(SOURCE)}, for discs in '
        f"2D and the potential. They are likely to be compared with the global L2 error of {LIKE}: "
        "see docs/metrics.md.</p>"
    )


def _titled(heading: str, inner: str) -> str:
    """A heading above its content, if there is any."""
    return f"<h3>{escape(heading)}</h3>{inner}" if inner else ""


def _folded(heading: str, inner: str) -> str:
    return f"<details><summary>{escape(heading)}</summary>{inner}</details>"

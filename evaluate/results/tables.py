"""The table of results for a terminal, in Markdown or in LaTeX."""

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from hypermagnetics.evaluate.results.conclusion import conclusions
from hypermagnetics.evaluate.results.numbers import interval_text, per_cent, share_text
from hypermagnetics.evaluate.results.published import LIKE, MODEL, PUBLISHED, SOURCE, is_published
from hypermagnetics.evaluate.results.records import Evaluation, QuantityScores, Results
from hypermagnetics.metrics import LARGEST_SHARE, is_withheld
from hypermagnetics.models import Knowledge
from hypermagnetics.precision import MatmulPrecision

TableFormat = Literal["table", "markdown", "latex"]


class Table(NamedTuple):
    """Texts in rows and columns."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    num_names: int
    """Leading columns that are names; the others are numbers."""


def results_text(results: Results, table_format: TableFormat) -> str:
    """The metrics of all subjects on all splits, in per cent.

    Args:
        results: All results.
        table_format: Format of the table.

    Returns:
        Lines of text; under the table whether rows differ in kind, a precision of matrix products
        other than float32, where the global L2 has no interval, for discs the published figures,
        and last the best models in a sentence each.
    """
    written = table_text(results_table(results), table_format)
    if table_format == "table":
        written = "Errors in per cent of the truth\n\n" + written
    under = [
        *matmul_lines(results.matmul),
        *kind_lines(results),
        *withheld_lines(results),
        *by_sources_lines(results),
        *published_lines(results),
    ]
    if (found := conclusions(results)) and under:
        under.append("")
    under += found
    return with_lines(written, under, table_format)


def with_lines(written: str, lines: list[str], table_format: TableFormat) -> str:
    """Tables, and lines of text under them, if there are any."""
    if not lines:
        return written
    if table_format == "latex":
        lines = [f"% {line}".rstrip() for line in lines]
    return "\n".join([written, "", *lines])


def matmul_lines(matmul: MatmulPrecision) -> list[str]:
    """A line if the models gave up digits."""
    if matmul == "float32":
        return []
    return [f"Matrix products of the models in {matmul}, as asked (--matmul)."]


def kind_lines(results: Results) -> list[str]:
    """A line if a model knows the kernel."""
    if all(subject.knowledge is not Knowledge.KERNEL for subject in results.subjects):
        return []
    return [
        'Models that know the kernel compute "exact pairs" of source and point by closed forms; '
        "only their learned part is to be compared with models that know labels alone."
    ]


def withheld_lines(results: Results) -> list[str]:
    """A line on the global L2 if its interval is withheld anywhere."""
    shares = [
        found.global_relative_l2_largest_share
        for one in results.evaluations
        for found in (one.potential, one.field, one.by_sources)
        if found is not None
    ]
    return withheld_of(shares)


def withheld_of(shares: Iterable[float | None]) -> list[str]:
    """A line on the global L2, if the largest share of a sample withholds an interval."""
    if not any(map(is_withheld, shares)):
        return []
    return [
        'Where "largest sample", its share of a norm, is above '
        f"{per_cent(LARGEST_SHARE)} %, the global L2 has no interval and decides nothing."
    ]


def by_sources_lines(results: Results) -> list[str]:
    """A line on derivatives by the sources, if there are any."""
    found = [one.by_sources.columns for one in results.evaluations if one.by_sources is not None]
    if not found:
        return []
    names = ", ".join(dict.fromkeys(name for columns in found for name in columns))
    return [f'"by sources": derivatives of the potential by {names}, of all sources at once.']


def results_table(results: Results) -> Table:
    """One row for each split, quantity and subject; datasets are named if there are several."""
    several = len(results.datasets) > 1
    places = dict.fromkeys((one.dataset, one.split) for one in results.evaluations)
    rows: list[tuple[str, ...]] = []
    knows = {one.name: knowledge_text(one.knowledge) for one in results.subjects}
    for dataset, split in places:
        here = [one for one in by_kind(results) if (one.dataset, one.split) == (dataset, split)]
        name = f"{dataset} {split}" if several else split
        for quantity in ("potential", "field"):
            rows += [
                (name, quantity, one.subject, knows[one.subject], *_numbers(one, found))
                for one, found in ((one, getattr(one, quantity)) for one in here)
            ]
        rows += [
            (name, "by sources", one.subject, knows[one.subject], *_numbers(one, one.by_sources))
            for one in here
            if one.by_sources is not None
        ]
    return Table(("split", "quantity", "subject", "knows", *_HEADINGS), tuple(rows), 4)


def by_kind(results: Results) -> list[Evaluation]:
    """Evaluations, grouped by the knowledge of their subjects; in order within a group."""
    kinds: list[Knowledge | None] = [Knowledge.LABELS, Knowledge.KERNEL, None, Knowledge.BASELINE]
    of = {subject.name: subject.knowledge for subject in results.subjects}
    return sorted(results.evaluations, key=lambda one: kinds.index(of.get(one.subject)))


def knowledge_text(knowledge: Knowledge | None) -> str:
    """The knowledge of a subject in a word; "-" if nothing tells."""
    return "-" if knowledge is None else knowledge.value


_HEADINGS = (
    "exact pairs",
    "samples",
    "median",
    "95 % interval",
    "p90",
    "p99",
    "sample L2",
    "global L2",
    "largest sample",
    "non-finite",
)


def _numbers(one: Evaluation, found: QuantityScores) -> tuple[str, ...]:
    return (
        share_text(one.exact_pairs),
        str(one.num_samples),
        per_cent(found.median_relative_error),
        interval_text(found.ci95),
        per_cent(found.p90_relative_error),
        per_cent(found.p99_relative_error),
        per_cent(found.median_sample_relative_l2),
        per_cent(found.global_relative_l2),
        share_text(found.global_relative_l2_largest_share),
        per_cent(found.nonfinite_fraction),
    )


def published_lines(results: Results) -> list[str]:
    """Lines of the published errors, if they apply to the bodies of a dataset."""
    if not any(is_published(dataset.bodies) for dataset in results.datasets):
        return []
    lines = [f"  {MODEL}, potential, {what}: {per_cent(error)}" for what, error in PUBLISHED]
    likely = f'Published in {SOURCE}, likely to be compared with "global L2" of {LIKE}:'
    return [likely, *lines]


def table_text(table: Table, table_format: TableFormat) -> str:
    """A table in one of the formats."""
    return _WRITERS[table_format](table)


def aligned(table: Table) -> str:
    """Columns as wide as their widest entry: names to the left, numbers to the right."""
    rows = (table.headings, *table.rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            entry.ljust(width) if column < table.num_names else entry.rjust(width)
            for column, (entry, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def markdown(table: Table) -> str:
    """A table in GitHub Markdown."""
    numbers = len(table.headings) - table.num_names
    marks = ["---"] * table.num_names + ["--:"] * numbers
    rows = (table.headings, marks, *table.rows)
    return "\n".join(
        f"| {' | '.join(entry.replace('|', chr(92) + '|') for entry in row)} |" for row in rows
    )


def latex(table: Table) -> str:
    """A tabular with the rules of the package booktabs."""
    numbers = len(table.headings) - table.num_names
    lines = [f"\\begin{{tabular}}{{{'l' * table.num_names}{'r' * numbers}}}", "\\toprule"]
    lines += [_latex_row(table.headings), "\\midrule"]
    lines += [_latex_row(row) for row in table.rows]
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}"])


def _latex_row(row: tuple[str, ...]) -> str:
    return " & ".join(entry.translate(_LATEX) for entry in row) + r" \\"


_LATEX = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
)
_WRITERS: dict[TableFormat, Callable[[Table], str]] = {
    "table": aligned,
    "markdown": markdown,
    "latex": latex,
}

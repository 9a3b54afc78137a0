"""Writing the report: the page, and every figure as files."""

from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from hypermagnetics.evaluate.measuring.detail import Evaluated
from hypermagnetics.evaluate.report.figures import (
    Drawn,
    Note,
    Undrawn,
    drawn_in_order,
    processes_for,
)
from hypermagnetics.evaluate.report.inputs import Report
from hypermagnetics.evaluate.report.markup import template
from hypermagnetics.evaluate.report.page import page
from hypermagnetics.evaluate.report.rendering import svg_file
from hypermagnetics.evaluate.report.slots import figures_of
from hypermagnetics.evaluate.results.records import Results
from hypermagnetics.files import write_text_atomically
from hypermagnetics.run_files import FIGURES_NAME, PAGE_NAME

_FIGURES_OF_EACH = 11
"""Approximate number per subject and split: maps of three samples, parity plots, some charts."""


def write_report(results: Results, evaluated: Sequence[Evaluated], out: Path) -> Path:
    """Write index.html, and figures/<name>.png, .svg and .csv for every figure in it.

    Args:
        results: All numbers.
        evaluated: One entry per subject and split that is drawn in detail.
        out: Directory of the files; made if absent. Files of an earlier report are replaced where
            they have the same names.

    Returns:
        The page, which needs no other file and no network. Equal arguments give equal bytes.
    """
    report = Report(results, evaluated)
    templates = write_figures(figures_of(report), _FIGURES_OF_EACH * len(evaluated), out)
    place = out / PAGE_NAME
    write_text_atomically(place, page(report, templates))
    return place


def write_figures(
    figures: Iterable[tuple[str, Undrawn | Note]], count: int, out: Path
) -> list[str]:
    """Write figures/<name>.png, .svg and .csv for every figure.

    Args:
        figures: Each after the name of its slot on the page, or a note in its place.
        count: Approximate number of them.
        out: Directory of the page; made if absent.

    Returns:
        HTML of each, to be copied into its slot.
    """
    directory = out / FIGURES_NAME
    directory.mkdir(parents=True, exist_ok=True)
    templates = []
    with closing(drawn_in_order(figures, processes_for(count))) as drawn:
        for number, (slot, figure) in enumerate(drawn):
            if isinstance(figure, Drawn):
                _write_files(figure, directory)
            templates.append(template(number, slot, figure))
    return templates


def _write_files(figure: Drawn, directory: Path) -> None:
    (directory / f"{figure.name}.png").write_bytes(figure.image.png)
    (directory / f"{figure.name}.svg").write_text(svg_file(figure.image.svg), encoding="utf-8")
    (directory / f"{figure.name}.csv").write_text(figure.csv, encoding="utf-8")

"""Writing the report: the page, and every figure as files."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from hypermagnetics.evaluate.measuring.detail import Evaluated
from hypermagnetics.evaluate.report.figures import Drawn, drawn_in_order, processes_for
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
    directory = out / FIGURES_NAME
    directory.mkdir(parents=True, exist_ok=True)
    templates = []
    processes = processes_for(_FIGURES_OF_EACH * len(evaluated))
    with closing(drawn_in_order(figures_of(report), processes)) as figures:
        for number, (slot, figure) in enumerate(figures):
            if isinstance(figure, Drawn):
                _write_files(figure, directory)
            templates.append(template(number, slot, figure))
    place = out / PAGE_NAME
    write_text_atomically(place, page(report, templates))
    return place


def _write_files(figure: Drawn, directory: Path) -> None:
    (directory / f"{figure.name}.png").write_bytes(figure.image.png)
    (directory / f"{figure.name}.svg").write_text(svg_file(figure.image.svg), encoding="utf-8")
    (directory / f"{figure.name}.csv").write_text(figure.csv, encoding="utf-8")

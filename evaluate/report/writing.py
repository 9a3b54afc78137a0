"""Writing the report: the page, and every figure as files."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from hypermagnetics.evaluate.measuring.detail import Evaluated
from hypermagnetics.evaluate.report.charts import all_charts, data_name
from hypermagnetics.evaluate.report.drawing_processes import drawn_in_order, processes_for
from hypermagnetics.evaluate.report.drawn import Drawn, Note, Task
from hypermagnetics.evaluate.report.markup import template
from hypermagnetics.evaluate.report.names import FileNames
from hypermagnetics.evaluate.report.page import TITLE, page
from hypermagnetics.evaluate.report.rendering import svg_file
from hypermagnetics.evaluate.report.sample_maps import sample_maps
from hypermagnetics.evaluate.report.space_views import space_views
from hypermagnetics.evaluate.results.records import Results
from hypermagnetics.files import write_text_atomically
from hypermagnetics.run_files import FIGURES_NAME, PAGE_NAME

_FIGURES_OF_EACH = 11
"""Approximate number per subject and split: maps of three samples, parity plots, some charts."""

_HEAD_BYTES = 4096
"""Leading bytes of a page that contain its title."""


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
    figures = out / FIGURES_NAME
    figures.mkdir(parents=True, exist_ok=True)
    templates = []
    processes = processes_for(_FIGURES_OF_EACH * len(evaluated))
    everything = _everything(results, evaluated)
    with closing(drawn_in_order(everything, processes)) as drawn:
        for number, shown in enumerate(drawn):
            if isinstance(shown, Drawn):
                _write_files(shown, figures)
            templates.append(template(number, shown))
    place = out / PAGE_NAME
    write_text_atomically(place, page(results, evaluated, templates))
    return place


def remove_page(out: Path) -> None:
    """Delete the page of an earlier evaluation, which contradicts new results.

    Args:
        out: Directory of the page. A page that is not ours, or none, is left alone.
    """
    place = out / PAGE_NAME
    if place.is_file() and TITLE.encode() in place.read_bytes()[:_HEAD_BYTES]:
        place.unlink()


def _everything(results: Results, evaluated: Sequence[Evaluated]) -> Iterator[Task | Drawn | Note]:
    names = FileNames()
    yield from all_charts(results, evaluated, names)
    for one in evaluated:
        yield from sample_maps(one, data_name(one.evaluation), names)
        yield from space_views(one, data_name(one.evaluation), names)


def _write_files(drawn: Drawn, figures: Path) -> None:
    (figures / f"{drawn.name}.png").write_bytes(drawn.png)
    (figures / f"{drawn.name}.svg").write_text(svg_file(drawn.svg), encoding="utf-8")
    (figures / f"{drawn.name}.csv").write_text(drawn.csv, encoding="utf-8")

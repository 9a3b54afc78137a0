"""All charts of a report, with the choices of the reader that show them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Literal, assert_never

from hypermagnetics.evaluate.measuring.detail import Evaluated
from hypermagnetics.evaluate.report.chart_axes import Chart, Look, looks
from hypermagnetics.evaluate.report.drawn import Drawn, Note, Task, csv_text
from hypermagnetics.evaluate.report.error_charts import (
    QUANTITIES,
    Quantity,
    error_against_distance,
    error_against_num_sources,
    error_distribution,
)
from hypermagnetics.evaluate.report.learning import (
    LearningCurve,
    learning_chart,
    read_learning_curve,
)
from hypermagnetics.evaluate.report.names import FileNames
from hypermagnetics.evaluate.report.parity import parity_plot
from hypermagnetics.evaluate.report.rendering import rendered, svg_size
from hypermagnetics.evaluate.report.time_charts import SWEEPS, time_chart
from hypermagnetics.evaluate.results.records import Evaluation, Results
from hypermagnetics.run_files import METRICS_NAME

MakeChart = Callable[[], Chart]


@dataclass(frozen=True)
class ErrorFigure:
    """A figure of the errors of one quantity on one split, with its place on the page."""

    slot: str
    of: Literal["scores", "details", "each subject"]
    """The first argument of `make`: scores of all subjects, their details, or the details of one
    subject, which then has a figure of its own."""
    make: Callable[..., Chart]
    """Chart of that, of a quantity, and of how the subjects or the subject are drawn."""


ERROR_FIGURES = (
    ErrorFigure("distance", "scores", error_against_distance),
    ErrorFigure("distribution", "details", error_distribution),
    ErrorFigure("num-sources", "scores", error_against_num_sources),
    ErrorFigure("parity", "each subject", parity_plot),
)
"""In the order of the page. A further one is a function of a file and a line here."""


def data_name(evaluation: Evaluation) -> str:
    """Name of a split of a dataset on the page."""
    return f"{evaluation.dataset}, {evaluation.split}"


def all_charts(
    results: Results, evaluated: Sequence[Evaluated], names: FileNames
) -> Iterator[Task | Note]:
    """Every chart of a report, one after another.

    Args:
        results: All numbers.
        evaluated: Subjects on splits, with the data of distributions and parity plots.
        names: Gives names to files.

    Yields:
        Tasks that draw them, and notes in the place of those that cannot be drawn.
    """
    subjects = looks([subject.name for subject in results.subjects])
    for data in dict.fromkeys(map(data_name, results.evaluations)):
        evaluations = [one for one in results.evaluations if data_name(one) == data]
        details = [one for one in evaluated if data_name(one.evaluation) == data]
        for quantity in QUANTITIES:
            yield from _of_data(evaluations, details, quantity, subjects, names)
    yield from _learning(results, subjects, names)
    yield from _times(results, subjects, names)


def _of_data(
    evaluations: Sequence[Evaluation],
    details: Sequence[Evaluated],
    quantity: Quantity,
    subjects: Mapping[str, Look],
    names: FileNames,
) -> Iterator[Task]:
    first = evaluations[0]
    words = (quantity, first.dataset, first.split)
    choice = {"data": data_name(first), "quantity": quantity}
    shown = [one.shown for one in details]
    for figure in ERROR_FIGURES:
        match figure.of:
            case "scores":
                chart = partial(figure.make, evaluations, quantity, subjects)
                yield partial(_finished, names.new(figure.slot, *words), figure.slot, choice, chart)
            case "details" if shown:
                chart = partial(figure.make, shown, quantity, subjects)
                yield partial(_finished, names.new(figure.slot, *words), figure.slot, choice, chart)
            case "details":
                pass
            case "each subject":
                for one in shown:
                    name = one.evaluation.subject
                    yield partial(
                        _finished,
                        names.new(figure.slot, quantity, name, first.dataset, first.split),
                        figure.slot,
                        {**choice, "subject": name},
                        partial(figure.make, one, quantity, subjects[name]),
                    )
            case of:
                assert_never(of)


def _learning(
    results: Results, subjects: Mapping[str, Look], names: FileNames
) -> Iterator[Task | Note]:
    runs = [subject for subject in results.subjects if subject.kind == "run"]
    curves: dict[str, LearningCurve] = {}
    for run in runs:
        curve = read_learning_curve(Path(run.place))
        if curve is not None:
            curves[run.name] = curve
    if curves:
        chart = partial(learning_chart, curves, subjects)
        yield partial(_finished, names.new("learning"), "learning", {}, chart)
    without = [run.name for run in runs if run.name not in curves]
    if without:
        names_of_runs = ", ".join(without)
        told = f"No learning curve of {names_of_runs}: {METRICS_NAME} is missing, damaged or empty."
        yield Note("learning", {}, told)
    if not runs:
        yield Note("learning", {}, "No learning curves: none of the subjects is a run.")


def _times(
    results: Results, subjects: Mapping[str, Look], names: FileNames
) -> Iterator[Task | Note]:
    datasets = list(dict.fromkeys(timing.dataset for timing in results.timings))
    found = [
        (dataset, sweep, [t for t in results.timings if (t.dataset, t.sweep) == (dataset, sweep)])
        for dataset in datasets
        for sweep in SWEEPS
    ]
    for dataset, sweep, timings in found:
        if timings:
            name = names.new("time", sweep, dataset)
            chart = partial(time_chart, timings, sweep, subjects)
            yield partial(_finished, name, "times", {"dataset": dataset}, chart)
    if not list(chain.from_iterable(timings for _, _, timings in found)):
        yield Note("times", {}, "Times against sources and points were not measured.")


def _finished(name: str, slot: str, choice: Mapping[str, str], make: MakeChart) -> Drawn:
    chart = make()
    svg, png = rendered(chart.figure, name)
    return Drawn(
        name=name,
        slot=slot,
        choice=choice,
        svg=svg,
        size=svg_size(chart.figure),
        panels=chart.panels,
        png=png,
        csv=csv_text(chart.numbers),
        alt=chart.alt,
        caption=chart.caption,
    )

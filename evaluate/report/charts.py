"""All charts of a report, with the choices of the reader that show them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

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
    charts: list[tuple[str, MakeChart]] = [
        ("distance", partial(error_against_distance, evaluations, quantity, subjects))
    ]
    shown = [one.shown for one in details]
    if shown:
        charts.append(("distribution", partial(error_distribution, shown, quantity, subjects)))
    charts.append(
        ("num-sources", partial(error_against_num_sources, evaluations, quantity, subjects))
    )
    for slot, chart in charts:
        yield partial(_finished, names.new(slot, *words), slot, choice, chart)
    for one in shown:
        name = one.evaluation.subject
        yield partial(
            _finished,
            names.new("parity", quantity, name, first.dataset, first.split),
            "parity",
            {**choice, "subject": name},
            partial(parity_plot, one, quantity, subjects[name]),
        )


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

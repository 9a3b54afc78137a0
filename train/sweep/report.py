"""Report of a sweep: its trials as tables, the best first, and a picture."""

import csv
import io
from collections.abc import Iterable, Sequence

from pydantic import JsonValue

from hypermagnetics.files import atomic_file, name_in_text, only_writer, write_text_atomically
from hypermagnetics.train.sweep.ledger import Trial
from hypermagnetics.train.sweep.plan import Plan, shown
from hypermagnetics.train.sweep.sweep_files import SweepFiles

_MOST_CHARACTERS = 40
"""Longest value on the screen, in characters."""


def text_table(trials: Sequence[Trial], keys: Sequence[str]) -> str:
    """Table for a screen: errors in per cent, numbers with four digits.

    Args:
        trials: In the order of the rows.
        keys: Varied keys.

    Returns:
        Aligned columns, and a line for each failure.
    """
    rows = [_header(keys), *(_row(trial, keys) for trial in trials)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    return "\n".join([*lines, *_failures(trials)])


def markdown_table(trials: Sequence[Trial], keys: Sequence[str]) -> str:
    """The same table as Markdown; arguments as of `text_table`."""
    header, *rows = (
        [cell.replace("|", "\\|") for cell in row]
        for row in (_header(keys), *(_row(trial, keys) for trial in trials))
    )
    lines = [header, ["--:"] * len(header), *rows]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    failures = "\n".join(f"- {line}" for line in _failures(trials))
    return f"{text}\n" + (f"\n{failures}\n" if failures else "")


def csv_table(trials: Sequence[Trial], keys: Sequence[str]) -> str:
    """Table for programs: all digits, errors as fractions; arguments as of `text_table`."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    errors = ("potential_median_relative_error", "field_median_relative_error")
    writer.writerow(["trial", "state", "step", "loss", *errors, *keys, "seconds", "message"])
    for trial in trials:
        figures = (trial.step, trial.loss, trial.potential, trial.field)
        writer.writerow(
            [trial.number, trial.state, *("" if figure is None else figure for figure in figures)]
            + [_exact(trial.values[key]) for key in keys]
            + [f"{trial.seconds:.1f}", trial.message]
        )
    return file.getvalue()


def write_report(plan: Plan, files: SweepFiles, trials: Sequence[Trial]) -> None:
    """Write table.csv, table.md and parallel.png.

    Args:
        plan: Plan of the sweep.
        files: Where.
        trials: The best first.
    """
    from hypermagnetics.train.sweep.picture import parallel_coordinates  # with matplotlib

    keys = list(plan.keys)
    noun = "trial" if len(trials) == 1 else "trials"
    title = f"{len(trials)} {noun} on {name_in_text(plan.dataset.directory.resolve().name)}"
    picture = parallel_coordinates(trials, plan.keys, plan.search.metric, title)
    # Several processes may be at this place at the same time.
    with only_writer(files.lock, "The report of a sweep"):
        write_text_atomically(files.csv, csv_table(trials, keys))
        write_text_atomically(files.markdown, markdown_table(trials, keys))
        with atomic_file(files.picture) as file:
            file.write(picture)


def _header(keys: Sequence[str]) -> list[str]:
    return ["trial", "state", "step", "loss", "potential [%]", "field [%]", *keys, "seconds"]


def _row(trial: Trial, keys: Sequence[str]) -> list[str]:
    errors = (trial.potential, trial.field)
    return [
        str(trial.number),
        trial.state,
        "-" if trial.step is None else str(trial.step),
        "-" if trial.loss is None else f"{trial.loss:.4g}",
        *("-" if error is None else f"{100 * error:.3g}" for error in errors),
        *(_short(shown(trial.values[key])) for key in keys),
        f"{trial.seconds:.0f}",
    ]


def _failures(trials: Iterable[Trial]) -> list[str]:
    failed = [trial for trial in trials if trial.state == "failed"]
    return [f"trial {trial.number} failed: {' '.join(trial.message.split())}" for trial in failed]


def _short(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 3] + "..."


def _exact(value: JsonValue) -> str:
    return repr(value) if isinstance(value, float) else shown(value)

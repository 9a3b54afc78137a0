"""Report of a finished sweep: two tables and a picture."""

from collections.abc import Sequence

from hypermagnetics.files import atomic_file, only_writer, write_text_atomically
from hypermagnetics.train.sweep.ledger import Trial
from hypermagnetics.train.sweep.picture import parallel_coordinates
from hypermagnetics.train.sweep.plan import Plan
from hypermagnetics.train.sweep.sweep_files import SweepFiles
from hypermagnetics.train.sweep.table import csv_table, markdown_table


def write_report(plan: Plan, files: SweepFiles, trials: Sequence[Trial]) -> None:
    """Write table.csv, table.md and parallel.png.

    Args:
        plan: Plan of the sweep.
        files: Where.
        trials: The best first.
    """
    keys = list(plan.keys)
    noun = "trial" if len(trials) == 1 else "trials"
    title = f"{len(trials)} {noun} on {plan.dataset.directory.resolve().name}"
    picture = parallel_coordinates(trials, plan.keys, plan.search.metric, title)
    # Several processes may be at this place at the same time.
    with only_writer(files.lock, "The report of a sweep"):
        write_text_atomically(files.csv, csv_table(trials, keys))
        write_text_atomically(files.markdown, markdown_table(trials, keys))
        with atomic_file(files.picture) as file:
            file.write(picture)

"""hm-eval for notebooks and scripts."""

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path

from hypermagnetics.data import Dataset
from hypermagnetics.errors import RunError
from hypermagnetics.evaluate import run
from hypermagnetics.evaluate.plan import Plan, check_fit, open_datasets
from hypermagnetics.evaluate.results.records import Results
from hypermagnetics.evaluate.results.tables import results_text
from hypermagnetics.evaluate.subjects.arguments import named_datasets, sort_arguments
from hypermagnetics.evaluate.subjects.opening import model_subject, open_subjects
from hypermagnetics.evaluate.subjects.subject import Subject
from hypermagnetics.log import progress
from hypermagnetics.models import Model, UserModel
from hypermagnetics.precision import MatmulPrecision


@dataclass(frozen=True, repr=False)
class Report:
    """The results of an evaluation, shown as a table, and the directory of its files."""

    results: Results
    """All metrics, as in results.json."""
    out: Path
    """The directory of results.json, samples.zarr and the page index.html."""

    def __repr__(self) -> str:
        """The table of hm-eval, and the directory of the files."""
        return f"{results_text(self.results, 'table')}\n\nFiles: {self.out}"

    def _repr_markdown_(self) -> str:
        """The table as a notebook shows it."""
        return results_text(self.results, "markdown")


def evaluate(
    subjects: str | PathLike[str] | Model | Sequence[str | PathLike[str] | Model],
    datasets: str | PathLike[str] | Dataset | Sequence[str | PathLike[str] | Dataset],
    *,
    out: str | Path = "report",
    splits: Sequence[str] = (),
    metrics_only: bool = False,
    user_model: UserModel | None = None,
    matmul: MatmulPrecision = "float32",
    by_sources: Sequence[str] = (),
    quiet: bool = True,
) -> Report:
    """Evaluate every subject on every dataset.

    Args:
        subjects: Models, runs as `train` returns them, or any subject of hm-eval by its path: runs,
            model files, exports, predictions; functions as "module:function".
        datasets: Datasets, or their directories.
        out: The directory of the results.
        splits: Names of splits; if none are given, of each dataset those whose names begin with
            "test", or, if there are none, all but "train".
        metrics_only: Leave out baselines, physics, times and the page.
        user_model: The class of a user's model, for files that name one.
        matmul: Precision of the factors of the models' matrix products, on GPUs and TPUs.
        by_sources: Columns of the sources by which the potential is differentiated, too: "moment",
            "position", "size", "rotation", names of columns, or "all"; none to leave that out.
        quiet: Show no progress.

    Returns:
        The report.

    Raises:
        RunError: If a subject is not valid, or is for other sources, or if there is none.
        DatasetError: If a dataset is damaged, or has no such split.
    """
    given = [subjects] if isinstance(subjects, str | PathLike | Model) else subjects
    words = [fspath(subject) for subject in given if not isinstance(subject, Model)]
    chosen = [datasets] if isinstance(datasets, str | PathLike | Dataset) else datasets
    if not given or not chosen:
        raise RunError(
            f"An evaluation must have a subject and a dataset; got {len(given)} subjects and "
            f"{len(chosen)} datasets (evaluate). Pass at least one of each."
        )
    places = [str(one.directory) if isinstance(one, Dataset) else fspath(one) for one in chosen]
    if words:
        arguments = sort_arguments([*words, *places])
        named, of_words = arguments.datasets, open_subjects(arguments.subjects, user_model)
    else:
        named, of_words = named_datasets(places), ()
    opened, data = _in_order(given, of_words), open_datasets(named, splits)
    check_fit(opened, data)
    plan = Plan(opened, data, Path(out), metrics_only, matmul, tuple(by_sources))
    with progress("evaluate", plan.num_predictions, "samples", quiet=quiet) as listener:
        return Report(run.evaluate(plan, listener), plan.out)


def _in_order(
    given: Sequence[str | PathLike[str] | Model], of_words: Sequence[Subject]
) -> tuple[Subject, ...]:
    """Subjects in the order in which they were given; models in memory go by their classes."""
    opened, rest = [], iter(of_words)
    names = [subject.name for subject in of_words]
    kinds = [type(one).__name__ for one in given if isinstance(one, Model)]
    for subject in given:
        if isinstance(subject, Model):
            kind, number = type(subject).__name__, 1
            name = kind if kinds.count(kind) == 1 else f"{kind} {number}"
            while name in names:
                number += 1
                name = f"{kind} {number}"
            names.append(name)
            opened.append(model_subject(subject, name))
        else:
            opened.append(next(rest))
    return tuple(opened)

"""hm-eval for notebooks and scripts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hypermagnetics.data import Dataset
from hypermagnetics.evaluate import run
from hypermagnetics.evaluate.datasets import open_datasets
from hypermagnetics.evaluate.plan import Plan
from hypermagnetics.evaluate.results.records import Results
from hypermagnetics.evaluate.results.tables import results_text
from hypermagnetics.evaluate.subjects.arguments import named_datasets, sort_arguments
from hypermagnetics.evaluate.subjects.fitting import check_fit
from hypermagnetics.evaluate.subjects.opening import model_subject, open_subjects
from hypermagnetics.log import Progress, say
from hypermagnetics.models import Model


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
    subjects: str | Path | Model | Sequence[str | Path | Model],
    datasets: str | Path | Dataset | Sequence[str | Path | Dataset],
    *,
    out: str | Path = "report",
    splits: Sequence[str] = (),
    metrics_only: bool = False,
    user_model: type[Model] | None = None,
    quiet: bool = True,
) -> Report:
    """Evaluate every subject on every dataset.

    Args:
        subjects: Models, or any subject of hm-eval: runs, model files, exports, predictions, or
            functions as "module:function".
        datasets: Datasets, or their directories.
        out: The directory of the results.
        splits: Names of splits; if none are given, of each dataset those whose names begin with
            "test", or, if there are none, all but "train".
        metrics_only: Leave out baselines, physics, times and the page.
        user_model: The class of a user's model, for files that name one.
        quiet: Show no progress.

    Returns:
        The report.

    Raises:
        RunError: If a subject is not valid, or is for other sources.
        DatasetError: If a dataset is damaged, or has no such split.

    """
    words = [str(word) for word in _listed(subjects) if not isinstance(word, Model)]
    models = [model for model in _listed(subjects) if isinstance(model, Model)]
    places = [str(one.directory if isinstance(one, Dataset) else one) for one in _listed(datasets)]
    opened = tuple(model_subject(m, name) for m, name in zip(models, _names(models), strict=True))
    if words:
        arguments = sort_arguments([*words, *places])
        opened += open_subjects(arguments.subjects, user_model)
        data = open_datasets(arguments.datasets, splits)
    else:
        data = open_datasets(named_datasets(places), splits)
    check_fit(opened, data)
    plan = Plan(opened, data, Path(out), metrics_only)
    if quiet:
        return Report(run.evaluate(plan, lambda count: None, lambda text: None), plan.out)
    with Progress("evaluate", plan.num_predictions, "samples") as progress:
        return Report(run.evaluate(plan, progress.advance, say), plan.out)


def _listed(
    given: str | Path | Model | Dataset | Sequence[str | Path | Model | Dataset],
) -> Sequence[str | Path | Model | Dataset]:
    return [given] if isinstance(given, str | Path | Model | Dataset) else given


def _names(models: Sequence[Model]) -> list[str]:
    """Class names of the models, numbered where several share one."""
    kinds = [type(model).__name__ for model in models]
    return [
        kind if kinds.count(kind) == 1 else f"{kind} {kinds[: number + 1].count(kind)}"
        for number, kind in enumerate(kinds)
    ]

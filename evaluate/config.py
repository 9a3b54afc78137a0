"""What is evaluated: the model of a run and splits of a dataset, checked to fit together."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hypermagnetics import models
from hypermagnetics.data import Dataset, Manifest
from hypermagnetics.errors import DatasetError, RunError, SourceError
from hypermagnetics.evaluate.predict import FieldModel
from hypermagnetics.models import Model
from hypermagnetics.sources import BODIES, SourceColumns

MODEL_NAME = "model.hm"


@dataclass(frozen=True)
class Subject:
    """A model, the dataset it is evaluated on, and the splits."""

    run: Path
    model: FieldModel
    dataset: Dataset
    columns: SourceColumns
    """What the columns of the dataset's source tables are, and which bodies they describe."""
    splits: tuple[str, ...]


def open_subject(
    run: Path,
    dataset: Path,
    splits: Sequence[str] = (),
    user_model: type[Model] | None = None,
) -> Subject:
    """Open all that an evaluation reads, cheapest checks first.

    Args:
        run: Directory of a training, with a finished model in it.
        dataset: Directory of a dataset.
        splits: Names of splits. If none are given: those whose names begin with "test", or, if
            there are none, all but "train".
        user_model: The class of the model, if that is a user's.

    Returns:
        The subject.

    Raises:
        DatasetError: If the dataset is damaged, has no such split, or is of unknown bodies.
        RunError: If the run has no model, or it is for other data.
        ModelFileError: If the model file is damaged, or of another class.
        ExtensionError: If the class does not take the settings in the model file.
    """
    opened = Dataset.open(dataset)
    chosen = _choose_splits(opened, splits)
    columns = source_columns(opened.manifest, dataset)
    model = _read_model(run, user_model)
    for name in chosen:
        _refuse_other_sizes(model, run, opened, name)
    _refuse_other_columns(model, run, columns, dataset)
    return Subject(run, model, opened, columns, chosen)


def source_columns(manifest: Manifest, where: Path) -> SourceColumns:
    """What a manifest says about the columns of its source tables.

    Args:
        manifest: Of the dataset.
        where: Its directory.

    Returns:
        The columns.

    Raises:
        DatasetError: If this release does not know such sources.
    """
    dims = {split.layout.dim for split in manifest.splits.values()}
    try:
        return SourceColumns.described(
            min(dims), manifest.bodies, manifest.columns, manifest.constants
        )
    except SourceError as error:
        raise DatasetError(
            "The sources of a dataset must be ones that this release knows; got a manifest of "
            f"which it says: {error} ({where}). Evaluate it with the release of hypermagnetics "
            "that wrote it."
        ) from error


def _choose_splits(dataset: Dataset, wanted: Sequence[str]) -> tuple[str, ...]:
    if wanted:
        return tuple(dataset.split(name).name for name in dict.fromkeys(wanted))
    tests = tuple(name for name in dataset.splits if name.startswith("test"))
    chosen = tests or tuple(name for name in dataset.splits if name != "train")
    if not chosen:
        raise DatasetError(
            f"A dataset must have a split that was not trained on; got only 'train' "
            f"({dataset.directory}). Give --split train to evaluate on it nevertheless."
        )
    return chosen


def _read_model(run: Path, user_model: type[Model] | None) -> FieldModel:
    path = run / MODEL_NAME
    if not run.is_dir():
        raise RunError(
            f"RUN must be the directory of a training; got {str(run)!r}, which is no directory. "
            "Check the path, or train with hm-train."
        )
    if not path.is_file():
        raise RunError(
            f"A run must have a {MODEL_NAME}; got a directory without one ({run}). "
            f"If its training was interrupted, hm-train {run} --resume completes it."
        )
    return models.load(path, user_model=user_model)


def _refuse_other_sizes(model: FieldModel, run: Path, dataset: Dataset, split: str) -> None:
    layout = dataset.manifest.splits[split].layout
    reads, given = (model.dim, model.source_size), (layout.dim, layout.source_size)
    if reads != given:
        raise RunError(
            f"The model must be for the dimension and source table of the dataset, {given[0]} and "
            f"{given[1]} columns; got {reads[0]} and {reads[1]} columns ({run}, split {split!r} of "
            f"{dataset.directory}). Evaluate it on a dataset like the one it was trained on."
        )


def _refuse_other_columns(
    model: FieldModel, run: Path, columns: SourceColumns, dataset: Path
) -> None:
    repair = "Evaluate it on a dataset like the one it was trained on."
    if model.source_columns and model.source_columns != columns.names:
        raise RunError(
            f"The model must read the columns of the dataset, {', '.join(columns.names)}; got "
            f"{', '.join(model.source_columns)} ({run}, {dataset}). {repair}"
        )
    unread = [body for body in columns.bodies if BODIES.index(body) not in model.codes]
    if columns.has("body") and unread:
        raise RunError(
            f"The model must know all bodies of the dataset, {', '.join(columns.bodies)}; got one "
            f"trained without {', '.join(unread)} ({run}, {dataset}). {repair}"
        )

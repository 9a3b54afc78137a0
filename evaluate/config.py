"""What is evaluated: the model of a run and splits of a dataset, checked to fit together."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from hypermagnetics import models
from hypermagnetics.data import Dataset, Manifest
from hypermagnetics.errors import DatasetError, RunError
from hypermagnetics.evaluate.predict import FieldModel
from hypermagnetics.sources import BodyName, Kernel, body_kernel

MODEL_NAME = "model.hm"


@dataclass(frozen=True)
class Subject:
    """A model, the dataset it is evaluated on, and the splits."""

    run: Path
    model: FieldModel
    dataset: Dataset
    kernel: Kernel
    """Closed form of the bodies of the dataset."""
    splits: tuple[str, ...]


def open_subject(run: Path, dataset: Path, splits: Sequence[str] = ()) -> Subject:
    """Open all that an evaluation reads, cheapest checks first.

    Args:
        run: Directory of a training, with a finished model in it.
        dataset: Directory of a dataset.
        splits: Names of splits. If none are given: those whose names begin with "test", or, if
            there are none, all but "train".

    Returns:
        The subject.

    Raises:
        DatasetError: If the dataset is damaged or has no such split.
        RunError: If the run has no model, or it is for other data.
        ModelFileError: If the model file is damaged.
    """
    opened = Dataset.open(dataset)
    chosen = _choose_splits(opened, splits)
    model = _read_model(run)
    for name in chosen:
        _refuse_other_data(model, run, opened, name)
    return Subject(run, model, opened, _kernel(opened.manifest, dataset), chosen)


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


def _read_model(run: Path) -> FieldModel:
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
    return models.load(path)


def _refuse_other_data(model: FieldModel, run: Path, dataset: Dataset, split: str) -> None:
    layout = dataset.manifest.splits[split].layout
    reads, given = (model.dim, model.source_size), (layout.dim, layout.source_size)
    if reads != given:
        raise RunError(
            f"The model must be for the dimension and source table of the dataset, {given[0]} and "
            f"{given[1]} columns; got {reads[0]} and {reads[1]} columns ({run}, split {split!r} of "
            f"{dataset.directory}). Evaluate it on a dataset like the one it was trained on."
        )


def _kernel(manifest: Manifest, where: Path) -> Kernel:
    names = get_args(BodyName)
    for body in names:
        if body == manifest.body:
            return body_kernel(body, manifest.radius)
    raise DatasetError(
        f"The body of a dataset must be one of {', '.join(names)}; got {manifest.body!r} "
        f"({where}). Evaluate it with the release of hypermagnetics that wrote it."
    )

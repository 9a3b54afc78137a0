"""Compatibility of subjects and datasets, checked before any prediction."""

from collections.abc import Sequence

from hypermagnetics.errors import RunError
from hypermagnetics.evaluate.datasets import OpenedDataset
from hypermagnetics.evaluate.subjects.subject import Subject, TableSize
from hypermagnetics.sources import SourceColumns

_REPAIR = "Evaluate it on a dataset like the one it was trained on."


def check_fit(subjects: Sequence[Subject], datasets: Sequence[OpenedDataset]) -> None:
    """Refuse subjects that do not fit a dataset, with the cheapest checks first.

    Args:
        subjects: The subjects.
        datasets: The datasets, with the splits that are evaluated.

    Raises:
        RunError: If a subject is for another dimension, other columns or other bodies, or if
            predictions lack a split or have other shapes.
        DatasetError: If a split cannot be read.
    """
    for subject in subjects:
        for dataset in datasets:
            if subject.table is not None:
                _refuse_other_sizes(subject, subject.table, dataset)
            if isinstance(subject.table, SourceColumns):
                _refuse_other_columns(subject, subject.table, dataset)
        if subject.kind == "predictions":
            _check_predictions(subject, datasets)


def _refuse_other_sizes(
    subject: Subject, table: SourceColumns | TableSize, dataset: OpenedDataset
) -> None:
    directory = dataset.dataset.directory
    for split in dataset.splits:
        layout = dataset.dataset.manifest.splits[split].layout
        reads, given = (table.dim, table.size), (layout.dim, layout.source_size)
        if reads != given:
            raise RunError(
                "The model must be for the dimension and source table of the dataset, "
                f"{given[0]} and {given[1]} columns; got {reads[0]} and {reads[1]} columns "
                f"({subject.place}, split {split!r} of {directory}). {_REPAIR}"
            )


def _refuse_other_columns(subject: Subject, table: SourceColumns, dataset: OpenedDataset) -> None:
    columns, where = dataset.columns, f"({subject.place}, {dataset.dataset.directory})"
    if table.names != columns.names:
        raise RunError(
            f"The model must read the columns of the dataset, {', '.join(columns.names)}; got "
            f"{', '.join(table.names)} {where}. {_REPAIR}"
        )
    unread = [body for body in columns.bodies if body not in table.bodies]
    if unread:
        raise RunError(
            f"The model must know all bodies of the dataset, {', '.join(columns.bodies)}; got one "
            f"trained without {', '.join(unread)} {where}. {_REPAIR}"
        )
    known = dict(table.constants)
    for name, value in columns.constants:
        if known.get(name, value) != value:
            raise RunError(
                f"The model must be for sources of the dataset, of {name} {value:g}; got one for "
                f"{name} {known[name]:g} {where}. {_REPAIR}"
            )


def _check_predictions(subject: Subject, datasets: Sequence[OpenedDataset]) -> None:
    if len(datasets) > 1:
        raise RunError(
            "Predictions in a file must be of one dataset, since they are told apart by their "
            f"splits alone; got {', '.join(dataset.name for dataset in datasets)} "
            f"({subject.place}). Evaluate them with one dataset at a time."
        )
    for dataset in datasets:
        for split in dataset.splits:
            subject.on_split(dataset.dataset.split(split), 1)  # which looks at the shapes alone

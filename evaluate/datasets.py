"""Datasets of an evaluation: their columns and the splits chosen."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from hypermagnetics.config import nearest
from hypermagnetics.data import Dataset
from hypermagnetics.errors import DatasetError
from hypermagnetics.evaluate.measuring.places import length_unit
from hypermagnetics.evaluate.subjects.arguments import DatasetArgument
from hypermagnetics.sources import SourceColumns


@dataclass(frozen=True)
class OpenedDataset:
    """A dataset of an evaluation, with its columns and the splits chosen."""

    name: str
    """Name in tables; unique within an evaluation."""
    dataset: Dataset
    columns: SourceColumns
    """Columns of its source tables, and the bodies they describe."""
    splits: tuple[str, ...]

    @cached_property
    def length_unit(self) -> float:
        """Unit of distances to surfaces [m]."""
        return length_unit(self.dataset, self.columns)


def open_datasets(
    arguments: Sequence[DatasetArgument], splits: Sequence[str] = ()
) -> tuple[OpenedDataset, ...]:
    """Open datasets and choose their splits.

    Args:
        arguments: Words of the command line, sorted.
        splits: Names of splits. Each must be in one of the datasets, and each dataset must have
            one of them. If none are given, of each dataset those whose names begin with "test",
            or, if there are none, all but "train".

    Returns:
        The datasets, in the same order.

    Raises:
        DatasetError: If a dataset is damaged, has no such split, or is of unknown bodies.
    """
    opened = [Dataset.open(argument.path) for argument in arguments]
    _refuse_unknown(splits, opened)
    return tuple(
        OpenedDataset(
            argument.name,
            dataset,
            splits=_choose_splits(dataset, splits),
            columns=dataset.columns,
        )
        for argument, dataset in zip(arguments, opened, strict=True)
    )


def _refuse_unknown(wanted: Sequence[str], datasets: Sequence[Dataset]) -> None:
    """Refuse the name of a split that no dataset has."""
    if len(datasets) == 1:
        for name in wanted:
            datasets[0].split(name)
    known = list(dict.fromkeys(name for dataset in datasets for name in dataset.splits))
    for name in wanted:
        if name not in known:
            raise DatasetError(
                f"A split must be one of {', '.join(known)}, as the datasets have them; got "
                f"{name!r} (--split). {nearest(name, known)}"
            )


def _choose_splits(dataset: Dataset, wanted: Sequence[str]) -> tuple[str, ...]:
    if wanted:
        return _wanted_splits(dataset, wanted)
    tests = tuple(name for name in dataset.splits if name.startswith("test"))
    chosen = tests or tuple(name for name in dataset.splits if name != "train")
    if not chosen and not dataset.splits:
        raise DatasetError(
            f"A dataset must have a split; got none ({dataset.directory}). Make one with "
            "hm-generate."
        )
    if not chosen:
        raise DatasetError(
            f"A dataset must have a split that was not trained on; got only 'train' "
            f"({dataset.directory}). Give --split train to evaluate on it nevertheless."
        )
    return chosen


def _wanted_splits(dataset: Dataset, wanted: Sequence[str]) -> tuple[str, ...]:
    chosen = tuple(name for name in dict.fromkeys(wanted) if name in dataset.splits)
    if not chosen:
        raise DatasetError(
            f"Each dataset must have one of the splits that are asked for, {', '.join(wanted)}; "
            f"got only {', '.join(dataset.splits) or 'none'} ({dataset.directory}). Add one of "
            "them by --split, or leave the dataset out."
        )
    return chosen

"""The plan of one call of hm-eval: subjects and datasets that fit each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hypermagnetics.config import nearest
from hypermagnetics.data import Dataset, Split
from hypermagnetics.errors import DatasetError, RunError
from hypermagnetics.evaluate.measuring.places import length_unit
from hypermagnetics.evaluate.measuring.slopes import directions_of
from hypermagnetics.evaluate.subjects.arguments import DatasetArgument
from hypermagnetics.evaluate.subjects.subject import Subject, TableSize
from hypermagnetics.precision import MatmulPrecision
from hypermagnetics.sources import Directions, SourceColumns
from hypermagnetics.sources.conversion import misfit

_REPAIR = "Evaluate it on a dataset like the one it was trained on."


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


@dataclass(frozen=True)
class Plan:
    """Subjects, each evaluated on all datasets, and the directory of the results."""

    subjects: tuple[Subject, ...]
    datasets: tuple[OpenedDataset, ...]
    out: Path
    metrics_only: bool = False
    """No baselines, no physics, no times and no report."""
    matmul: MatmulPrecision = "float32"
    """Precision of the factors of the models' matrix products, on GPUs and TPUs."""
    by_sources: tuple[str, ...] = ()
    """Columns of the sources by which the potential is differentiated, too: their names, those of
    groups, or "all"; none to leave that out."""

    def __post_init__(self) -> None:
        if self.out.exists() and not self.out.is_dir():
            raise RunError(
                f"The place of the results must be a directory; got {str(self.out)!r}, which is a "
                "file (--out, or out= in Python). Choose another one."
            )
        for dataset in self.datasets:  # each is refused before any prediction
            for name in dataset.splits:
                self.directions(dataset, dataset.dataset.split(name))

    def directions(self, dataset: OpenedDataset, split: Split) -> Directions | None:
        """Columns by which potentials on a split are differentiated; None to leave that out.

        Raises:
            SourceError: If a column is unknown, or is the same for all sources.
        """
        if not self.by_sources:
            return None
        return directions_of(dataset.columns, split, self.by_sources)

    def subjects_on(self, dataset: OpenedDataset) -> tuple[Subject, ...]:
        """The subjects, each for source tables of one of the datasets."""
        return tuple(subject.reading(dataset.columns) for subject in self.subjects)

    @property
    def num_predictions(self) -> int:
        """Number of predictions: samples of all splits times subjects."""
        samples = sum(len(one.dataset.split(name)) for one in self.datasets for name in one.splits)
        return samples * len(self.predicted)

    @property
    def predicted(self) -> tuple[Subject, ...]:
        """The subjects, each followed by its learned part if it also has an exact one."""
        return _with_learned_parts(self.subjects)

    def predicted_on(self, dataset: OpenedDataset) -> tuple[Subject, ...]:
        """Those of `predicted`, each for source tables of one of the datasets."""
        return _with_learned_parts(self.subjects_on(dataset))


def _with_learned_parts(subjects: Sequence[Subject]) -> tuple[Subject, ...]:
    parts = ((subject, subject.learned_part) for subject in subjects)
    return tuple(one for pair in parts for one in pair if one is not None)


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
    refuse_unknown_names(splits, opened)
    return tuple(
        OpenedDataset(
            argument.name,
            dataset,
            splits=choose_splits(dataset, splits),
            columns=dataset.columns,
        )
        for argument, dataset in zip(arguments, opened, strict=True)
    )


def refuse_unknown_names(wanted: Sequence[str], datasets: Sequence[Dataset]) -> None:
    """Refuse the name of a split that no dataset has.

    Args:
        wanted: The names.
        datasets: The datasets.

    Raises:
        DatasetError: If there is one.
    """
    if len(datasets) == 1:
        for name in wanted:
            datasets[0].any_split(name)
    known = list(dict.fromkeys(name for dataset in datasets for name in dataset.splits))
    for name in wanted:
        if name not in known:
            raise DatasetError(
                f"A split must be in one of the datasets, which have {', '.join(known)}; got "
                f"{name!r} (--split, or splits= in Python). {nearest(name, known)}"
            )


def choose_splits(dataset: Dataset, wanted: Sequence[str]) -> tuple[str, ...]:
    """Splits of a dataset that are evaluated.

    Args:
        dataset: The dataset.
        wanted: Names that were asked for; if none, those that begin with "test", or, if there are
            none, all but "train".

    Raises:
        DatasetError: If there is none.
    """
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
            f"A dataset must have a split other than 'train'; got only that one "
            f"({dataset.directory}). To evaluate on it nevertheless, give --split train, or "
            "splits=['train'] in Python."
        )
    return chosen


def _wanted_splits(dataset: Dataset, wanted: Sequence[str]) -> tuple[str, ...]:
    chosen = tuple(name for name in dict.fromkeys(wanted) if name in dataset.splits)
    if not chosen:
        raise DatasetError(
            f"Each dataset must have one of the chosen splits, {', '.join(wanted)}; got only "
            f"{', '.join(dataset.splits) or 'none'} ({dataset.directory}). Choose one of these too "
            "(--split, or splits= in Python), or leave the dataset out."
        )
    return chosen


def check_fit(subjects: Sequence[Subject], datasets: Sequence[OpenedDataset]) -> None:
    """Refuse subjects that do not fit a dataset, with the cheapest checks first.

    Args:
        subjects: The subjects.
        datasets: The datasets, with the splits that are evaluated.

    Raises:
        RunError: If a subject is for another dimension, or has columns that cannot describe the
            sources, or if predictions lack a split or have other shapes.
        DatasetError: If a split cannot be read.
    """
    for subject in subjects:
        for dataset in datasets:
            if isinstance(subject.table, SourceColumns):
                _refuse_other_columns(subject, subject.table, dataset)
            elif subject.table is not None:
                _refuse_other_sizes(subject, subject.table, dataset)
        if subject.kind == "predictions":
            _check_predictions(subject, datasets)


def _refuse_other_sizes(subject: Subject, table: TableSize, dataset: OpenedDataset) -> None:
    directory = dataset.dataset.directory
    for split in dataset.splits:
        layout = dataset.dataset.manifest.source_layouts[split]
        given = (layout.dim, layout.source_size)
        if table != given:
            raise RunError(
                "The model must read source tables like those of the dataset, of "
                f"{given[0]} dimensions and {given[1]} columns; got {table.dim} dimensions and "
                f"{table.size} columns ({subject.place}, split {split!r} of {directory}). {_REPAIR}"
            )


def _refuse_other_columns(subject: Subject, table: SourceColumns, dataset: OpenedDataset) -> None:
    if found := misfit(dataset.columns, table):
        raise RunError(
            f"The model must {found.rule}; got {found.got} ({subject.place}, "
            f"{dataset.dataset.directory}). {_REPAIR}"
        )


def _check_predictions(subject: Subject, datasets: Sequence[OpenedDataset]) -> None:
    if len(datasets) > 1:
        raise RunError(
            "A file of predictions must be of one dataset, since its groups name splits alone; "
            f"got {', '.join(dataset.name for dataset in datasets)} ({subject.place}). Evaluate "
            "it on one dataset at a time."
        )
    for dataset in datasets:
        for split in dataset.splits:
            subject.on_split(dataset.dataset.split(split), 1)  # which looks at the shapes alone

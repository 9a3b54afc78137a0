"""Subjects that are for other data are refused before anything is predicted."""

from dataclasses import replace

import h5py
import jax.random as jr
import numpy as np
import pytest
from refused import refused

from hypermagnetics.data import Dataset, SplitLayout
from hypermagnetics.errors import RunError
from hypermagnetics.evaluate.plan import OpenedDataset, check_fit, open_datasets
from hypermagnetics.evaluate.subjects.arguments import DatasetArgument, sort_arguments
from hypermagnetics.evaluate.subjects.opening import open_subjects
from hypermagnetics.evaluate.subjects.subject import Subject, TableSize
from hypermagnetics.models import ModelInputs, build_model, save_model
from hypermagnetics.models.hyper_layer import HyperLayerConfig
from hypermagnetics.sources import BodyName, SourceColumns


def _discs(*bodies: BodyName, radius: float = 1.0) -> SourceColumns:
    """Bodies in the plane, with discs of one radius among them."""
    return SourceColumns.of(*bodies, dim=2, constants={"radius": radius})


def _never(split, num_samples):
    raise AssertionError("nothing is predicted")


def _subject(table: SourceColumns | TableSize | None) -> Subject:
    return Subject("some", "model", "some.hm", _never, table=table)


@pytest.fixture
def opened(tiny):
    """The dataset of discs, with its test splits."""
    return open_datasets([DatasetArgument(tiny.directory, "discs")])


@pytest.mark.parametrize(
    "table",
    [
        None,
        TableSize(2, 4),
        _discs("disc"),
        _discs("dipole", "disc"),
        SourceColumns.of("disc", varying=["radius"]),
    ],
)
def test_what_fits_is_taken(opened, table):
    check_fit([_subject(table)], opened)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (TableSize(2, 5), "4 columns; got 2 dimensions and 5 columns (some.hm, split"),
        (TableSize(3, 4), "4 columns; got 3 dimensions and 4 columns (some.hm, split"),
        (SourceColumns.of("sphere", varying=["radius"]), "4 columns; got 3 dimensions and 7"),
        (
            SourceColumns.of("dipole", dim=2),
            "must know all bodies of the dataset, disc; got one trained without disc",
        ),
        (_discs("disc", radius=0.5), "of radius 1; got one for radius 0.5"),
    ],
)
def test_other_tables_are_refused(opened, tiny, table, message):
    with refused(RunError, message, str(tiny.directory), "like the one it was trained on"):
        check_fit([_subject(TableSize(2, 4)), _subject(table)], opened)


def test_the_columns_must_be_those_of_the_dataset(mixture):
    (opened,) = open_datasets([DatasetArgument(mixture.dataset.directory, "mixture")])
    columns = mixture.columns
    check_fit([_subject(columns), _subject(TableSize(columns.dim, columns.size))], [opened])
    first, *others = columns.shape_names
    vectors = columns.names[: 2 * columns.dim]
    check_fit([_subject(replace(columns, names=(*vectors, *others, first)))], [opened])
    shared = replace(columns, names=(*vectors, *others), constants=((first, 1.0),))
    with refused(RunError, "must read the columns of the dataset", "got moment_x", "some.hm"):
        check_fit([_subject(shared)], [opened])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (_discs("disc", radius=0.5), "of radius 1; got one for radius 0.5"),
        (SourceColumns.of("dipole", dim=2), "got one trained without disc"),
    ],
)
def test_a_model_file_tells_its_bodies(opened, tiny, tmp_path, table, message):
    inputs = ModelInputs(columns=table)
    config = HyperLayerConfig(width=8, depth=1, hwidth=1.0, hdepth=1)
    save_model(tmp_path / "model.hm", build_model(config, inputs, jr.key(0)), {})
    words = [str(tmp_path / "model.hm"), str(tiny.directory)]
    subjects = open_subjects(sort_arguments(words).subjects)
    with refused(RunError, message, "model.hm", str(tiny.directory)):
        check_fit(subjects, opened)


@pytest.mark.slow
def test_an_export_knows_its_sizes(exported_run, mixture, opened, tiny):
    (export,) = open_subjects(sort_arguments([str(exported_run), str(tiny.directory)]).subjects)
    check_fit([export], opened)
    other = open_datasets([DatasetArgument(mixture.dataset.directory, "mixture")])
    with refused(RunError, "got 2 dimensions and 4 columns", str(exported_run)):
        check_fit([export], other)


def test_predictions_have_a_group_for_each_split_of_one_dataset(opened, tiny, tmp_path):
    path = tmp_path / "made.h5"
    with h5py.File(path, "w") as file:
        for name in opened[0].splits:
            layout: SplitLayout = tiny.split(name).layout
            for quantity in ("potential", "field"):
                file[f"{name}/{quantity}"] = np.zeros(layout.array(quantity).shape, "f4")
    (predictions,) = open_subjects(sort_arguments([str(path), str(tiny.directory)]).subjects)
    check_fit([predictions], opened)
    with refused(RunError, "must be of one dataset", "got discs, again", str(path)):
        check_fit([predictions], [*opened, replace(opened[0], name="again")])
    with refused(RunError, "no valid, but only test_multi, test_single"):
        check_fit([predictions], [replace(opened[0], splits=("test_multi", "valid"))])


def test_the_last_dataset_is_checked_too(opened, mixture):
    dataset: Dataset = mixture.dataset
    columns = dataset.columns
    other = OpenedDataset("mixture", dataset, columns, dataset.splits)
    with refused(RunError, "got 2 dimensions and 4 columns", str(dataset.directory)):
        check_fit([_subject(TableSize(2, 4))], [*opened, other])

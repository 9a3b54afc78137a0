"""Subjects that are for other data are refused before anything is predicted."""

from dataclasses import replace

import h5py
import jax.random as jr
import numpy as np
import pytest
from refused import refused

from hypermagnetics.data import Dataset, SplitLayout
from hypermagnetics.errors import RunError
from hypermagnetics.evaluate.datasets import OpenedDataset, open_datasets
from hypermagnetics.evaluate.subjects.arguments import DatasetArgument, sort_arguments
from hypermagnetics.evaluate.subjects.fitting import check_fit
from hypermagnetics.evaluate.subjects.inputs import ExpectedInputs
from hypermagnetics.evaluate.subjects.opening import open_subjects
from hypermagnetics.evaluate.subjects.subject import Subject
from hypermagnetics.models import ModelInputs, build_model, save_model
from hypermagnetics.models.hyper_layer import HyperLayerConfig

NAMES = ("moment_x", "moment_y", "position_x", "position_y")


def _never(split, num_samples):
    raise AssertionError("nothing is predicted")


def _subject(inputs: ExpectedInputs | None) -> Subject:
    return Subject("some", "model", "some.hm", _never, inputs=inputs)


@pytest.fixture
def opened(tiny):
    """The dataset of discs, with its test splits."""
    return open_datasets([DatasetArgument(tiny.directory, "discs")])


@pytest.mark.parametrize(
    "inputs",
    [
        None,
        ExpectedInputs(2, 4),
        ExpectedInputs(2, 4, NAMES),
        ExpectedInputs(2, 4, NAMES, ("disc",), (("radius", 1.0),)),
        ExpectedInputs(2, 4, NAMES, ("dipole", "disc"), (("radius", 1.0), ("angle", 0.5))),
    ],
)
def test_what_fits_is_taken(opened, inputs):
    check_fit([_subject(inputs)], opened)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (ExpectedInputs(2, 5), "2 and 4 columns; got 2 and 5 columns (some.hm, split"),
        (ExpectedInputs(3, 4), "2 and 4 columns; got 3 and 4 columns (some.hm, split"),
        (
            ExpectedInputs(2, 4, (*NAMES[:2], "radius", "angle")),
            "y; got moment_x, moment_y, radius",
        ),
        (
            ExpectedInputs(2, 4, NAMES, ("dipole",)),
            "must know all bodies of the dataset, disc; got one trained without disc",
        ),
        (
            ExpectedInputs(2, 4, NAMES, ("disc",), (("radius", 0.5),)),
            "of radius 1; got one for radius 0.5",
        ),
    ],
)
def test_other_tables_are_refused(opened, tiny, inputs, message):
    with refused(RunError, message, str(tiny.directory), "like the one it was trained on"):
        check_fit([_subject(ExpectedInputs(2, 4)), _subject(inputs)], opened)


def test_all_bodies_must_be_known(mixture):
    (opened,) = open_datasets([DatasetArgument(mixture.dataset.directory, "mixture")])
    columns = mixture.columns
    inputs = ExpectedInputs(columns.dim, columns.size, columns.names, columns.bodies)
    unknown = replace(inputs, columns=(), bodies=())
    check_fit([_subject(inputs), _subject(unknown)], [opened])
    with refused(RunError, f"got one trained without {columns.bodies[0]}", "some.hm"):
        check_fit([_subject(replace(inputs, bodies=columns.bodies[1:]))], [opened])


@pytest.mark.parametrize(
    ("bodies", "constants", "message"),
    [
        (("disc",), (("radius", 0.5),), "of radius 1; got one for radius 0.5"),
        (("dipole",), (), "got one trained without disc"),
    ],
)
def test_a_model_file_tells_its_bodies(opened, tiny, tmp_path, bodies, constants, message):
    columns = opened[0].columns.names
    inputs = ModelInputs(columns=columns, bodies=bodies, constants=constants)
    config = HyperLayerConfig(width=8, depth=1, hwidth=1.0, hdepth=1)
    save_model(tmp_path / "model.hm", build_model(config, inputs, jr.key(0)), {})
    words = [str(tmp_path / "model.hm"), str(tiny.directory)]
    subjects = open_subjects(sort_arguments(words).subjects)
    with refused(RunError, message, "model.hm", str(tiny.directory)):
        check_fit(subjects, opened)


def test_an_export_knows_its_sizes(exported_run, mixture, opened, tiny):
    (export,) = open_subjects(sort_arguments([str(exported_run), str(tiny.directory)]).subjects)
    check_fit([export], opened)
    other = open_datasets([DatasetArgument(mixture.dataset.directory, "mixture")])
    with refused(RunError, "got 2 and 4 columns", str(exported_run)):
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
    with refused(RunError, "no valid, but only test-multi, test-single"):
        check_fit([predictions], [replace(opened[0], splits=("test-multi", "valid"))])


def test_the_last_dataset_is_checked_too(opened, mixture):
    dataset: Dataset = mixture.dataset
    columns = dataset.columns
    other = OpenedDataset("mixture", dataset, columns, dataset.splits)
    with refused(RunError, "got 2 and 4 columns", str(dataset.directory)):
        check_fit([_subject(ExpectedInputs(2, 4))], [*opened, other])

"""Datasets of an evaluation: opened, their columns understood, their splits chosen."""

import json
import shutil

import pytest
from refused import refused

from hypermagnetics.data import Dataset
from hypermagnetics.errors import DatasetError
from hypermagnetics.evaluate.plan import open_datasets
from hypermagnetics.evaluate.subjects.arguments import DatasetArgument


@pytest.fixture
def chosen(monkeypatch, tiny):
    """A function that names the splits chosen of datasets that have some of the splits of one."""

    def splits_of(*datasets, wanted=()):
        made = {}
        for number, names in enumerate(datasets):
            splits = {name: tiny.manifest.splits[name] for name in names}
            manifest = tiny.manifest.model_copy(update={"splits": splits})
            made[tiny.directory.with_name(f"data{number}")] = Dataset(
                tiny.directory, manifest, tiny.sha256
            )
        monkeypatch.setattr(Dataset, "open", made.get)
        opened = open_datasets([DatasetArgument(path, path.name) for path in made], wanted)
        assert [dataset.name for dataset in opened] == [path.name for path in made]
        return [dataset.splits for dataset in opened]

    return splits_of


ALL = ("train", "valid", "test_single", "test_multi")


def test_the_default_is_the_test_splits_or_all_but_train(chosen):
    assert chosen(ALL, ("train", "valid")) == [("test_single", "test_multi"), ("valid",)]


def test_splits_are_chosen_in_the_order_in_which_they_are_named(chosen):
    assert chosen(ALL, wanted=("valid", "train", "valid")) == [("valid", "train")]


def test_each_dataset_gives_those_of_the_named_splits_that_it_has(chosen):
    found = chosen(ALL, ("train", "valid"), wanted=("test_single", "valid"))
    assert found == [("test_single", "valid"), ("valid",)]


@pytest.mark.parametrize(
    ("datasets", "wanted", "fragments"),
    [
        ((ALL,), ("tset-multi",), (f"one of {', '.join(ALL)}; got 'tset-m", "mean 'test_multi'")),
        ((ALL,), ("valid", "vlid"), ("got 'vlid'", "Did you mean 'valid'?")),
        (
            (ALL[:2], ALL[1:]),
            ("valid", "nowhere"),
            (f"in one of the datasets, which have {', '.join(ALL)}; got 'nowhere'",),
        ),
        (
            (ALL, ALL[:2]),
            ("test_multi",),
            ("must have one of the chosen splits, test_multi; got only train, valid",),
        ),
        ((("train",),), (), ("other than 'train'; got only that one", "give --split train")),
        (((),), (), ("must have a split; got none",)),
        (((),), ("valid",), ("got 'valid'",)),
    ],
)
def test_other_splits_are_refused(chosen, datasets, wanted, fragments):
    with refused(DatasetError, *fragments):
        chosen(*datasets, wanted=wanted)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bodies": {"torus": 7}}, "cuboid=4; got torus=7 ("),
        ({"bodies": {"disc": 2}}, "got disc=2 ("),
        ({"bodies": {"sphere": 3}}, "must exist in 2 dimensions; got 'sphere'"),
        ({"constants": {}}, "must be radius, each once; got none"),
        ({"constants": {"radius": 1.0, "weight": 2.0}}, "got radius, weight"),
        ({"constants": {"radius": -1.0}}, "greater than 0; got -1"),
        ({"columns": ("moment_x", "moment_y", "position_x", "phase")}, "must begin with moment_x"),
    ],
)
def test_sources_that_nobody_knows_are_refused(tiny, monkeypatch, changes, message):
    manifest = tiny.manifest.model_copy(update=changes)
    other = Dataset(tiny.directory, manifest, tiny.sha256)
    monkeypatch.setattr(Dataset, "open", lambda path: other)
    with refused(DatasetError, message, str(tiny.directory), "release of hypermagnetics that"):
        open_datasets([DatasetArgument(tiny.directory, "discs")])


def test_the_columns_are_those_of_the_manifest(mixture):
    directory = mixture.dataset.directory
    (opened,) = open_datasets([DatasetArgument(directory, "mixture")])
    assert opened.columns == mixture.columns
    assert opened.dataset.sha256 == mixture.dataset.sha256


@pytest.mark.parametrize("number", [0, -1])
def test_a_manifest_of_no_samples_is_refused(tiny, tmp_path, number):
    """An evaluation of nothing would divide by zero."""
    shutil.copytree(tiny.directory, tmp_path / "data")
    path = tmp_path / "data" / "manifest.json"
    content = json.loads(path.read_text())
    content["splits"]["test_multi"]["layout"]["num_samples"] = number
    path.write_text(json.dumps(content))
    with refused(DatasetError, "splits.test_multi.layout.num_samples", "than or equal to 1; got"):
        open_datasets([DatasetArgument(tmp_path / "data", "data")])

"""What a model is told about the sources of a dataset."""

import pytest

from hypermagnetics.config import load_recipe
from hypermagnetics.data import Dataset
from hypermagnetics.errors import DatasetError, RecipeError
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.setup import Setup, make_setup


def setup_of(dataset: Dataset, *overrides: str) -> Setup:
    """The demo on a dataset."""
    recipe = load_recipe(TrainingRecipe, "training", "demo", overrides)
    return make_setup(recipe, dataset)


def with_manifest(dataset: Dataset, **changes: object) -> Dataset:
    """The same files under another manifest."""
    manifest = dataset.manifest.model_copy(update=changes)
    return Dataset(dataset.directory, manifest, dataset.sha256)


def test_a_model_knows_the_columns_of_its_dataset(tiny: Dataset) -> None:
    """Names, bodies and constants, in the words of the manifest."""
    columns = setup_of(tiny).inputs.columns
    assert columns == tiny.columns
    assert columns.names == tiny.manifest.columns


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (("position_x",), r"begin with moment_x, .*; got moment_x, moment_y, position_x \("),
        (
            ("position_x", "position_y", "phase"),
            r"of disc must be radius, .*; got phase, radius \(",
        ),
    ],
)
def test_columns_that_no_model_reads_are_refused(
    tiny: Dataset, columns: tuple[str, ...], message: str
) -> None:
    """With those that there must be."""
    with pytest.raises(DatasetError, match=f"this release knows; got: .*{message}"):
        setup_of(with_manifest(tiny, columns=("moment_x", "moment_y", *columns)))


def test_a_body_of_another_release_is_refused(tiny: Dataset) -> None:
    """It is not left out: the network would take its rows for others."""
    bodies = {"disc": 1, "cylinder": 5}
    with pytest.raises(DatasetError, match=r"this release knows; got: .*cylinder=5"):
        setup_of(with_manifest(tiny, bodies=bodies))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.blocks_per_batch=7", r"'data.blocks_per_batch' must be at most 6, .*; got 7 "),
        ("compute.chunks=9", r"'compute.chunks' must be at most 8, the samples of a block; got 9 "),
    ],
)
def test_more_than_there_is_is_refused(tiny: Dataset, override: str, message: str) -> None:
    """A batch larger than the split, more parts than a block has samples."""
    with pytest.raises(RecipeError, match=message):
        setup_of(tiny, override)

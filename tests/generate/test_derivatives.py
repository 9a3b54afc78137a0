"""Stored derivatives: of the right columns, against differences, and recomputed."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from mending import change_values

from hypermagnetics.config import load_recipe
from hypermagnetics.data import Dataset
from hypermagnetics.data.cli import main
from hypermagnetics.errors import RecipeError
from hypermagnetics.generate.config import DatasetRecipe
from hypermagnetics.generate.plan import make_plan
from hypermagnetics.generate.run import generate
from hypermagnetics.sources import labels

SMALL = (
    "samples_per_grid=4",
    "splits={train={num_samples=10, num_sources=[1, 2]}}",
    'sources.body={kind="disc", radius={distribution="uniform", low=0.3, high=0.6}}',
)


def made(directory: Path, *overrides: str) -> Dataset:
    """A small dataset with derivatives."""
    recipe = load_recipe(DatasetRecipe, "dataset", "derivative-discs", (*SMALL, *overrides))
    generate(make_plan(recipe, "zarr"), directory)
    return Dataset.open(directory)


@pytest.fixture(scope="module", params=["potential", "field"])
def stored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """By moments, x and radius of up to two discs."""
    return made(
        tmp_path_factory.mktemp("derivatives") / "data",
        f'derivatives={{columns=["moment", "position_x", "radius"], of="{request.param}"}}',
    )


@pytest.mark.slow
def test_they_are_the_differences_of_labels(stored: Dataset) -> None:
    """Of float64 inputs, source by source; those of padding are zero."""
    split, columns = stored.split("train"), stored.columns
    of_field = stored.manifest.recipe["derivatives"] == {
        "columns": ["moment", "position_x", "radius"],
        "of": "field",
    }
    names = ("moment_x", "moment_y", "position_x", "radius")
    block = split.block(0)
    found = block.values("derivatives")
    assert found.shape == (4, 25, *((2,) if of_field else ()), 2 * len(names))

    def at(sources: np.ndarray) -> np.ndarray:
        pair = labels(columns, sources, block.num_sources, block.grid)
        return np.asarray(pair[1] if of_field else pair[0], np.float64)

    for source in range(2):
        for number, name in enumerate(names):
            change = np.zeros(block.sources.shape)
            used = source < block.num_sources
            change[used, source, columns.index(name)] = 1e-2
            difference = (at(block.sources + change) - at(block.sources - change)) / 2e-2
            parameter = found[..., source * len(names) + number]
            assert not parameter[~used].any()
            # Where an edge passes a point, the difference is of both sides.
            error = np.abs(parameter - difference) / (np.abs(difference).max() + 1e-9)
            assert np.median(error) < 1e-3
            assert np.mean(error > 2e-2) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("of", ["potential", "field"])
def test_a_source_without_a_moment_can_gain_one(of: str, tmp_path: Path) -> None:
    """It is no padding. All is linear in the moment: the slopes are the labels of a moment of 1."""
    zero = "sources.moment={distribution='constant', value=[0.0, 0.0]}"
    dataset = made(tmp_path / "data", zero, f'derivatives={{columns=["moment"], of="{of}"}}')
    block = dataset.split("train").block(0)
    assert not block.field.any()
    assert set(block.num_sources.tolist()) == {1, 2}
    found = block.values("derivatives")
    for source in range(2):
        used = source < block.num_sources
        assert not found[~used][..., 2 * source : 2 * source + 2].any()
        for axis in range(2):
            moved = block.sources.copy()
            moved[used, source, axis] = 1.0
            pair = labels(dataset.columns, moved, block.num_sources, block.grid)
            expected = np.asarray(pair[of == "field"])[used]
            np.testing.assert_allclose(
                found[used][..., 2 * source + axis], expected, rtol=1e-6, atol=1e-7
            )


@pytest.mark.slow
def test_they_are_declared(stored: Dataset) -> None:
    assert stored.manifest.format_version == 2
    spec = stored.split("train").layout.array("derivatives")
    assert spec.dimensions[-1] == "parameter"
    assert len(stored.split("train").statistics("derivatives").mean) == 8


@pytest.mark.slow
def test_they_are_recomputed(stored: Dataset, tmp_path: Path) -> None:
    """And found if they are others."""
    runner = CliRunner()
    command = ["verify", str(stored.directory), "--recompute", "1"]
    assert runner.invoke(main, command).exit_code == 0
    copy = tmp_path / "copy"
    shutil.copytree(stored.directory, copy)

    def scale(values: Any) -> None:
        values[3] *= 1.001

    change_values(copy, "train", "derivatives", scale)
    ran = runner.invoke(main, ["verify", str(copy), "--recompute", "1"])
    assert ran.exit_code == 2


def test_nothing_changes_without_them(tmp_path: Path) -> None:
    """Neither the recipe in the manifest nor an array."""
    plain = made(tmp_path / "plain", "derivatives=null")
    assert plain.manifest.format_version == 1
    assert "derivatives" not in plain.manifest.recipe
    assert plain.split("train").layout.array_names[-1] == "field"


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ('["angle"]', "got 'angle'"),
        ('["radius"]', "got 'radius', where radius = 1 is the same for all"),
        ("[]", "at least 1 item"),
    ],
)
def test_columns_are_those_that_vary(columns: str, said: str) -> None:
    overrides = (
        'sources.body={kind="disc", radius=1.0}',
        f'derivatives={{columns={columns}, of="field"}}',
    )
    with pytest.raises(RecipeError, match=said):
        make_plan(load_recipe(DatasetRecipe, "dataset", "derivative-discs", overrides), "zarr")


def test_blocks_count_them(tmp_path: Path) -> None:
    """Where their size is open, so that they fit into memory."""
    overrides = ("samples_per_grid=null", "grid.resolution=255")
    recipe = load_recipe(DatasetRecipe, "dataset", "derivative-discs", overrides)
    plan = make_plan(recipe, "zarr")
    assert plan.layouts["train"].block_bytes < 64e6
    assert plan.layouts["train"].samples_per_grid < 64

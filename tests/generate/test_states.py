"""Datasets of states: the same bytes however they are stored, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hypermagnetics.config import checked, load_recipe
from hypermagnetics.data import Dataset, LabelDevice
from hypermagnetics.data.verify import find_problems
from hypermagnetics.dynamics import physics_of, state_trajectories
from hypermagnetics.errors import DatasetError, LabelError, RecipeError
from hypermagnetics.generate import generate
from hypermagnetics.generate.recipes import DATASET_SCHEMA, plan_of
from hypermagnetics.generate.run import generate as make_dataset
from hypermagnetics.generate.states import StatesRecipe
from hypermagnetics.sources import uniforms

SMALL: dict[str, Any] = {
    "states": {"num_steps": 5, "warmup_steps": 40},
    "splits": {"train": {"num_samples": 70}, "valid": {"num_samples": 5}},
}


def whole(dataset: Dataset, split: str = "train") -> np.ndarray:
    """The states of a split."""
    found = dataset.array_split(split)
    return found.entries("states", range(len(found)))


@pytest.fixture(scope="module")
def lorenz(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A small dataset of Lorenz's equations."""
    return generate("lorenz", tmp_path_factory.mktemp("lorenz") / "out", **SMALL)


def test_samples_are_trajectories_of_their_own_numbers(lorenz: Dataset) -> None:
    """Of seed, split and sample; the recipe gives the physics back."""
    physics = physics_of(lorenz.manifest.recipe)
    assert physics is not None
    assert physics.num_steps == 5
    (declared,) = lorenz.array_split("train").layout.declared
    assert (declared.name, declared.item_shape) == ("states", (6, 3))
    assert (declared.dimensions, declared.components) == (("time", "component"), "component")
    for split, count in (("train", 64), ("valid", 5)):
        for first in range(0, count, 32):
            numbers = uniforms(0, split, "states", first, 32, 3)
            wanted = state_trajectories(physics, numbers)[: count - first]
            np.testing.assert_array_equal(whole(lorenz, split)[first : first + 32][:count], wanted)
    assert list(find_problems(lorenz)) == []


@pytest.mark.slow_cases
@pytest.mark.parametrize(
    ("block", "shard_mb", "form"),
    [(1, 1e-4, "zarr"), (7, 1e-3, "hdf5"), (50, 256.0, "zarr"), (64, 256.0, "hdf5")],
)
def test_blocks_and_shards_change_no_bit(
    lorenz: Dataset, tmp_path: Path, block: int, shard_mb: float, form: Any
) -> None:
    """Also of chaotic physics, and where blocks begin among samples computed together."""
    stored = {"samples_per_block": block, "storage": {"shard_mb": shard_mb}}
    made = generate("lorenz", tmp_path / "out", storage_format=form, **SMALL, **stored)
    assert made.array_split("train").layout.samples_per_block == block
    for split in ("train", "valid"):
        assert whole(made, split).tobytes() == whole(lorenz, split).tobytes()


def test_more_samples_leave_those_before_as_they_are(lorenz: Dataset, tmp_path: Path) -> None:
    more = {**SMALL, "splits": {"train": {"num_samples": 71}}}
    made = generate("lorenz", tmp_path / "out", compression="zstd", **more)
    np.testing.assert_array_equal(whole(made)[:70], whole(lorenz))
    assert len({sample.tobytes() for sample in whole(made)}) == 71


def test_states_of_channels_are_stored_with_their_axes(tmp_path: Path) -> None:
    """As a shipped recipe has them, from Python with a recipe at hand, and opened again."""
    few = ("splits.train.num_samples=2",)
    recipe = load_recipe(DATASET_SCHEMA, "dataset", "advection-1d", few)
    assert isinstance(recipe, StatesRecipe)
    made = generate(recipe, tmp_path / "out")
    (declared,) = made.array_split("train").layout.declared
    assert declared.item_shape == (100, 1, 30)
    assert declared.dimensions == ("time", "channel", "space_0")
    found = whole(made)
    assert np.abs(found).max() > 1
    assert np.abs(found.mean(axis=-1)).max() < 1e-6
    counts = [len(made.array_split(name)) for name in made.splits]
    assert counts == [2, 20, 50]
    assert generate(recipe, tmp_path / "out").sha256 == made.sha256
    with pytest.raises(DatasetError, match="finished dataset"):
        generate(recipe, tmp_path / "out", seed=1)


def test_large_samples_lie_in_small_blocks() -> None:
    table = {"states": {"kind": "advection-1d", "num_points": 2**16, "waves": 3, "num_steps": 60}}
    recipe = {"title": "A test", "seed": 0, "splits": {"train": {"num_samples": 20}}, **table}
    plan = plan_of(checked(DATASET_SCHEMA, recipe, "the test"), "zarr")
    assert plan.layouts["train"].samples_per_block == 4
    assert plan.identity.recipe["samples_per_block"] == 4
    recipe["samples_per_block"] = 20
    with pytest.raises(RecipeError, match=r"at most 256 MB; got 320 MB .*Lower samples_per"):
        plan_of(checked(DATASET_SCHEMA, recipe, "the test"), "zarr")


def test_states_that_grow_without_bound_are_named(tmp_path: Path) -> None:
    """With the sample and the state."""
    recipe = load_recipe(DATASET_SCHEMA, "dataset", "lorenz", ("states.time_step=1.0",))
    with pytest.raises(LabelError, match=r"States must stay finite .*sample 0, state 0; rule V1"):
        make_dataset(plan_of(recipe, "zarr"), tmp_path / "out")
    assert not (tmp_path / "out/manifest.json").exists()


def test_a_gpu_is_refused() -> None:
    """As its numbers would be others."""
    plan = plan_of(load_recipe(DATASET_SCHEMA, "dataset", "lorenz"), "zarr")
    with pytest.raises(RecipeError, match=r"on the CPU, .*; got a GPU \(X\) \(device\)"):
        plan.on(LabelDevice(platform="gpu", kind="X"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"states": {"waves": 15}}, "'states.waves' must be below half of num_points, 30; got 15"),
        ({"states": {"kind": "pendulum"}}, "'states.kind' must be one of"),
        (
            {"states": {"wave": 3}},
            "'states.wave' must be a known key; .*Did you mean 'waves'",
        ),
        ({"states": {"cfl": np.inf}}, "'states.cfl' must"),
        ({"grid": {"kind": "random"}}, "'grid' must be a known key"),
        ({"sources": {}}, r"sources or of states; got both, 'sources' and 'states' \(the recipe"),
        ({"splits": {"train": 1}}, "'splits.train' must be"),
        ({"samples_per_block": 0}, "'samples_per_block' must be greater"),
    ],
)
def test_recipes_that_do_not_fit_are_refused(
    changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    recipe = load_recipe(DATASET_SCHEMA, "dataset", "advection-1d")
    with pytest.raises(RecipeError, match=said):
        generate(recipe, tmp_path / "out", **changes)
    assert not (tmp_path / "out").exists()

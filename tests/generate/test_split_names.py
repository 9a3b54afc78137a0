"""Names of splits: those that hubs accept in shipped recipes, and others as before."""

from pathlib import Path

import numpy as np
import pytest
from program_runs import assert_refused, invoke, settings

from hypermagnetics.config import load_recipe
from hypermagnetics.data import Dataset
from hypermagnetics.generate.recipes import DATASET_SCHEMA
from hypermagnetics.recipes import shipped_recipes

TINY = ("demo", *settings("grid.num_points=16", "samples_per_grid=8"))
OLD, NEW = "test-multi", "test_multi"


def of_split(name: str) -> tuple[str, ...]:
    """A dataset with one split beside those of a training."""
    one = "{num_samples=20, num_sources=3}"
    return (*TINY, *settings(f"splits={{train={one}, valid={one}, {name}={one}}}"))


@pytest.mark.parametrize("name", shipped_recipes("dataset"))
def test_hubs_accept_the_splits_of_shipped_recipes(name: str) -> None:
    """A letter first, then letters, digits and underscores."""
    recipe = load_recipe(DATASET_SCHEMA, "dataset", name, ())
    assert all(split.isidentifier() for split in recipe.splits)


@pytest.mark.slow
def test_datasets_with_old_names_are_made_read_and_exported(tmp_path: Path) -> None:
    """With the samples that the new name has."""
    old, new = tmp_path / "old", tmp_path / "new"
    for out, name in ((old, OLD), (new, NEW)):
        assert invoke("hm-generate", *of_split(name), out).code == 0
    split, renamed = Dataset.open(old).split(OLD), Dataset.open(new).split(NEW)
    for one, other in zip(split.blocks(), renamed.blocks(), strict=True):
        for array in ("sources", "grid", "potential", "field"):
            np.testing.assert_array_equal(one.values(array), other.values(array))
    assert invoke("hm-data", "export", "hf", old, tmp_path / "hub").code == 0
    assert (tmp_path / "hub" / "parquet" / "test_multi.parquet").is_file()
    run = tmp_path / "run"
    few = settings("model.width=8", "model.depth=1", "schedule.max_steps=2", "validation.every=2")
    assert invoke("hm-train", old, run, "--recipe", "demo", *few).code == 0
    ran = invoke("hm-eval", run, old, "--metrics-only", "--format", "json")
    assert ran.code == 0, ran
    assert f'"split": "{OLD}"' in ran.stdout
    said = invoke("hm-eval", run, new, "--metrics-only", "--split", OLD)
    assert_refused(said, f"got '{OLD}'", f"Did you mean {NEW!r}?")


def test_names_that_differ_in_a_hyphen_alone_are_refused(tmp_path: Path) -> None:
    """Their samples would be the same."""
    one = "{num_samples=20, num_sources=3}"
    both = settings(f"splits={{{OLD}={one}, {NEW}={one}}}")
    ran = invoke("hm-generate", *TINY, *both, tmp_path / "out")
    assert_refused(ran, "names that differ by more than - and _, unlike test_multi")
    assert not (tmp_path / "out").exists()

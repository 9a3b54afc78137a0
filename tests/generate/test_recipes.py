"""The shipped recipes of datasets."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hypermagnetics.config import changed_recipe, checked, load_recipe
from hypermagnetics.data.convert import convert
from hypermagnetics.errors import RecipeError
from hypermagnetics.generate import generate
from hypermagnetics.generate.config import DatasetRecipe
from hypermagnetics.generate.draw import draw_sources
from hypermagnetics.generate.plan import make_plan
from hypermagnetics.generate.recipes import DATASET_SCHEMA, plan_of
from hypermagnetics.recipes import describe_recipe, shipped_recipe_text, shipped_recipes
from hypermagnetics.sources.checks import refuse_bad_rows

EACH = {name: load_recipe(DATASET_SCHEMA, "dataset", name) for name in shipped_recipes("dataset")}
NAMES = [name for name, recipe in EACH.items() if isinstance(recipe, DatasetRecipe)]


def test_recipes_for_every_body_are_shipped() -> None:
    """In two and three dimensions, alone and mixed."""
    made = [load_recipe(DatasetRecipe, "dataset", name).sources.body.kind for name in NAMES]
    assert {"disc", "rectangle", "sphere", "cuboid", "mixed"} <= set(made)


@pytest.mark.parametrize("name", EACH)
def test_a_recipe_says_what_it_makes(name: str) -> None:
    """In the first lines: what, how large, how long, and the command."""
    text = shipped_recipe_text(name, "dataset")
    plan = plan_of(EACH[name], "zarr")
    found = re.search(r"\(([\d.]+) MB, .*(seconds?|minutes?)\)", describe_recipe(name, "dataset"))
    assert found
    assert float(found[1]) == pytest.approx(plan.num_bytes / 1e6, rel=0.1)
    assert f"#     hm-generate {name} " in text.split("\n\n")[0]
    # A network from arrays to arrays reads one source, or trajectories of as many as in training.
    is_of_arrays = name not in NAMES or plan.recipe.derivatives or plan.recipe.dynamics
    tests = ["test"] if is_of_arrays else ["test_single", "test_multi"]
    if name.startswith("soft"):  # single ones have no others to answer to
        tests = ["test", "test_many"]
    if name.startswith("maps"):  # as many sources as in training, or more
        tests = ["test", "test_more"]
    assert list(plan.identity.splits) == ["train", "valid", *tests]


@pytest.mark.slow_cases
@pytest.mark.parametrize("name", NAMES)
def test_the_sources_of_a_recipe_are_sources(name: str) -> None:
    """Of every split; the single ones are single."""
    plan = make_plan(load_recipe(DatasetRecipe, "dataset", name), "zarr")
    for split in plan.identity.splits:
        table, counts = draw_sources(plan.recipe, plan.columns, split, range(100, 130))
        for rows, count in zip(table, counts, strict=True):
            refuse_bad_rows(plan.columns, rows, int(count))
        if split == "test_single":
            np.testing.assert_array_equal(counts, 1)


@pytest.mark.slow_cases
@pytest.mark.parametrize("name", EACH)
def test_the_resolved_recipe_is_a_recipe(name: str) -> None:
    """That makes the same dataset."""
    plan = plan_of(EACH[name], "zarr")
    resolved = checked(DATASET_SCHEMA, plan.identity.recipe, "the test")
    assert plan_of(resolved, "zarr") == plan


@pytest.mark.parametrize("name", ["demo", "lorenz"])
def test_licence_and_authors_are_in_manifest_and_card(tmp_path: Path, name: str) -> None:
    """Also after a conversion; a dataset without them has no such keys, and its card no heading."""
    sources = ", num_sources = 1" if name == "demo" else ""
    small = [f"splits={{ train = {{ num_samples = 4{sources} }} }}"]
    credits = {"licence": "CC-BY-4.0", "authors": ["Ada B.", "Émile C."], "citation": "@misc{d}\n"}
    keys = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in credits.items()]
    made = generate(load_recipe(DATASET_SCHEMA, "dataset", name, small + keys), tmp_path / "with")
    again = convert(made, tmp_path / "converted", "hdf5")
    for recipe in (made.manifest.recipe, again.recipe):
        assert {key: recipe[key] for key in credits} == credits
    for directory in (tmp_path / "with", tmp_path / "converted"):
        card = (directory / "README.md").read_text(encoding="utf-8")
        said = "Licence: CC-BY-4.0\n\nAuthors: Ada B., Émile C.\n\nCite as:\n\n    @misc{d}\n"
        assert f"## Licence and authors\n\n{said}" in card
    plain = generate(load_recipe(DATASET_SCHEMA, "dataset", name, small), tmp_path / "without")
    assert not credits.keys() & plain.manifest.recipe.keys()
    assert "Licence" not in (tmp_path / "without" / "README.md").read_text(encoding="utf-8")
    values = [{e.path: e.sha256 for e in one.manifest.files} for one in (made, plain)]
    assert values[0] == values[1]


@pytest.mark.parametrize(
    "change", [{"licence": ""}, {"authors": "Ada"}, {"authors": [""]}, {"citation": ""}]
)
def test_credits_that_say_nothing_are_refused(change: dict[str, Any]) -> None:
    """A list of names, and no empty texts."""
    with pytest.raises(RecipeError, match=next(iter(change))):
        changed_recipe(DATASET_SCHEMA, "dataset", "demo", change)

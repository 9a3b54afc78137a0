"""Every key of a recipe is described, and docs/recipes.md says all of it."""

import runpy
from collections.abc import Iterator
from typing import Any

import pytest
from packaging_facts import ROOT

from hypermagnetics.config import Config
from hypermagnetics.generate.config import DatasetRecipe
from hypermagnetics.generate.states import StatesRecipe
from hypermagnetics.train.config import TrainingRecipe

RECIPES = (DatasetRecipe, StatesRecipe, TrainingRecipe)


def keys(recipe: type[Config]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The keys of all tables that a recipe may have, with their JSON schemas."""
    schema = recipe.model_json_schema()
    for table, node in {recipe.__name__: schema, **schema["$defs"]}.items():
        for name, key in node.get("properties", {}).items():
            yield f"{table}.{name}", key


def test_all_tables_are_walked() -> None:
    """Or the tests below would pass over their keys."""
    found = {place for recipe in RECIPES for place, _ in keys(recipe)}
    assert {"Packed.min_gap", "CuboidConfig.share", "StorageConfig.shard_mb"} <= found
    assert {"RegionWeights.near", "FitConfig.ridge", "PhaseConfig.steps"} <= found
    assert len(found) > 150


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_key_is_described(recipe: type[Config]) -> None:
    """By a sentence in its docstring."""
    assert [place for place, key in keys(recipe) if not is_a_sentence(key)] == []


def is_a_sentence(key: dict[str, Any]) -> bool:
    """Whether the description of a key begins and ends like one, and is more than a unit."""
    text = key.get("description", "")
    return len(text.split()) > 1 and text[-1] == "." and text[0] != "["


@pytest.mark.parametrize("recipe", RECIPES)
def test_descriptions_name_the_choices(recipe: type[Config]) -> None:
    """Since `--show` says no types."""
    left_out = [
        (place, value)
        for place, key in keys(recipe)
        if "const" not in key
        for value in key.get("enum", key.get("items", {}).get("enum", ()))
        if (f'"{value}"' if isinstance(value, str) else str(value)) not in key["description"]
    ]
    assert left_out == []


@pytest.mark.parametrize("recipe", RECIPES)
def test_null_is_explained_and_a_default(recipe: type[Config]) -> None:
    """As TOML, which has no null, leaves such a key out."""
    nullable = [(p, key) for p, key in keys(recipe) if {"type": "null"} in key.get("anyOf", ())]
    assert nullable
    assert [p for p, key in nullable if "null" not in key["description"]] == []
    assert [p for p, key in nullable if key.get("default", 0) is not None] == []


def test_the_page_is_that_of_the_code() -> None:
    """If this fails, `make docs` and look at the difference."""
    written = runpy.run_path(str(ROOT / "docs" / "write_recipes.py"))["page"]()
    text = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    assert written == text, "docs/recipes.md is old: make docs"
    for recipe in RECIPES:
        for place, _ in keys(recipe):
            assert f"\n| `{place.partition('.')[2]}` |" in text

"""docs/training.md: its recipes are recipes; and what the pages type, hm-train takes."""

import json
import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest
from packaging_facts import ROOT
from training_parts import MODEL, objective

from hypermagnetics.config import checked, load_recipe
from hypermagnetics.recipes import shipped_recipes
from hypermagnetics.train import default_recipe
from hypermagnetics.train.cli import main
from hypermagnetics.train.config import TrainingRecipe, changeable_keys, changed_keys
from hypermagnetics.train.phases import make_phases

TEXT = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"^```toml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
PAGES = ("README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))


def text_of(page: str) -> str:
    """A page, with commands of several lines in one."""
    return re.sub(r" \\\n +", " ", (ROOT / page).read_text("utf-8"))


COMMANDS = sorted(
    {
        command.strip()
        for page in PAGES
        for line in re.findall(r"^ {4}(.*)$", text_of(page), re.MULTILINE)
        for command in line.split("&&")
        if command.strip().startswith("hm-train ")
    }
)


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_snippets_are_recipes(number: int, tmp_path: Path) -> None:
    """Their optimisers and frozen parts exist, and what a run keeps of them is a recipe again."""
    recipe = checked(TrainingRecipe, tomllib.loads(SNIPPETS[number]), "the page")
    assert make_phases(recipe, objective(), MODEL)
    file = tmp_path / "recipe.json"
    file.write_text(recipe.resolved.model_dump_json(), encoding="utf-8")
    kept = load_recipe(TrainingRecipe, "training", str(file))
    assert kept == recipe.resolved == kept.resolved
    assert changed_keys(recipe.resolved, kept.resolved) == ()


def test_the_page_names_all_that_a_resumed_run_may_change() -> None:
    """Sections by their names, keys with those of their sections."""
    keys = set(changeable_keys(TrainingRecipe))
    assert {"checkpoint", "tracking", "data.mode", "schedule.max_steps"} <= keys
    assert [key for key in keys if f"`{key}`" not in TEXT] == []


def test_the_page_names_every_recipe_that_is_taken_without_one() -> None:
    """And the one that is advised where none is taken."""
    section = TEXT.partition("## Without `--recipe`")[2].partition("\n## ")[0]
    names = {
        value
        for name, value in vars(default_recipe).items()
        if name.strip("_").isupper() and value in shipped_recipes("training")
    }
    assert names >= {default_recipe.ACCURATE, default_recipe.LEARNED, default_recipe.OF_READINGS}
    assert [name for name in sorted(names) if f"`{name}`" not in section] == []


def test_the_first_snippet_has_every_section_but_two() -> None:
    """[normalisation] and [map] have pages of their own."""
    assert len(SNIPPETS) == 2
    assert set(tomllib.loads(SNIPPETS[0])) == set(TrainingRecipe.model_fields) - {
        "normalisation",
        "map",
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_are_taken(command: str) -> None:
    """As far as their words go; and each --set names a key."""
    words = shlex.split(command, comments=True)[1:]
    context: click.Context = main.make_context("hm-train", words)
    assert context.params, "a command of hm-train takes something"
    for text in context.params.get("overrides", ()):
        text = text.replace("SEED", "0")
        if not text.startswith("model."):
            key, _, value = text.partition("=")
            named = (context.params.get("recipe") or "demo").replace("RECIPE", "demo")
            recipe = load_recipe(TrainingRecipe, "training", named, (text,))
            found = recipe.model_dump(mode="json")
            for part in key.split("."):
                found = found[part]
            if value.startswith("{"):
                wanted = tomllib.loads(f"table = {value}")["table"]
                assert {name: found[name] for name in wanted} == wanted
                continue
            assert json.dumps(found) in (value, json.dumps(value), value.replace("'", '"'))

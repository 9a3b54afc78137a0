"""docs/derivatives.md: its recipe is one, and its figures are where it says."""

import re
import tomllib

import pytest
from packaging_facts import ROOT
from small_trainings import small_recipe

from hypermagnetics.config import checked
from hypermagnetics.data import Dataset
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.setup import make_setup
from hypermagnetics.train.terms import BySourcesTerm

TEXT = (ROOT / "docs" / "derivatives.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_recipe_of_the_page_learns_from_derivatives(tiny: Dataset) -> None:
    """By the positions, beside potential and field."""
    (snippet,) = re.findall(r"^```toml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    table = small_recipe().model_dump(mode="json") | tomllib.loads(snippet)
    recipe = checked(TrainingRecipe, table, "the page")
    objective = make_setup(recipe, tiny).objective
    assert list(objective.terms) == ["potential", "field", "slopes"]
    term = objective.terms["slopes"]
    assert isinstance(term, BySourcesTerm)
    assert (term.along.names, term.count, term.weight) == (("position_x", "position_y"), 1, 2.0)


def test_files_that_the_page_names_are_there() -> None:
    """Tests, benchmarks, its picture, and other pages."""
    named = re.findall(r"`((?:tests|benchmarks)/[\w/]+\.py)`", TEXT)
    linked = re.findall(r"\]\(([\w/.-]+\.(?:md|png))", TEXT)
    assert len(named) >= 4
    for place in [*named, *(f"docs/{one}" for one in linked)]:
        assert (ROOT / place).exists(), place

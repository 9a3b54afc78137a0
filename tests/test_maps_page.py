"""docs/maps.md: its recipe is taken, its Python works, its commands are words of the programs."""

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from packaging_facts import ROOT
from small_maps import SMALL, maps_of_sources

from hypermagnetics.config import checked, load_recipe
from hypermagnetics.train import train
from hypermagnetics.train.config import TrainingRecipe

TEXT = (ROOT / "docs" / "maps.md").read_text(encoding="utf-8")


def snippets(language: str) -> list[str]:
    """Blocks of code of the page."""
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def test_the_recipe_of_the_page_is_that_of_the_u_net() -> None:
    """Its model, maps and term."""
    (snippet,) = snippets("toml")
    schedule = {"schedule": {"max_steps": 1, "learning_rate": 1e-3}}
    recipe = checked(TrainingRecipe, tomllib.loads(snippet) | schedule, "the page")
    shipped = load_recipe(TrainingRecipe, "training", "map-unet")
    assert (recipe.model, recipe.map) == (shipped.model, shipped.map)
    assert recipe.objective.weights == shipped.objective.weights


@pytest.mark.slow
def test_the_python_of_the_page_maps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an exact kernel in the place of the trained run."""
    data = maps_of_sources(tmp_path / "data", resolution=64)
    recipe = load_recipe(
        TrainingRecipe, "training", "map-fft", (*SMALL[1:], "schedule.max_steps=0")
    )
    train(data, tmp_path / "run", recipe)
    monkeypatch.chdir(tmp_path)
    (snippet,) = snippets("python")
    names: dict[str, np.ndarray] = {}
    exec(snippet, names)
    found, exact = np.asarray(names["potential"]), names["exact_of_the_raster"]
    assert found.shape == exact.shape == (1, 1, 64, 64)
    assert np.abs(found - exact).max() < 1e-5 * np.abs(exact).max()


def test_links_lead_to_headings() -> None:
    """Of this page and of its neighbours."""
    for page, heading in re.findall(r"\]\((\w+\.md)(?:#([\w-]+))?\)", TEXT):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
        assert not heading or heading in anchors, (page, heading)

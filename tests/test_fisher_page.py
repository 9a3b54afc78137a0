"""docs/fisher.md: its recipe is the shipped one, its Python works, its files are there."""

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from packaging_facts import ROOT
from program_runs import invoke, settings

from hypermagnetics.config import checked, load_recipe
from hypermagnetics.data import Dataset
from hypermagnetics.train.config import TrainingRecipe

TEXT = (ROOT / "docs" / "fisher.md").read_text(encoding="utf-8")
SPLITS = "splits={train={num_samples=40, num_sources=1}, valid={num_samples=40, num_sources=1}}"


def snippets(language: str) -> list[str]:
    """Blocks of code of the page."""
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def test_the_recipe_of_the_page_is_the_shipped_one() -> None:
    """But for the number of summaries, which the shipped one leaves out."""
    (snippet,) = snippets("toml")
    recipe = checked(TrainingRecipe, tomllib.loads(snippet), "the page")
    shipped = load_recipe(TrainingRecipe, "training", "fisher-sensors", ("model.outputs=2",))
    assert recipe == shipped


@pytest.mark.slow
def test_the_python_of_the_page_estimates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The position of the disc, from its exact readings."""
    monkeypatch.chdir(tmp_path)
    short = ("model.width=8", "model.depth=1", "schedule.max_steps=100", "validation.every=50")
    words = settings(*short, "schedule.learning_rate=0.02")
    assert invoke("hm-generate", "fisher-sensors", "sensors", "--set", SPLITS).code == 0
    made = invoke("hm-train", "sensors", "run", "--recipe", "fisher-sensors", *words)
    assert made.code == 0, made
    assert invoke("hm-eval", "run", "sensors").code == 0
    (snippet,) = snippets("python")
    names = {"readings": Dataset.open("sensors").split("valid").block(0).field}
    exec(compile(snippet, "docs/fisher.md", "exec"), names)
    estimates, error_bars = names["estimates"], names["error_bars"]
    assert estimates.shape == (40, 2)
    assert np.all(np.abs(estimates - [0.3, -0.2]) < error_bars)


def test_files_that_the_page_names_are_there() -> None:
    """Tests, benchmarks, its picture, and other pages."""
    named = re.findall(r"`((?:tests|benchmarks)/[\w/]+\.py)`", TEXT)
    linked = re.findall(r"\]\(([\w/.-]+\.(?:md|png))", TEXT)
    assert len(named) >= 2
    for place in [*named, *(f"docs/{one}" for one in linked)]:
        assert (ROOT / place).exists(), place


def test_pages_have_no_blanks_to_fill_in() -> None:
    """A figure that was never measured would stand there as such."""
    for page in (
        "README.md",
        *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
    ):
        text = (ROOT / page).read_text(encoding="utf-8")
        assert not re.findall(r"@[A-Z][A-Z0-9_]*@|\b(?:TODO|TBD|FIXME|BENCHMARK|RATIO)\b", text), (
            page
        )

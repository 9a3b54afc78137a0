"""docs/dynamics.md: its recipes are ones, its Python works, and its tables know every key."""

import re
import runpy
import tomllib
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from packaging_facts import ROOT

from hypermagnetics.config import checked, load_recipe
from hypermagnetics.dynamics import AnyDynamics
from hypermagnetics.generate import generate
from hypermagnetics.generate.config import DatasetRecipe
from hypermagnetics.models import ArrayModel, StepperConfig
from hypermagnetics.train import train
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.terms import ResidualTermConfig, TrajectoryTermConfig
from hypermagnetics.train.terms.residual import ResidualCut
from hypermagnetics.train.terms.trajectory import RolloutMethod, TrajectoryCut

TEXT = (ROOT / "docs" / "dynamics.md").read_text(encoding="utf-8")


def snippets(language: str) -> list[str]:
    """Blocks of code of the page."""
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def section(heading: str) -> str:
    """A section of the page, those below it included."""
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_the_recipe_of_the_dynamics_is_that_of_the_dataset() -> None:
    """As shipped."""
    dynamics, _ = map(tomllib.loads, snippets("toml"))
    shipped = load_recipe(DatasetRecipe, "dataset", "precession")
    table = shipped.model_dump(mode="json", exclude={"dynamics"}) | dynamics
    assert checked(DatasetRecipe, table, "the page").dynamics == shipped.dynamics


def test_the_recipe_of_the_stepper_is_that_of_the_training() -> None:
    """Its model and term."""
    _, training = map(tomllib.loads, snippets("toml"))
    schedule = {"schedule": {"max_steps": 1, "learning_rate": 1e-3}}
    recipe = checked(TrainingRecipe, training | schedule, "the page")
    shipped = load_recipe(TrainingRecipe, "training", "precession")
    assert isinstance(recipe.model, StepperConfig)
    assert recipe.model == shipped.model
    assert recipe.objective.terms == shipped.objective.terms


def test_every_kind_and_every_way_has_its_place() -> None:
    """Of dynamics in the table of laws, of rollouts in the taxonomy."""
    for kind in get_args(AnyDynamics):
        (name,) = get_args(kind.model_fields["kind"].annotation)
        assert f"\n| `{name}` |" in section("Moments in the field of the others")
    for method in get_args(RolloutMethod):
        assert f'`method = "{method}"`' in section("Ways of rolling out")
    assert '`of = "residual"`' in section("Ways of rolling out")


def test_the_table_for_users_of_trainax_has_every_key() -> None:
    """Of both terms, of their cuts, and every way."""
    rows = section("From trainax to here")
    tables = (TrajectoryTermConfig, ResidualTermConfig, TrajectoryCut, ResidualCut)
    keys = {key for table in tables for key in table.model_fields}
    here = " ".join(re.findall(r"^\|[^|]*\|(.*)\|$", rows, re.MULTILINE))
    assert [key for key in sorted(keys) if not re.search(rf"\b{key}\b", here)] == []
    assert [one for one in get_args(RolloutMethod) if f'"{one}"' not in here] == []


def test_the_table_has_every_setting_of_trainax() -> None:
    """Arguments of its configurations."""
    trainax = pytest.importorskip("trainax")
    known = trainax.configuration
    settings: set[str] = set()
    for kind in (known.DivertedChain, known.MixChainPostPhysics, known.Residuum):
        settings |= set(kind.__dataclass_fields__)
    rows = section("From trainax to here")
    assert [name for name in sorted(settings) if name not in rows] == []


def recipe_of(*changes: str) -> TrainingRecipe:
    """The recipe of the quickstart in two steps."""
    return load_recipe(
        TrainingRecipe, "training", "advection-1d", ("schedule.max_steps=2", *changes)
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place with the dataset and the run of the quickstart, of a few steps."""
    place = tmp_path_factory.mktemp("quickstart")
    train(generate("advection-1d", place / "data"), place / "run", recipe_of())
    return place


@pytest.mark.slow
def test_the_python_of_the_page_rolls_out(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And prints the kernel."""
    monkeypatch.chdir(trained)
    quickstart, _, rolls = snippets("python")
    names: dict[str, Any] = {}
    exec(quickstart, names)
    assert names["kernel"].shape == (2,)
    exec(rolls, names)
    assert isinstance(names["model"], ArrayModel)
    assert names["found"].shape == names["error"].shape == (10, 21, 1, 30)
    np.testing.assert_allclose(names["next_state"], names["found"][:, 1], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    "term",
    [
        "{of='trajectory', method='diverted-chain', rollout_steps=3, physics='NAME:step'}",
        "{of='residual', rollout_steps=3, physics='NAME:residual'}",
    ],
)
def test_the_physics_of_the_page_is_a_reference(
    term: str, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a diverted chain, and of a residual."""
    _, physics, _ = snippets("python")
    (tmp_path / "physics_of_the_page.py").write_text(physics, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    term = term.replace("NAME", "physics_of_the_page")
    recipe = recipe_of(f"objective.terms.rollout={term}")
    run = train(trained / "data", tmp_path / "run", recipe)
    assert run.outcome.validation is not None
    assert run.outcome.validation.loss > 0


def test_pictures_are_those_that_the_script_draws() -> None:
    """And the page shows each of them."""
    drawn = dict(runpy.run_path(str(ROOT / "docs" / "draw_rollouts.py"))["pictures"]())
    assert drawn
    for file, text in drawn.items():
        assert file.read_text(encoding="utf-8") == text, file.name
        assert f"](images/{file.name})" in TEXT

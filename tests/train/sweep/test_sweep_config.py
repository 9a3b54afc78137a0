"""What SWEEP.toml may say, and what is answered to what it may not."""

import re
from pathlib import Path

import pytest
from packaging_facts import ROOT
from sweep_plans import GRID, OPTUNA, plan_of

from hypermagnetics.data import Dataset
from hypermagnetics.errors import RecipeError
from hypermagnetics.train.sweep.dimensions import Choices, Range
from hypermagnetics.train.sweep.search import search_of


def test_keys_are_written_with_or_without_quotes(tmp_path: Path, tiny: Dataset) -> None:
    quoted = plan_of(f'{GRID}[keys]\n"model.width" = [8, 16]\nseed = [0, 1]', tmp_path, tiny)
    plain = plan_of(f"{GRID}[keys]\nmodel.width = [8, 16]\nseed = [0, 1]", tmp_path, tiny)
    assert quoted.keys == plain.keys == {"model.width": Choices((8, 16)), "seed": Choices((0, 1))}


def test_null_is_written_as_text(tmp_path: Path, tiny: Dataset) -> None:
    plan = plan_of(f'{GRID}[keys]\n"optimiser.clip_norm" = ["null", 1.0]', tmp_path, tiny)
    assert plan.recipe_of({"optimiser.clip_norm": None}).optimiser.clip_norm is None
    assert plan.num_trials == 2


def test_a_table_may_be_a_value(tmp_path: Path, tiny: Dataset) -> None:
    text = f'{GRID}[keys]\nmodel = [{{name = "linear"}}, {{name = "hyper_layer", width = 8}}]'
    plan = plan_of(text, tmp_path, tiny)
    names = [plan.recipe_of(values).model.name for values in plan.combinations()]
    assert names == ["linear", "hyper_layer"]


def test_ranges(tmp_path: Path, tiny: Dataset) -> None:
    text = f"{OPTUNA}[keys]\nmodel.width = {{low = 8, high = 32, step = 8, int = true}}"
    plan = plan_of(text, tmp_path, tiny)
    width = plan.keys["model.width"]
    assert isinstance(width, Range)
    assert width.samples == (8, 32)
    assert [width.holds(value) for value in (8, 33, 8.5, True, "8", None)] == [True, *[False] * 5]


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        (GRID, ("'keys' must be given",)),
        (f"{GRID}[keys]", ("'keys'", "at least 1 item")),
        (f"{GRID}[keys\n", ("must be valid TOML",)),
        ('[sweep]\nmethod = "random"\n[keys]\nseed=[1]', ("'sweep.method'", "'random'")),
        ('[sweep]\nmetod = "grid"\n[keys]\nseed=[1]', ("'sweep.metod'", "Did you mean 'method'?")),
        ('[sweep]\nmethod = "optuna"\n[keys]\nseed=[1]', ("'sweep.trials'", "got None")),
        (f"{GRID}trials = 3\n[keys]\nseed=[1]", ("'sweep.trials'", "'grid'; got 3")),
        (f'{GRID}metric = "speed"\n[keys]\nseed=[1]', ("'sweep.metric'", "'speed'")),
        (f"{GRID}[keys]\nseed=[]", ("at least one value", "'seed'")),
        (f"{GRID}[keys]\nseed=[1, 1]", ("must differ", "[1, 1]")),
        (f"{GRID}[keys]\nseed=1", ("a list of values or a range", "got 1 for 'seed'")),
        (f"{GRID}[keys]\nseed={{}}", ("a list of values or a range", "got {}")),
        (f"{GRID}[keys]\nseed={{low=1, high=2}}", ("must have a list", "got a range for 'seed'")),
        (f"{GRID}[keys]\nmodel.widht=[8]", ("'model.widht'", "Did you mean 'width'?")),
        (f"{GRID}[keys]\nmodle.width=[8]", ("'modle'", "Did you mean 'model'?")),
        (f"{GRID}[keys]\nmodel.width=[8, 2.5]", ("'model.width'", "valid integer", "2.5")),
        (f'{GRID}[keys]\nmodel.width=["big"]', ("'model.width'", "valid integer", "'big'")),
        (f"{GRID}[keys]\nmodel=[1]\n'model.width'=[1]", ("must not hold another", "'model'")),
        (
            f"{GRID}[keys]\nobjective.loss.delta=[1.0]",
            ("same in all trials", "'objective.loss.delta'"),
        ),
        (f"{GRID}[keys]\nseed={list(range(200))}\nmodel.width={list(range(1, 99))}", ("19600",)),
        (f"{OPTUNA}[keys]\nseed={{low=2, high=1}}", ("'low' must be less than high",)),
        (f"{OPTUNA}[keys]\nseed={{low=0, high=1, log=true}}", ("'low' must be greater",)),
        (f"{OPTUNA}[keys]\nseed={{low=0, high=1.5, int=true}}", ("'high' must be a whole number",)),
        (f"{OPTUNA}[keys]\nseed={{low=0, high=1.0, step=0.3}}", ("'step' must divide",)),
        (f"{OPTUNA}[keys]\nseed={{low=0, hihg=1}}", ("'hihg'", "Did you mean 'high'?")),
        (f"{OPTUNA}[keys]\nseed={{low=0, high=-1e400}}", ("'high'",)),
        (f"{OPTUNA}[keys]\nmodel.width={{low=0, high=8, int=true}}", ("'model.width'", "1")),
        (f"{OPTUNA}[keys]\nmodel.width={{low=1, high=8.5}}", ("'model.width'", "integer", "1.0")),
    ],
)
def test_what_does_not_fit_is_named(
    text: str, fragments: tuple[str, ...], tmp_path: Path, tiny: Dataset
) -> None:
    with pytest.raises(RecipeError) as error:
        plan_of(text, tmp_path, tiny)
    assert re.fullmatch(r".+ must .+; got:? .+\. [A-Z].+[.?]", str(error.value), re.DOTALL)
    for fragment in fragments:
        assert fragment in str(error.value)


def test_a_missing_optuna_is_said_in_a_line(
    tmp_path: Path, tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    plan = plan_of(f"{OPTUNA}[keys]\nseed = [1, 2]", tmp_path, tiny)
    with pytest.raises(RecipeError, match=r"pip install 'hypermagnetics\[sweep\]'"):
        search_of(plan)


def test_the_examples_of_the_page_are_sweeps(tmp_path: Path, tiny: Dataset) -> None:
    """And together they show every key of a range."""
    text = (ROOT / "docs" / "sweeps.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    methods = [plan_of(block, tmp_path, tiny).search.method for block in blocks]
    assert methods == ["grid", "optuna"]
    assert all(f"{word} =" in blocks[1] for word in ("low", "high", "log", "int", "step"))

"""docs/objectives.md: its recipes are recipes, and it leaves no loss out."""

import re
import tomllib
from pathlib import Path
from typing import get_args

import jax.random as jr
import pytest
from packaging_facts import ROOT
from small_networks import small_arrays

from hypermagnetics.config import checked
from hypermagnetics.data.array_view import ArrayView, names_of
from hypermagnetics.models import MLP, MLPConfig
from hypermagnetics.sources import SourceColumns
from hypermagnetics.train.array_setup import array_inputs_of
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.losses import SHIPPED, ShippedLoss
from hypermagnetics.train.objective import make_array_objective, make_objective
from hypermagnetics.train.terms import Facts
from hypermagnetics.train.terms.array_term import ArrayFacts

TEXT = (ROOT / "docs" / "objectives.md").read_text(encoding="utf-8")
EXTENDING = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"^```toml\n(.*?)^```", TEXT + EXTENDING, re.MULTILINE | re.DOTALL)
REST = {"model": {"name": "split"}, "schedule": {"max_steps": 1, "learning_rate": 1e-3}}


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_snippets_are_objectives(number: int, tmp_path: Path) -> None:
    """With the terms they list, and no others; those of targets are of a network of arrays."""
    table = tomllib.loads(SNIPPETS[number])
    config = checked(TrainingRecipe, {**REST, **table}, "the page").objective
    columns = SourceColumns.of("disc", constants={"radius": 1.0})
    own = {"my_losses:log_cosh": lambda error, truth: error[..., 0]}
    if any(term.of == "targets" for term in config.terms.values()):
        split = small_arrays(tmp_path).any_split("train")
        view = ArrayView(split, names_of(split, None, None))
        network = MLP(MLPConfig(width=8, depth=1), array_inputs_of(view), jr.key(0))
        objective = make_array_objective(config, ArrayFacts(view, network), own)
    else:
        objective = make_objective(config, Facts(columns, 1.0, 1.0), own)
    assert list(objective.terms) == list(table["objective"]["terms"])


def test_the_page_lists_all_losses_with_their_defaults() -> None:
    """As the code has them."""
    assert len(SHIPPED) == 7
    rows = dict(re.findall(r'^\| `"([a-z:-]+)"` \|(.*)\|$', TEXT, re.MULTILINE))
    assert set(rows) == {*SHIPPED, "module:name"}
    for loss in get_args(ShippedLoss):
        defaults = loss().model_dump(exclude={"kind"})
        said = dict(re.findall(r"`([a-z]+)` = ([\d.]+)", rows[loss().kind]))
        assert {name: float(value) for name, value in said.items()} == defaults

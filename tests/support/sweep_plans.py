"""Plans of sweeps, from the text of a SWEEP.toml."""

from pathlib import Path

from hypermagnetics.config import load_recipe
from hypermagnetics.data import Dataset
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.sweep.config import read_sweep
from hypermagnetics.train.sweep.plan import Plan

GRID = '[sweep]\nmethod = "grid"\n'
OPTUNA = '[sweep]\nmethod = "optuna"\ntrials = 3\n'


def plan_of(text: str, directory: Path, dataset: Dataset) -> Plan:
    """The plan of a file over the recipe demo, checked."""
    file = directory / "sweep.toml"
    file.write_text(text, encoding="utf-8")
    config, keys = read_sweep(file)
    plan = Plan(load_recipe(TrainingRecipe, "training", "demo"), keys, config.sweep, dataset)
    plan.check()
    return plan

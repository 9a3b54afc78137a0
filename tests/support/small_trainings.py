"""Trainings of a second, through the library, some of them killed."""

import json
from pathlib import Path

from recording import Killed as Killed
from recording import Recording

from hypermagnetics.config import load_recipe
from hypermagnetics.data import Dataset
from hypermagnetics.run_files import RunFiles
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.run import Outcome, train
from hypermagnetics.train.setup import make_setup

SMALL = (
    "model.width=8",
    "model.hwidth=0.5",
    "model.trunk_frequencies=6",
    "model.source_frequencies=6",
    "schedule.max_steps=20",
    "schedule.warmup_fraction=0.15",
    "validation.every=5",
    "checkpoint.every=10",
    "tracking.log_every=4",
    "data.points_per_step=7",
    "data.blocks_per_batch=2",
)


def small_recipe(*overrides: str) -> TrainingRecipe:
    """The demo, made tiny."""
    return load_recipe(TrainingRecipe, "training", "demo", (*SMALL, *overrides))


def run(
    recipe: TrainingRecipe,
    dataset: Dataset,
    directory: Path,
    kill_at: int | None = None,
    listener: Recording | None = None,
) -> Outcome:
    """Train, or go on; die without a word in step `kill_at`, or when the listener does."""
    setup = make_setup(recipe, dataset)
    return train(setup, RunFiles(directory), {"seed": 0}, listener or Recording(kill_at))


def metrics(directory: Path) -> list[dict[str, object]]:
    """The lines of metrics.jsonl without what belongs to a process: times and compiling."""
    timing = {"seconds_per_step", "samples_per_second", "wait_share", "compiles"}
    lines = (directory / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k not in timing} for line in lines]

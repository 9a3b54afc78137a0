"""Short trainings that are tracked, and what TensorBoard reads of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from hypermagnetics.config import load_recipe
from hypermagnetics.data import Dataset
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.run import Outcome, train
from hypermagnetics.train.run_files import RunFiles
from hypermagnetics.train.setup import make_setup

SMALL = (
    "model.width=8",
    "model.hwidth=0.5",
    "model.trunk_frequencies=6",
    "model.source_frequencies=6",
    "schedule.max_steps=20",
    "validation.every=5",
    "checkpoint.every=10",
    "tracking.log_every=4",
    "data.points_per_step=7",
)


class Killed(Exception):
    """Stands for a process that ends without warning."""


class Watcher:
    """Keeps what a run says; dies in a step."""

    def __init__(self, kill_at: int | None = None) -> None:
        self.kill_at, self.steps = kill_at, 0
        self.told: list[str] = []
        self.notes: list[str] = []

    def advance(self, count: int, note: str) -> None:
        """Some steps are done."""
        self.steps += count
        self.notes.append(note)
        if self.kill_at is not None and self.steps >= self.kill_at:
            raise Killed

    def tell(self, text: str) -> None:
        """Something a person should know."""
        self.told.append(text)


def run_tracked(
    directory: Path, dataset: Dataset, *trackers: str, watcher: Watcher | None = None
) -> Outcome:
    """Train twenty steps, or go on with that."""
    recipe = load_recipe(
        TrainingRecipe, "training", "demo", (*SMALL, f"tracking.to={list(trackers)}")
    )
    setup = make_setup(recipe, dataset, lambda count: None)
    return train(setup, RunFiles(directory), {"seed": 0}, watcher or Watcher())


def run_killed_and_resumed(directory: Path, dataset: Dataset, *trackers: str) -> None:
    """Train, die four steps past the checkpoint, and go on to the end."""
    with pytest.raises(Killed):
        run_tracked(directory, dataset, *trackers, watcher=Watcher(kill_at=16))
    run_tracked(directory, dataset, *trackers)


def logged(directory: Path) -> dict[str, dict[int, float]]:
    """What metrics.jsonl says: name -> step -> number."""
    found: dict[str, dict[int, float]] = {}

    def add(step: int, name: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, part in value.items():
                add(step, f"{name}/{key}", part)
        elif not isinstance(value, bool) and name not in ("step", "steps"):
            found.setdefault(name, {})[step] = value

    for line in (directory / "metrics.jsonl").read_text().splitlines():
        record = json.loads(line)
        for name, value in record.items():
            add(record["step"], name, value)
    return found


def timed(name: str) -> bool:
    """Whether a number is another one each time it is measured."""
    return name in ("seconds_per_step", "samples_per_second", "wait_share")

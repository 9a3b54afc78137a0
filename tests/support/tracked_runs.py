"""Short trainings that are tracked, and what TensorBoard reads of them."""

import json
from pathlib import Path
from typing import Any

import pytest
from recording import Killed, Recording
from small_trainings import run, small_recipe

from hypermagnetics.data import Dataset
from hypermagnetics.train.run import Outcome


def run_tracked(
    directory: Path, dataset: Dataset, *trackers: str, listener: Recording | None = None
) -> Outcome:
    """Train twenty steps, or go on with that."""
    recipe = small_recipe(f"tracking.to={list(trackers)}")
    return run(recipe, dataset, directory, listener=listener)


def run_killed_and_resumed(directory: Path, dataset: Dataset, *trackers: str) -> None:
    """Train, die four steps past the checkpoint, and go on to the end."""
    with pytest.raises(Killed):
        run_tracked(directory, dataset, *trackers, listener=Recording(16))
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

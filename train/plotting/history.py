"""Curves of a run, from its metrics.jsonl."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hypermagnetics.errors import RunError
from hypermagnetics.files import name_in_text
from hypermagnetics.run_files import RunFiles, read_metrics

_SPEEDS = ("samples_per_second", "wait_share")

_LINES = 10
"""Over how many lines a speed is a mean. A single one is a poor clock: the losses of the last steps
before a validation are fetched right behind those of the steps before, as if they took no time."""


@dataclass(frozen=True)
class Curve:
    """Numbers after some steps, in order; NaN where there was none."""

    steps: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, step: int, value: float) -> None:
        """Append a number."""
        self.steps.append(step)
        self.values.append(value)


@dataclass(frozen=True)
class History:
    """The curves of a run, under the names of metrics.jsonl, as in validation/loss."""

    name: str
    curves: Mapping[str, Curve]

    def curve(self, name: str) -> Curve:
        """A curve; an empty one if the run has none of the name."""
        return self.curves.get(name, Curve())

    @property
    def terms(self) -> list[str]:
        """Names of the curves of the terms of the loss."""
        return [name for name in self.curves if name.startswith("losses/")]


def read_history(run: Path) -> History:
    """Read the curves of a run, finished or not.

    Args:
        run: Its directory.

    Returns:
        The curves. Speed and wait are means over ten lines. Lines about steps of which some were
        compiled have none, unless there are no others.

    Raises:
        RunError: If there is no run, or it has logged nothing.
    """
    files = RunFiles(run)
    if not files.recipe.is_file():
        raise RunError(
            f"RUN must be the directory of a training; got {str(run)!r}, which holds no "
            f"{files.recipe.name}. Check the path, or train with hm-train."
        )
    curves: dict[str, Curve] = {}
    records = read_metrics(files.metrics)
    for record in records:
        for name, value in _numbers(record):
            curves.setdefault(name, Curve()).add(record["step"], value)
    if not curves:
        raise RunError(
            f"A run that is plotted must have logged some steps; got none ({files.metrics}). "
            "Plot it again after tracking.log_every steps."
        )
    return History(name_in_text(run.resolve().name), curves | _speeds(records))


def _speeds(records: list[dict[str, Any]]) -> dict[str, Curve]:
    """Running means of speeds, weighted by time."""
    timed = [record for record in records if {"steps", "seconds_per_step", *_SPEEDS} <= {*record}]
    timed = [record for record in timed if not record.get("compiles")] or timed
    found = {name: Curve() for name in _SPEEDS}
    for number, record in enumerate(timed):
        some = timed[max(number - _LINES + 1, 0) : number + 1]
        seconds = [part["steps"] * part["seconds_per_step"] for part in some]
        for name, curve in found.items():
            curve.add(record["step"], float(np.average([p[name] for p in some], weights=seconds)))
    return found


def _numbers(record: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, float]]:
    """The numbers of a line; null, as of an undefined error, leaves a gap."""
    for name, value in record.items():
        if isinstance(value, dict) and not above:
            yield from _numbers(value, f"{name}/")
        elif value is None:
            yield above + name, math.nan
        elif type(value) in (int, float) and above + name != "step":
            yield above + name, float(value)

"""Curves of a run, from its metrics.jsonl."""

import math
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypermagnetics.errors import RunError
from hypermagnetics.files import name_in_text
from hypermagnetics.run_files import RunFiles, read_metrics

_SPEEDS = ("samples_per_second", "wait_share")

_LINES = 10
"""Over how many lines a speed is a mean. A single one is a poor clock: the losses of the last steps
before a validation are fetched right behind those of the steps before, as if they took no time."""


_MOST_POINTS = 1 << 22
"""Most points of the curves of a run, as of a million lines of four numbers each."""
_MOST_CURVES = 1000


@dataclass(frozen=True)
class Curve:
    """Numbers after some steps, in order; NaN where there was none."""

    steps: "array[float]" = field(default_factory=lambda: array("d"))
    values: "array[float]" = field(default_factory=lambda: array("d"))

    def add(self, step: float, value: float) -> None:
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
    speeds = {compiles: _Speeds() for compiles in (False, True)}
    num_points = 0
    for record in read_metrics(files.metrics):
        for name, value in _numbers(record):
            curves.setdefault(name, Curve()).add(float(record["step"]), value)
            num_points += 1
        speeds[record.get("compiles", False)].add(record)
        if num_points > _MOST_POINTS or len(curves) > _MOST_CURVES:
            raise RunError(
                f"A run that is plotted must have logged at most {_MOST_POINTS} numbers of "
                f"{_MOST_CURVES} names; got more ({files.metrics}). Log less often "
                "(tracking.log_every), or plot the file by other means."
            )
    if not curves and files.model.exists() and not files.metrics.exists():
        raise RunError(
            "A run that is plotted must have logged some steps; got a model and none "
            f"({files.metrics}). One that was made by --domain has no curves: its card, "
            f"{files.card.name}, has its fit error."
        )
    if not curves:
        raise RunError(
            f"A run that is plotted must have logged some steps; got none ({files.metrics}). "
            "Plot it again after tracking.log_every steps."
        )
    means = (speeds[False] if speeds[False].steps else speeds[True]).means()
    return History(name_in_text(run.resolve().name), curves | means)


@dataclass(frozen=True)
class _Speeds:
    """Speeds after some steps, and the times they are means over."""

    steps: "array[float]" = field(default_factory=lambda: array("d"))
    seconds: "array[float]" = field(default_factory=lambda: array("d"))
    values: "array[float]" = field(default_factory=lambda: array("d"))
    """One of each name for each of the steps."""

    def add(self, record: Mapping[str, Any]) -> None:
        """Append those of a line that has them."""
        if {"steps", "seconds_per_step", *_SPEEDS} <= {*record}:
            self.steps.append(float(record["step"]))
            self.seconds.append(record["steps"] * record["seconds_per_step"])
            self.values.extend(record[name] for name in _SPEEDS)

    def means(self) -> dict[str, Curve]:
        """Running means, weighted by time."""
        values = np.array(self.values).reshape(-1, len(_SPEEDS))
        return {
            name: Curve(self.steps, array("d", self._running_mean(column)))
            for name, column in zip(_SPEEDS, values.T, strict=True)
        }

    def _running_mean(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        if not len(values):
            return values
        seconds, window = np.array(self.seconds), np.ones(_LINES)
        with np.errstate(invalid="ignore"):
            means = np.convolve(values * seconds, window) / np.convolve(seconds, window)
        return np.asarray(means[: len(values)])


def _numbers(record: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, float]]:
    """The numbers of a line; null, as of an undefined error, leaves a gap."""
    for name, value in record.items():
        if isinstance(value, dict) and not above:
            yield from _numbers(value, f"{name}/")
        elif value is None:
            yield above + name, math.nan
        elif type(value) in (int, float) and above + name != "step":
            yield above + name, float(value)

"""Names of all files that the programs share, and the one reader of a run's metrics."""

import abc
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_serializer, model_validator

from hypermagnetics.config import Config
from hypermagnetics.errors import RunError
from hypermagnetics.input_files import FileKind, most_values_in
from hypermagnetics.log import four_digits, per_cent, say

MODEL_NAME = "model.hm"
RECIPE_NAME = "recipe.json"
METRICS_NAME = "metrics.jsonl"

EVALUATION_NAME = "eval"
"""Directory that hm-eval writes into a run."""
RESULTS_NAME, SAMPLES_NAME = "results.json", "samples.zarr"
PAGE_NAME, FIGURES_NAME = "index.html", "figures"
"""Files and directories of an evaluation."""

LOCK_NAME = "lock"
"""File whose lock the one writer of a directory holds."""

_EVALUATION = (
    rf"{EVALUATION_NAME}/({re.escape(RESULTS_NAME)}|{re.escape(PAGE_NAME)}|{LOCK_NAME}"
    rf"|{re.escape(SAMPLES_NAME)}(\.part|\.replaced)?/.+|{FIGURES_NAME}/[^/]+\.(png|svg|csv)"
    r"|sample-[^/]+\.png)"
)
_CHECKPOINT = re.compile(r"step-(\d{9})\.ckpt")
_BEST = re.compile(r"best-(\d{9})\.hm")


@dataclass(frozen=True)
class RunFiles:
    """The files of a run directory."""

    directory: Path

    @property
    def recipe(self) -> Path:
        """The recipe with every default filled in; itself a recipe."""
        return self.directory / RECIPE_NAME

    @property
    def provenance(self) -> Path:
        """Dataset, its sha256, seed and versions."""
        return self.directory / "run.json"

    @property
    def metrics(self) -> Path:
        """Loss and validation errors as JSON lines."""
        return self.directory / METRICS_NAME

    @property
    def tracking(self) -> Path:
        """Directory of the trackers' files."""
        return self.directory / "tracking"

    @property
    def plot(self) -> Path:
        """Picture of the curves."""
        return self.directory / "plot.png"

    @property
    def checkpoints(self) -> Path:
        """The directory of the checkpoints."""
        return self.directory / "checkpoints"

    def checkpoint(self, step: int) -> Path:
        """The checkpoint after a number of steps."""
        return self.checkpoints / f"step-{step:09d}.ckpt"

    def checkpoint_steps(self) -> list[int]:
        """Steps with a checkpoint, in order."""
        return self._steps(_CHECKPOINT)

    def best(self, step: int) -> Path:
        """The model of a step, the best of all regular validations so far."""
        return self.checkpoints / f"best-{step:09d}.hm"

    def best_steps(self) -> list[int]:
        """Steps with such a model, in order."""
        return self._steps(_BEST)

    @property
    def final(self) -> Path:
        """The model after the last step."""
        return self.directory / "final.hm"

    @property
    def card(self) -> Path:
        """Card of the model; written when the run is finished."""
        return self.directory / "model.md"

    @property
    def model(self) -> Path:
        """The result, a copy of the best model; there only when the run is finished."""
        return self.directory / MODEL_NAME

    @property
    def pattern(self) -> str:
        """Regular expression of the paths of all these files, relative to the directory.

        Those of an evaluation in the run count, so that both are overwritten together.
        """
        files = (
            *(self.recipe, self.provenance, self.metrics, self.plot),
            *(self.card, self.model, self.final),
        )
        own = (re.escape(path.name) for path in files)
        kept = rf"{self.checkpoints.name}/({_BEST.pattern}|{_CHECKPOINT.pattern})"
        return "|".join((*own, kept, rf"{self.tracking.name}/.+", _EVALUATION))

    def _steps(self, names: re.Pattern[str]) -> list[int]:
        if not self.checkpoints.is_dir():
            return []
        found = (names.fullmatch(path.name) for path in self.checkpoints.iterdir())
        return sorted(int(match[1]) for match in found if match)


class _OfErrors(Config, abc.ABC):
    """Result of one validation of a model that is trained on a truth."""

    @property
    @abc.abstractmethod
    def median_errors(self) -> dict[str, float | None]:
        """Median relative errors by quantity, the most important first."""

    @property
    def in_words(self) -> str:
        """The errors, for people."""
        errors = ", ".join(f"{name} {per_cent(one)}" for name, one in self.median_errors.items())
        return f"median relative error: {errors}"

    @property
    def status(self) -> str | None:
        """The most important error, as in "error 3.4 %"; None if it is not known."""
        error = next(iter(self.median_errors.values()))
        return None if error is None else f"error {100 * error:.3g} %"


class Validation(_OfErrors):
    """Result of one validation. A non-finite prediction makes `loss` null, never a good number."""

    loss: float | None
    """The objective over the whole split."""
    potential_median_relative_error: float | None
    field_median_relative_error: float | None

    @property
    def median_errors(self) -> dict[str, float | None]:
        """Median relative errors by quantity, the most important first."""
        return {
            "potential": self.potential_median_relative_error,
            "field": self.field_median_relative_error,
        }


class ArrayValidation(_OfErrors):
    """Result of one validation of a network from arrays to arrays; see `Validation`."""

    loss: float | None
    """The objective over the whole split."""
    targets_median_relative_error: float | None
    """Median over the samples of |error| / |targets|, of vectors of all values of a sample."""
    jacobian_median_relative_error: float | None = None
    """That of the stored Jacobian, with each input in units of its scale; null without one."""

    @property
    def median_errors(self) -> dict[str, float | None]:
        """Median relative errors by quantity, the most important first."""
        found = {"targets": self.targets_median_relative_error}
        if self.jacobian_median_relative_error is not None:
            found["jacobian"] = self.jacobian_median_relative_error
        return found


class MapValidation(_OfErrors):
    """Result of one validation of a network from maps to maps; see `Validation`.

    Keys of maps that it does not give are left out.
    """

    loss: float | None
    """The objective over the whole split."""
    potential_median_relative_error: float | None = None
    field_median_relative_error: float | None = None
    targets_median_relative_error: float | None = None
    """Medians over all points, as of `Validation`."""
    potential_global_relative_l2: float | None = None
    field_global_relative_l2: float | None = None
    targets_global_relative_l2: float | None = None
    """||error|| / ||truth|| over all points of all samples together."""

    @model_serializer(mode="wrap")
    def _without_others(self, whole: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        given = self.model_fields_set
        return {key: value for key, value in whole(self).items() if key in given}

    @property
    def median_errors(self) -> dict[str, float | None]:
        """Median relative errors by quantity, the most important first."""
        names = ("potential", "field", "targets")
        keys = {name: f"{name}_median_relative_error" for name in names}
        return {n: getattr(self, key) for n, key in keys.items() if key in self.model_fields_set}


class RolloutValidation(_OfErrors):
    """Result of one validation of a network that gives the next state; see `Validation`."""

    loss: float | None
    """The objective over one window of each trajectory."""
    step_median_relative_error: float | None
    """Median over the samples of |error| / |state| after one step."""
    rollout_median_relative_error: float | None
    """That after `rollout_steps`, each from the state that the one before gave."""
    rollout_steps: int

    @property
    def median_errors(self) -> dict[str, float | None]:
        """Median relative errors, that of one step first."""
        found = {"one step": self.step_median_relative_error}
        if self.rollout_steps > 1:
            found[f"{self.rollout_steps} steps"] = self.rollout_median_relative_error
        return found


# Not strict: a line of JSON has lists.
_Row = Annotated[tuple[float | None, ...], Field(strict=False)]
_Matrix = Annotated[tuple[_Row, ...], Field(strict=False)]


class FisherRecord(Config):
    """Fisher information of summaries after a step; null for a number that is not finite."""

    information: _Matrix
    """Fisher information F of the summaries about the parameters."""
    determinant: float | None
    """det F."""
    covariance_determinant: float | None
    """Determinant of the covariance C of the summaries."""
    scale_strength: float | None
    """Factor r before the measure of the scale in the loss."""


class FisherValidation(FisherRecord):
    """Result of one validation of summaries of readings; see `Validation`."""

    loss: float | None
    """The objective over the whole split."""

    @property
    def in_words(self) -> str:
        """The numbers that count, for people."""
        covariance = four_digits(self.covariance_determinant)
        return f"det F {four_digits(self.determinant)}, det C {covariance}"

    @property
    def status(self) -> str | None:
        """The most important number, as in "det F 45.7"."""
        return f"det F {four_digits(self.determinant)}"


AnyValidation = Validation | ArrayValidation | MapValidation | RolloutValidation | FisherValidation


_METRICS = FileKind("The metrics of a run", 1 << 30, RunError)
_LONGEST_LINE = 1 << 16
_MOST_DIGITS = 18
_MOST_SAID = 10
"""Damaged lines of a file that each have a message."""
_MOST_VALUES = 1 << 10
"""Most values of a line."""
_TIMES = {"seconds_per_step", "samples_per_second", "wait_share"}


class _MetricsLine(BaseModel):
    """Keys of a line of metrics.jsonl that programs compute with, none null; it may have others."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    step: int
    validation: AnyValidation | None = None
    loss: float = 0.0
    steps: int = 0
    seconds_per_step: float = 0.0
    samples_per_second: float = 0.0
    wait_share: float = 0.0
    compiles: bool = False

    @model_validator(mode="after")
    def _times_are_of_steps(self) -> "_MetricsLine":
        given = self.model_fields_set
        if "validation" in given and self.validation is None:
            raise ValueError("a validation that is not null")
        if given & _TIMES and not given >= {"steps", "seconds_per_step"}:
            raise ValueError("number of steps and their time")
        if "wait_share" in given and "compiles" not in given:
            raise ValueError("whether steps were compiled")
        return self


def read_metrics(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a metrics.jsonl; one that is damaged costs that line, and a message.

    Only one line is in memory at a time, whoever wrote the file.

    Args:
        path: The file. Text behind the last line end is still being written, or was when the run
            was killed, and is left out.

    Yields:
        The lines, each with its `step`; none if there is no file.
    """
    num_damaged = 0
    for number, line in enumerate(metrics_lines(path), 1):
        if (record := parsed_metrics(line)) is not None:
            yield record
            continue
        num_damaged += 1
        if num_damaged <= _MOST_SAID:
            say(f"Line {number} of {path} is damaged and is left out: {line[:40]!r}.")
    if num_damaged > _MOST_SAID:
        say(f"So are {num_damaged - _MOST_SAID} more of its lines.")


def metrics_lines(path: Path) -> Iterator[bytes]:
    """Yield the whole lines of a metrics.jsonl without their ends; none if there is no file.

    Of a line that is longer than any that hm-train writes the beginning comes, which is damaged.
    """
    if not path.exists():
        return
    with _METRICS.open(path) as file:
        while line := file.readline(_LONGEST_LINE):
            end = line
            while end and not end.endswith(b"\n"):
                end = file.readline(_LONGEST_LINE)
            if end:
                yield line.removesuffix(b"\n")


def parsed_metrics(line: bytes) -> dict[str, Any] | None:
    """A line of a metrics.jsonl; None if it is damaged."""
    if most_values_in(line) > _MOST_VALUES:
        return None
    try:
        record = json.loads(line, parse_int=_whole_number)
        _MetricsLine.model_validate(record)
    except (ValueError, RecursionError):
        return None
    assert isinstance(record, dict), "the model takes nothing else"
    return record


def _whole_number(text: str) -> int:
    """A whole number of a line, which a float has room for."""
    if len(text) > _MOST_DIGITS:
        raise ValueError(text)
    return int(text)

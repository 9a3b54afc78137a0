"""SWEEP.toml: varied keys of a recipe, search method and metric."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, model_validator

from hypermagnetics.config import Config, checked, refusal
from hypermagnetics.errors import RecipeError, raise_refusal
from hypermagnetics.input_files import FileKind
from hypermagnetics.train.sweep.dimensions import Choices, Dimension, Range, text_of

Metric = Literal["loss", "potential", "field"]

_FILE = FileKind("The file of a sweep", 1 << 24, RecipeError, 1 << 16)
_RANGE_KEYS = {"low", "high"}


class SearchConfig(Config):
    """[sweep]: search method and metric."""

    method: Literal["grid", "optuna"]
    """"grid": every combination; "optuna": proposals that learn from the trials before."""
    trials: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Number of proposals of Optuna."""
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
    """Seed of the proposals; the seed of the trainings is that of the recipe."""
    metric: Metric = "loss"
    """Metric that the best trial minimises, on the validation split: the loss, or the median
    relative error of potential or field, at the step of the least loss."""

    @model_validator(mode="after")
    def _trials_are_of_optuna(self) -> "SearchConfig":
        if (self.method == "optuna") != (self.trials is not None):
            rule = "be a number if method is 'optuna', and left out if it is 'grid'"
            raise refusal("trials", rule, self.trials, "Change trials or method.")
        return self


class SweepConfig(Config):
    """The whole file."""

    dataset: str | None = None
    """Path relative to the file."""
    sweep: SearchConfig
    keys: Annotated[dict[str, JsonValue], Field(min_length=1)]


def read_sweep(file: Path) -> tuple[SweepConfig, dict[str, Dimension]]:
    """Read a SWEEP.toml.

    Args:
        file: The file.

    Returns:
        Its content, and the values of each key of the recipe, in the order of the file.

    Raises:
        RecipeError: If it is not there, or does not fit.
    """
    try:
        table = tomllib.loads(_FILE.read(file).decode("utf-8-sig"))
    except RecipeError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise_refusal(error, file)
        raise RecipeError(
            f"The file of a sweep must be valid TOML; got: {error} ({file}). Mend it, or check "
            "the path."
        ) from error
    config = checked(SweepConfig, table, str(file))
    found = dict(_dimensions(config.keys, "", file))
    _refuse_overlap(found, file)
    for key, dimension in found.items():
        if config.sweep.method == "grid" and isinstance(dimension, Range):
            raise RecipeError(
                f"Each key of a grid must have a list of values; got a range for {key!r} ({file}). "
                'Write a list, or take method = "optuna".'
            )
        if config.sweep.metric == "loss" and key.split(".")[0] == "objective":
            raise RecipeError(
                f"The metric must mean the same in all trials; got 'loss' while {key!r}, which "
                f'changes the loss, is varied ({file}). Take metric = "potential" or "field".'
            )
    return config, found


def _dimensions(
    table: Mapping[str, Any], parent: str, file: Path
) -> Iterator[tuple[str, Dimension]]:
    """Keys of a table; a dotted key without quotes has come as nested tables."""
    for name, value in table.items():
        key = parent + name
        if isinstance(value, list):
            yield key, _choices(key, value, file)
        elif isinstance(value, dict) and value and not _RANGE_KEYS & set(value):
            yield from _dimensions(value, f"{key}.", file)
        elif isinstance(value, dict) and value:
            yield key, checked(Range, value, f"{file}, key {key}")
        else:
            raise RecipeError(
                f"A key of a sweep must have a list of values or a range; got {value!r} for "
                f"{key!r} ({file}). Write [1, 2] or {{low = 1, high = 2}}."
            )


def _choices(key: str, values: list[JsonValue], file: Path) -> Choices:
    # As with --set: some keys may be null, and TOML cannot say it.
    found = tuple(None if value == "null" else value for value in values)
    if not found:
        raise RecipeError(
            f"A key of a sweep must have at least one value; got [] for {key!r} ({file}). "
            "Add values, or leave the key out."
        )
    if len(set(map(text_of, found))) < len(found):
        raise RecipeError(
            f"The values of a key must differ; got {json.dumps(values)} for {key!r} ({file}). "
            "Leave repetitions out; to repeat trainings, vary 'seed'."
        )
    return Choices(found)


def _refuse_overlap(keys: Mapping[str, Dimension], file: Path) -> None:
    for key in keys:
        if inner := [other for other in keys if other.startswith(f"{key}.")]:
            raise RecipeError(
                f"A key of a sweep must not hold another one; got {key!r} and {inner[0]!r} "
                f"({file}). Leave one out."
            )

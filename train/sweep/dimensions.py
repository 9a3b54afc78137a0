"""Values of a recipe key in a sweep: one of some choices, or a number in a range."""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from pydantic import Field, JsonValue, model_validator

from hypermagnetics.config import Config, refusal


@dataclass(frozen=True)
class Choices:
    """Some values, in the order of the file."""

    values: tuple[JsonValue, ...]

    @property
    def samples(self) -> tuple[JsonValue, ...]:
        """Values to be checked before the first trial: all."""
        return self.values

    def holds(self, value: JsonValue) -> bool:
        """Whether a trial may have this value."""
        return text_of(value) in map(text_of, self.values)


class Range(Config):
    """The numbers from `low` to `high`, both included."""

    low: float
    high: float
    log: bool = False
    """Whether the scale is logarithmic: equal factors count the same, not equal differences."""
    step: Annotated[float, Field(gt=0)] | None = None
    """Step between values; null for all numbers, or all integers."""
    whole: Annotated[bool, Field(alias="int")] = False
    """Integers only."""

    @model_validator(mode="after")
    def _is_a_range(self) -> "Range":
        if not self.low < self.high:
            raise refusal("low", f"be less than high, {self.high}", self.low)
        if self.log and self.low <= 0:
            raise refusal("low", "be greater than 0 if log is true", self.low)
        if self.log and self.step is not None:
            raise refusal("step", "be left out if log is true", self.step, "Remove it, or log.")
        numbers = {"low": self.low, "high": self.high, "step": self.step or 1.0}
        for key, number in numbers.items():
            if self.whole and not number.is_integer():
                raise refusal(key, "be a whole number if int is true", number)
        if self.step is not None and _rest(self.low, self.high, self.step):
            rule = f"divide the range from {self.low} to {self.high} into equal steps"
            raise refusal("step", rule, self.step)
        return self

    @property
    def samples(self) -> tuple[JsonValue, ...]:
        """Values to be checked before the first trial: both ends."""
        return (self.number(self.low), self.number(self.high))

    def number(self, value: float | int) -> float | int:
        """Convert a number to the form of the recipe."""
        return int(value) if self.whole else value

    def holds(self, value: JsonValue) -> bool:
        """Whether a trial may have this value."""
        is_number = isinstance(value, int if self.whole else (int, float))
        return (
            isinstance(value, (int, float))
            and is_number
            and not isinstance(value, bool)
            and self.low <= value <= self.high
        )


Dimension = Choices | Range


def text_of(value: JsonValue) -> str:
    """A value as text, different for different values, also for 1 and true."""
    return json.dumps(value, sort_keys=True)


def _rest(low: float, high: float, step: float) -> bool:
    """Whether steps miss the upper end; in decimals, as they were written."""
    return (Decimal(str(high)) - Decimal(str(low))) % Decimal(str(step)) != 0

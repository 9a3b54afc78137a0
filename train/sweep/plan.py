"""Plan of a sweep: a recipe, its varied keys, and the search."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from pydantic import JsonValue

from hypermagnetics.config import with_values
from hypermagnetics.data import Dataset
from hypermagnetics.errors import RecipeError
from hypermagnetics.models import is_of_arrays
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.sweep.config import SearchConfig
from hypermagnetics.train.sweep.dimensions import Choices, Dimension

Values = Mapping[str, JsonValue]
"""Values of one trial in place of the recipe's own, by key."""

_MOST_COMBINATIONS = 10_000


@dataclass(frozen=True)
class Plan:
    """Plan of a sweep."""

    recipe: TrainingRecipe
    keys: Mapping[str, Dimension]
    search: SearchConfig
    dataset: Dataset

    def recipe_of(self, values: Values) -> TrainingRecipe:
        """The recipe of a trial.

        Raises:
            RecipeError: If the values do not fit into the recipe.
        """
        return with_values(self.recipe, values, f"a trial with {in_words(values)}")

    @property
    def num_trials(self) -> int:
        """Number of trials."""
        return self.search.trials or self._num_combinations

    @property
    def _num_combinations(self) -> int:
        return math.prod(len(key.values) for key in self.keys.values() if isinstance(key, Choices))

    def combinations(self) -> Iterator[Values]:
        """Every combination of a grid; the last key changes fastest."""
        lists = [key.values for key in self.keys.values() if isinstance(key, Choices)]
        for values in product(*lists):
            yield dict(zip(self.keys, values, strict=True))

    def check(self) -> None:
        """Check that the recipe has the keys and accepts the values.

        A grid is checked in all its combinations. Of what Optuna may propose, each value of a list
        and both ends of a range are, beside the first values of the other keys.

        Raises:
            RecipeError: With the first that does not fit, or if a grid is too large, or the metric
                is an error that the model does not have.
        """
        if is_of_arrays(self.recipe.model) and self.search.metric != "loss":
            raise RecipeError(
                "The metric of a sweep must be 'loss' for networks from arrays to arrays; got "
                f"{self.search.metric!r} ([sweep], metric). Set it to 'loss'."
            )
        if self.search.method == "grid":
            if self._num_combinations > _MOST_COMBINATIONS:
                raise RecipeError(
                    f"A grid must have at most {_MOST_COMBINATIONS} combinations; got "
                    f"{self._num_combinations} ([keys]). Leave values out, or take method = "
                    '"optuna".'
                )
            for values in self.combinations():
                self.recipe_of(values)
            return
        first = {key: dimension.samples[0] for key, dimension in self.keys.items()}
        for key, dimension in self.keys.items():
            for value in dimension.samples:
                self.recipe_of({**first, key: value})


def in_words(values: Values) -> str:
    """Values as text, as in `model.width=64, optimiser.name="adam"`."""
    return ", ".join(f"{key}={shown(value)}" for key, value in values.items())


def shown(value: JsonValue) -> str:
    """A value as text; numbers with four digits."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value)

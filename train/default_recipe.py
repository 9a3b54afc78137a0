"""The recipe of a training that names none: the most accurate that serves it."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from hypermagnetics.config import load_recipe
from hypermagnetics.data import Dataset
from hypermagnetics.models import GridSplitConfig, HyperLayerConfig
from hypermagnetics.models.split.grid_settings import refusal_of
from hypermagnetics.table import SourceColumns
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.setup import inputs_of

ACCURATE, LEARNED = "split", "demo"
"""The most accurate of the shipped recipes, which makes no step, and one that learns from labels
alone."""

_WITHOUT_STEPS = {"seed", "outside", "data.train", "data.valid", "data.check", "compute.devices"}
"""Keys of use to a training without steps, beside those of its model."""
_OF_LEARNED = HyperLayerConfig.model_fields.keys() - GridSplitConfig.model_fields.keys()
"""Keys of the model of LEARNED alone."""

Changed = Callable[[str], TrainingRecipe]
"""Map from the name of a shipped recipe to that recipe with the changes of a user."""


class DefaultRecipe(NamedTuple):
    """A shipped recipe that is taken where none is named."""

    name: str
    changed: Changed
    because: str | None = None
    """Why it is taken; None until the dataset is known."""

    @property
    def recipe(self) -> TrainingRecipe:
        """The recipe with the changes of the user."""
        return self.changed(self.name)

    @property
    def line(self) -> str:
        """A line for people."""
        return f"recipe {self.name}, {self.because}"

    def for_dataset(self, dataset: Dataset) -> "DefaultRecipe":
        """The recipe for a dataset.

        Args:
            dataset: The dataset of the training.

        Returns:
            The same, unless it does not serve the dataset; then the one that does.

        Raises:
            DatasetError: If nothing can be learned from the training split.
        """
        if self.because is not None:
            return self
        recipe = self.recipe
        inputs = inputs_of(recipe, dataset, None)
        assert isinstance(recipe.model, GridSplitConfig), "the recipe is of that model"
        refusal = refusal_of(recipe.model, inputs)
        # Settings of the user's own are refused by the training itself.
        if refusal is not None and recipe.model == _shipped(ACCURATE).model:
            return self._replace(
                name=LEARNED,
                because=f"as {ACCURATE}, the most accurate, does not serve the dataset: {refusal}",
            )
        return self._replace(because=_most_accurate_for(inputs.columns))


def default_recipe(keys: Iterable[str], changed: Changed) -> DefaultRecipe:
    """Choose a recipe by the changes of a user, before a dataset is opened.

    The accurate recipe makes no step. So it is taken unless a change is of steps or of another
    model.

    Args:
        keys: Changed keys; dots separate tables.
        changed: The shipped recipes with these changes.

    Returns:
        The recipe, which `for_dataset` may replace.

    Raises:
        RecipeError: If a change does not fit.
    """
    accurate = DefaultRecipe(ACCURATE, changed)
    of_steps = next(filter(_is_of_steps, keys), None)
    if of_steps is None:
        model = accurate.recipe.model
        if isinstance(model, GridSplitConfig):
            return accurate
        of_steps = f"model {model.name}"
    elif changed(LEARNED).schedule.num_steps == 0:
        return accurate
    because = (
        f"as {of_steps} needs steps, and {ACCURATE}, the most accurate, makes none; --recipe NAME "
        "takes another."
    )
    return DefaultRecipe(LEARNED, changed, because)


def _is_of_steps(key: str) -> bool:
    table, _, rest = key.partition(".")
    if table == "model":
        return rest in _OF_LEARNED
    return key not in _WITHOUT_STEPS


def _most_accurate_for(columns: SourceColumns) -> str:
    bodies = [f"{body}s" for body in columns.bodies]
    named = " and ".join(filter(None, (", ".join(bodies[:-1]), bodies[-1])))
    return (
        f"the most accurate for {named} in {columns.dim}D (docs/results.md); --recipe {LEARNED} "
        "learns from the labels alone."
    )


def _shipped(name: str) -> TrainingRecipe:
    return load_recipe(TrainingRecipe, "training", name)

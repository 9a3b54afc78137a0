"""The recipe of a training that names none: the most accurate that serves it."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from hypermagnetics.data import Dataset
from hypermagnetics.data.npy_maps import is_map
from hypermagnetics.data.trajectories import STATES
from hypermagnetics.errors import DatasetError
from hypermagnetics.models import GridSplitConfig, HyperLayerConfig, ModelInputs, ReducedConfig
from hypermagnetics.models.reduced.settings import refusal_of as refusal_of_reduced
from hypermagnetics.models.split.grid_settings import refusal_of
from hypermagnetics.table import SourceColumns
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.source_inputs import inputs_of

ACCURATE, LEARNED = "split", "demo"
"""The most accurate of the shipped recipes, which makes no step, and one that learns from labels
alone."""

OF_SOFT_BOXES = "reduced"
"""The most accurate for soft boxes of one shape, which makes no step."""

OF_SOFT = "hyper-mlp"
"""One for other soft bodies, which no sum over sources serves."""

OF_ARRAYS = "mlp"
"""One for a dataset of arrays alone."""

OF_MAPS = "map-arrays"
"""One for a dataset of arrays alone that are maps."""

OF_TRAJECTORIES = "trajectories"
"""One for a dataset of states alone, in time."""

OF_READINGS = "fisher-gaussian"
"""One for summaries of readings."""

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
    is_asked_for: bool = False
    """Whether the user has chosen the model or no step, so that no other recipe stands in."""

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
            DatasetError: If nothing can be learned from the training split, or the noise of its
                readings decides about the recipe.
        """
        if not dataset.has_sources and "derivatives" in dataset.arrays:
            raise DatasetError(
                "A training on readings and their derivatives must have a recipe, which knows "
                f"whether the readings have their noise; got none ({dataset.directory}). Give "
                f"--recipe {OF_READINGS} with data.noise=null if they have it."
            )
        if not dataset.has_sources and not self.is_asked_for:
            kind, name = ("maps", OF_MAPS) if _has_maps(dataset) else ("arrays alone", OF_ARRAYS)
            if STATES in dataset.arrays:
                kind, name = "trajectories", OF_TRAJECTORIES
            because = f"as the dataset is of {kind}, {', '.join(dataset.arrays)}."
            return self._replace(name=name, because=because)
        if self.because is not None:
            return self
        recipe = self.recipe
        inputs = inputs_of(recipe, dataset, None)
        assert isinstance(recipe.model, GridSplitConfig), "the recipe is of that model"
        # The training itself refuses a model that a user asked for.
        refusal = None if self.is_asked_for else refusal_of(recipe.model, inputs)
        if refusal is not None:
            return self._replace(
                name=_other_than_accurate(self.changed, inputs),
                because=f"as {ACCURATE}, the most accurate, does not serve the dataset: {refusal}",
            )
        return self._replace(because=_most_accurate_for(inputs.columns))


def _other_than_accurate(changed: Changed, inputs: ModelInputs) -> str:
    """Name of the recipe for sources that the accurate one does not serve."""
    if not inputs.columns.is_soft:
        return LEARNED
    reduced = changed(OF_SOFT_BOXES).model
    assert isinstance(reduced, ReducedConfig), "the recipe is of that model"
    return OF_SOFT if refusal_of_reduced(reduced, inputs) else OF_SOFT_BOXES


def default_recipe(changes: Mapping[str, object], changed: Changed) -> DefaultRecipe:
    """Choose a recipe by the changes of a user, before a dataset is opened.

    The accurate recipe makes no step. So it is taken unless a change is of steps or of another
    model.

    Args:
        changes: Values by changed keys, or their texts; dots separate tables.
        changed: The shipped recipes with these changes.

    Returns:
        The recipe, which `for_dataset` may replace.

    Raises:
        RecipeError: If a change does not fit.
    """
    is_asked_for = any(_table_of(key) == "model" for key in changes)
    of_steps = [key for key, value in changes.items() if _is_of_steps(key, value)]
    if _text(changes.get("schedule.max_steps")) == "0":
        is_asked_for = True
        of_steps = [key for key in of_steps if _table_of(key) != "schedule"]
    accurate = DefaultRecipe(ACCURATE, changed, is_asked_for=is_asked_for)
    if not of_steps:
        model = accurate.recipe.model
        if isinstance(model, GridSplitConfig):
            return accurate
        of_steps = [f"model {model.name}"]
    because = (
        f"as {of_steps[0]} needs steps, and {ACCURATE}, the most accurate, makes none; --recipe "
        "NAME takes another."
    )
    return DefaultRecipe(LEARNED, changed, because)


def _has_maps(dataset: Dataset) -> bool:
    """Whether inputs and targets are maps, on as many points along each axis."""
    if not {"inputs", "targets"} <= {*dataset.arrays} or "jacobian" in dataset.arrays:
        return False
    layout = next(iter(dataset.manifest.splits.values())).layout
    first, second = (layout.array(name).shape[1:] for name in ("inputs", "targets"))
    return is_map(first) and is_map(second) and first[1:] == second[1:]


def _is_of_steps(key: str, value: object) -> bool:
    if key == "model.name":
        return _text(value) != ACCURATE
    if _table_of(key) == "model":
        return key.partition(".")[2] in _OF_LEARNED
    return key not in _WITHOUT_STEPS


def _table_of(key: str) -> str:
    return key.partition(".")[0]


def _text(value: object) -> str:
    """A value as a recipe has it, without the quotation marks of a text."""
    return str(value).strip().strip("\"'")


def _most_accurate_for(columns: SourceColumns) -> str:
    bodies = [f"{body}s" for body in columns.bodies]
    named = " and ".join(filter(None, (", ".join(bodies[:-1]), bodies[-1])))
    return (
        f"the most accurate for {named} in {columns.dim}D (docs/results.md); --recipe {LEARNED} "
        "learns from the labels alone."
    )

"""A run without a dataset: a model that is fitted to a domain alone."""

from typing import Literal, NamedTuple

from hypermagnetics.config import load_recipe, with_values
from hypermagnetics.files import write_text_atomically
from hypermagnetics.models import GridSplit, GridSplitConfig, save_model
from hypermagnetics.models.split.grid_settings import inputs_of_domain
from hypermagnetics.run_files import RunFiles
from hypermagnetics.table import SourceColumns
from hypermagnetics.train.card import domain_card
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.directory import check_run, open_run


class Wanted(NamedTuple):
    """A model to be made without a dataset."""

    columns: SourceColumns
    """Columns of its source tables."""
    domain: float
    """Half the side of a box around the origin [m]."""
    accuracy: float | None
    """Accuracy of its smooth part; None for the default of its dimension."""

    @property
    def recipe(self) -> TrainingRecipe:
        """The recipe by which a training makes it, whatever its dataset.

        Raises:
            RecipeError: If a value is out of its bounds.
        """
        values = {"model.domain": self.domain, "model.accuracy": self.accuracy}
        shipped = load_recipe(TrainingRecipe, "training", "split")
        return with_values(shipped, values, "--domain, --accuracy")


def make_domain_run(
    wanted: Wanted, files: RunFiles, if_exists: Literal["refuse", "overwrite"]
) -> GridSplit:
    """Fit a model to its domain, and keep it in a directory.

    Args:
        wanted: The model.
        files: Files of the run; the model is the last of them.
        if_exists: Treatment of an existing run.

    Returns:
        The model.

    Raises:
        RecipeError: If a value is out of its bounds, or the accuracy cannot be reached.
        RunError: If something is there that must not be.
    """
    recipe = wanted.recipe.for_bodies(wanted.columns)
    config = recipe.model
    assert isinstance(config, GridSplitConfig), "the recipe is of that model"
    check_run(files, recipe, None, if_exists)
    model = GridSplit(config, inputs_of_domain(wanted.columns, config)).fitted_to_domain()
    with open_run(files, recipe, None, if_exists) as provenance:
        write_text_atomically(files.card, domain_card(model, provenance))
        # Last, as it says that the run is finished.
        save_model(files.model, model, provenance.for_model_file() | {"fit_error": model.fit_error})
    return model

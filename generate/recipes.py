"""The kinds of recipes of datasets: of sources, and of states."""

from collections.abc import Mapping
from typing import assert_never

from pydantic import JsonValue

from hypermagnetics.config import SchemaChoice
from hypermagnetics.data import Compression, StorageFormat
from hypermagnetics.errors import RecipeError
from hypermagnetics.generate.any_plan import Plan
from hypermagnetics.generate.config import DatasetRecipe
from hypermagnetics.generate.plan import make_plan
from hypermagnetics.generate.states import StatesRecipe, plan_of_states

AnyDatasetRecipe = DatasetRecipe | StatesRecipe
"""The recipes of datasets that there are."""


def schema_of(table: Mapping[str, JsonValue], where: str) -> type[AnyDatasetRecipe]:
    """Choose the schema of a recipe: that of states if it has a table of them.

    Args:
        table: The recipe, not yet checked.
        where: Source of the recipe, for messages.

    Returns:
        The schema.

    Raises:
        RecipeError: If it is of states and of sources.
    """
    if "states" not in table:
        return DatasetRecipe
    if "sources" in table:
        raise RecipeError(
            "A recipe of a dataset must have a table of sources or of states; got both, 'sources' "
            f"and 'states' ({where}). Leave one out."
        )
    return StatesRecipe


DATASET_SCHEMA = SchemaChoice(schema_of)
"""Schema of a recipe of a dataset, for the functions that read recipes."""


def plan_of(
    recipe: AnyDatasetRecipe, storage_format: StorageFormat, compression: Compression = "none"
) -> Plan:
    """Compute every size of a dataset of any kind.

    Args:
        recipe: Recipe of the dataset.
        storage_format: In which format.
        compression: And how its bytes are packed.

    Returns:
        The plan.

    Raises:
        RecipeError: If the parts of the recipe contradict each other, or a block would not fit in
            memory; see `make_plan` and `plan_of_states`.
    """
    match recipe:
        case DatasetRecipe():
            return make_plan(recipe, storage_format, compression)
        case StatesRecipe():
            return plan_of_states(recipe, storage_format, compression)
        case _:
            assert_never(recipe)

"""Shipped dataset recipes by the kind of their points."""

from hypermagnetics.config import load_recipe
from hypermagnetics.generate.config import DatasetRecipe
from hypermagnetics.generate.recipes import DATASET_SCHEMA
from hypermagnetics.recipes import shipped_recipes


def random_recipes() -> list[str]:
    """Names of those of hard magnets with points drawn at random, of any number."""
    each = {
        name: load_recipe(DATASET_SCHEMA, "dataset", name) for name in shipped_recipes("dataset")
    }
    return [
        name
        for name, recipe in each.items()
        if isinstance(recipe, DatasetRecipe)
        and recipe.grid.kind == "random"
        and recipe.soft is None
    ]

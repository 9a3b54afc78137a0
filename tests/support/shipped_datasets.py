"""Shipped dataset recipes by the kind of their points."""

from hypermagnetics.config import load_recipe
from hypermagnetics.generate.config import DatasetRecipe
from hypermagnetics.recipes import shipped_recipes


def random_recipes() -> list[str]:
    """Names of those with points drawn at random, of any number."""
    return [
        name
        for name in shipped_recipes("dataset")
        if load_recipe(DatasetRecipe, "dataset", name).grid.kind == "random"
    ]

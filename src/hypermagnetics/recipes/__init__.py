"""The recipes that come with the package, found by name.

A file `NAME.dataset.toml` says what hm-generate makes, `NAME.training.toml` how hm-train trains.
The first comment line of each is its description.
"""

from importlib.resources import files
from typing import Literal

RecipeKind = Literal["dataset", "training"]


def shipped_recipes(kind: RecipeKind) -> tuple[str, ...]:
    """Names of the shipped recipes of one kind, sorted."""
    suffix = f".{kind}.toml"
    return tuple(
        sorted(
            entry.name.removesuffix(suffix)
            for entry in files(__name__).iterdir()
            if entry.name.endswith(suffix)
        )
    )


def shipped_recipe_text(name: str, kind: RecipeKind) -> str:
    """The TOML text of a shipped recipe.

    Args:
        name: One of `shipped_recipes(kind)`.
        kind: Kind of the recipe.

    Returns:
        The file's text.

    Raises:
        FileNotFoundError: If there is no such recipe.
    """
    return (files(__name__) / f"{name}.{kind}.toml").read_text(encoding="utf-8")


def describe_recipe(name: str, kind: RecipeKind) -> str:
    """The first line of a shipped recipe, without the comment mark."""
    return shipped_recipe_text(name, kind).splitlines()[0].lstrip("# ")

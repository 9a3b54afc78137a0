"""Reference physics of states by name."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from hypermagnetics.config import Config, checked
from hypermagnetics.dynamics.advection_1d import Advection1D
from hypermagnetics.dynamics.lorenz import Lorenz

AnyStatePhysics = Advection1D | Lorenz
"""The reference physics of states that there are."""

StatePhysicsConfig = Annotated[AnyStatePhysics, Field(discriminator="kind")]
"""That of a recipe, by its `kind`."""


class _OfRecipe(Config):
    """The part of a recipe that has the physics."""

    states: StatePhysicsConfig


def physics_of(recipe: Mapping[str, Any]) -> AnyStatePhysics | None:
    """The reference physics of a dataset of states.

    Args:
        recipe: The recipe in the manifest of the dataset.

    Returns:
        The physics; None of a dataset that has none, such as one of sources or an imported one.

    Raises:
        RecipeError: If this release does not know it.
    """
    if "states" not in recipe:
        return None
    return checked(_OfRecipe, {"states": recipe["states"]}, "recipe of the dataset").states

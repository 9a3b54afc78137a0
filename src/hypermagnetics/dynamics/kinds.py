"""Dynamics of moments by name."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from hypermagnetics.config import Config, checked
from hypermagnetics.dynamics.damping import Damping
from hypermagnetics.dynamics.llg import LLG
from hypermagnetics.dynamics.soft import Soft

AnyDynamics = LLG | Damping | Soft
"""The dynamics of moments that there are."""

DynamicsConfig = Annotated[AnyDynamics, Field(discriminator="kind")]
"""Those of a recipe, by their `kind`."""


class _OfRecipe(Config):
    """The part of a recipe that has the dynamics."""

    dynamics: DynamicsConfig


def dynamics_of(recipe: Mapping[str, Any]) -> AnyDynamics | None:
    """Dynamics of the moments of a dataset.

    Args:
        recipe: The recipe in the manifest of the dataset.

    Returns:
        The dynamics; None of a dataset without any.

    Raises:
        RecipeError: If this release does not know them.
    """
    if recipe.get("dynamics") is None:
        return None
    return checked(_OfRecipe, {"dynamics": recipe["dynamics"]}, "recipe of the dataset").dynamics

"""Dynamics of moments by name."""

import json
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, JsonValue, TypeAdapter

from hypermagnetics.dynamics.damping import Damping
from hypermagnetics.dynamics.llg import LLG
from hypermagnetics.dynamics.soft import Soft

AnyDynamics = LLG | Damping | Soft
"""The dynamics of moments that there are."""

DynamicsConfig = Annotated[AnyDynamics, Field(discriminator="kind")]
"""Those of a recipe, by their `kind`."""


def dynamics_of(recipe: Mapping[str, JsonValue]) -> AnyDynamics | None:
    """Dynamics of the moments of a dataset, from the recipe in its manifest; None without any."""
    found = recipe.get("dynamics")
    if found is None:
        return None
    made: AnyDynamics = TypeAdapter(DynamicsConfig).validate_json(json.dumps(found))
    return made

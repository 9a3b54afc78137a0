"""Reference physics of states by name."""

import json
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, JsonValue, TypeAdapter

from hypermagnetics.dynamics.advection_1d import Advection1D
from hypermagnetics.dynamics.lorenz import Lorenz

AnyStatePhysics = Advection1D | Lorenz
"""The reference physics of states that there are."""

StatePhysicsConfig = Annotated[AnyStatePhysics, Field(discriminator="kind")]
"""That of a recipe, by its `kind`."""


def physics_of(recipe: Mapping[str, JsonValue]) -> AnyStatePhysics | None:
    """Physics of the states of a dataset, from the recipe in its manifest; None without any."""
    found = recipe.get("states")
    if found is None:
        return None
    made: AnyStatePhysics = TypeAdapter(StatePhysicsConfig).validate_json(json.dumps(found))
    return made

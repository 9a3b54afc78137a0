"""Reference physics of states by name."""

from typing import Annotated

from pydantic import Field

from hypermagnetics.dynamics.advection_1d import Advection1D
from hypermagnetics.dynamics.lorenz import Lorenz

AnyStatePhysics = Advection1D | Lorenz
"""The reference physics of states that there are."""

StatePhysicsConfig = Annotated[AnyStatePhysics, Field(discriminator="kind")]
"""That of a recipe, by its `kind`."""

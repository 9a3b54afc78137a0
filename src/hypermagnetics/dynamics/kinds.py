"""Dynamics of moments by name."""

from typing import Annotated

from pydantic import Field

from hypermagnetics.dynamics.damping import Damping
from hypermagnetics.dynamics.llg import LLG
from hypermagnetics.dynamics.soft import Soft

AnyDynamics = LLG | Damping | Soft
"""The dynamics of moments that there are."""

DynamicsConfig = Annotated[AnyDynamics, Field(discriminator="kind")]
"""Those of a recipe, by their `kind`."""

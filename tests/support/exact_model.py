"""A model that makes no error, to see what is made of a model's values."""

from typing import Literal

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from hypermagnetics.config import Config
from hypermagnetics.models import Model, ModelInputs
from hypermagnetics.models.near_part import NearPart
from hypermagnetics.shapes import (
    BlockField,
    BlockPotential,
    Field,
    Points,
    Potential,
    SourceTable,
    SourceTables,
)
from hypermagnetics.sources import SourceColumns, superposition


class ExactConfig(Config):
    """No settings."""

    name: Literal["exact"] = "exact"


class ExactEverywhere(NearPart):
    """The exact superposition."""

    columns: SourceColumns = eqx.field(static=True)

    def values(
        self, sources: SourceTable, points: Points, capacity: int | None
    ) -> tuple[Potential, Field]:
        """Each source against each point."""
        return superposition(self.columns, sources, points)

    def count(self, sources: SourceTable, points: Points) -> int | None:
        """None: nothing is looked up."""
        return None

    def targets(
        self,
        sources: SourceTables,
        points: Points,
        potential: BlockPotential,
        field: BlockField,
    ) -> tuple[BlockPotential, BlockField]:
        """Nothing is left to learn."""
        return jnp.zeros_like(potential), jnp.zeros_like(field)


class Exact(Model):
    """The exact superposition, as the part of a model that no weights make."""

    config: ExactConfig = eqx.field(static=True)
    inputs: ModelInputs = eqx.field(static=True)

    def __init__(self, columns: SourceColumns, **changes: object) -> None:
        """A model of the bodies that `columns` names, with some of its inputs changed."""
        self.config = ExactConfig()
        self.inputs = inputs_of(columns).model_copy(update=changes)

    def weights(self, sources: SourceTable) -> Float[Array, ""]:
        """None that count."""
        return jnp.zeros((), sources.dtype)

    def evaluate(self, weights: Float[Array, ""], points: Points) -> tuple[Potential, Field]:
        """Zero."""
        return jnp.zeros_like(points[:, 0]), jnp.zeros_like(points)

    @property
    def near(self) -> "ExactEverywhere":
        """All there is."""
        return ExactEverywhere(self.inputs.columns)

    @property
    def rank(self) -> int | None:
        """Not bounded."""
        return None


def inputs_of(columns: SourceColumns) -> ModelInputs:
    """What a model of these bodies reads."""
    return ModelInputs(columns=columns)

"""Stepper: the next state of moments that move, by physics in a learned field or by a network."""

from typing import Annotated, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from pydantic import Field, model_validator

from hypermagnetics.config import Config, refusal
from hypermagnetics.errors import RecipeError
from hypermagnetics.models.array_inputs import ArrayInputs
from hypermagnetics.models.array_mlp import MLP, MLPConfig
from hypermagnetics.models.array_model import ArrayModel
from hypermagnetics.models.model import Model
from hypermagnetics.models.source_models import SourceModelConfig
from hypermagnetics.models.step_frame import MomentFrame
from hypermagnetics.shapes import AnyKey, Points, SourceTable

_Table = Float[Array, "sources columns"]
_Moments = Float[Array, "sources dim"]


class StepperConfig(Config):
    """Settings of a stepper."""

    name: Literal["stepper"] = "stepper"
    """Model: the next state of moments that move, by physics in a learned field, or by a network
    that gives it directly."""
    field: SourceModelConfig | None = None
    """Model of sources whose field of the other bodies the moments answer to, by its `name`; null
    for none. Either this or `network`."""
    network: MLPConfig | None = None
    """Network, "mlp", that reads the source table and gives the next moments; null for none. It
    knows the sources by their place in the table."""
    substeps: Annotated[int, Field(ge=1, le=1024)] = 4
    """Steps of the method in a step, with a field."""
    method: Literal["heun", "rk4"] = "rk4"
    """Method of these steps: "heun" of order 2, or "rk4" of order 4, by Runge and Kutta."""

    @model_validator(mode="after")
    def _one_of_both(self) -> "StepperConfig":
        if (self.field is None) == (self.network is None):
            got = "none" if self.field is None else "both"
            raise refusal("field", "be given, or network, one of them", got, "Give one of the two.")
        if self.network is not None and {"substeps", "method"} & self.model_fields_set:
            key = next(k for k in ("substeps", "method") if k in self.model_fields_set)
            rule = "be left out with a network, which makes a whole step"
            raise refusal(key, rule, getattr(self, key), "Remove it.")
        return self


class Stepper(ArrayModel):
    """m(t + dt) from the source table with the moments m(t).

    With a field it makes steps of the dynamics in H_i = H(all bodies) - H(body i alone), both of
    the model, at the centre of each body i: the own field is some ten times that of the others,
    and turns nothing. With a network it takes its output, at the magnitude that the moments keep.
    """

    part: Model | MLP
    config: StepperConfig = eqx.field(static=True)
    inputs: ArrayInputs = eqx.field(static=True)

    def __init__(self, config: StepperConfig, inputs: ArrayInputs, part: Model | MLP) -> None:
        """Store the parts.

        Args:
            config: The settings.
            inputs: Shapes and scales of source tables and moments, and the frame of the steps.
            part: The model of the field, or the network.

        Raises:
            RecipeError: If the inputs are of no moments that move.
        """
        moments_of(inputs)
        self.config, self.inputs, self.part = config, inputs, part

    def apply(self, values: Float[Array, "..."]) -> Float[Array, "..."]:
        """Map one sample, in numbers of order 1."""
        frame, target = moments_of(self.inputs), self.inputs.target
        table = self.inputs.input.physical(values)
        if isinstance(self.part, MLP):
            found = self._of_network(self.part, values, table)
        else:
            found = frame.dynamics.next_moments(
                table,
                frame.sources.columns,
                self.field_of_others,
                self.config.substeps,
                self.config.method,
            )
        return target.standard(found)

    def fitted(self, sources: SourceTable, points: Points, key: AnyKey) -> "Stepper":
        """The stepper before the first step, its field fitted; see `Model.fitted`."""
        if isinstance(self.part, MLP):
            return self
        return Stepper(self.config, self.inputs, self.part.fitted(sources, points, key))

    def field_of_others(self, table: _Table) -> _Moments:
        """Field at the centre of each body of all others, by the model [A/m].

        Raises:
            RecipeError: If the stepper has a network in place of a field.
        """
        if isinstance(self.part, MLP):
            raise RecipeError(
                "A stepper must have a model of the field to know it; got a network "
                "(model.network). Take model.field."
            )
        model, frame = self.part, moments_of(self.inputs)
        dim, size = frame.dim, frame.sources.columns.size
        sources, centres = table[:, :size], table[:, dim : 2 * dim]

        def alone(row: Float[Array, " columns"], centre: Float[Array, " dim"]) -> Array:
            return model.field(row[None], centre[None])[0]

        return model.field(sources, centres) - jax.vmap(alone)(sources, centres)

    def _of_network(self, network: MLP, values: _Table, table: _Table) -> _Moments:
        frame = moments_of(self.inputs)
        found = self.inputs.target.physical(network.apply(values))
        before = table[:, : frame.dim]
        if not frame.dynamics.keeps_magnitude:
            # A row of zeros is padding.
            return jnp.where(jnp.any(table != 0, axis=-1, keepdims=True), found, 0)
        size, wanted = (
            jnp.sqrt(jnp.sum(vectors**2, axis=-1, keepdims=True) + tiny)
            for vectors, tiny in ((found, jnp.finfo(found.dtype).tiny), (before, 0))
        )
        return found * (wanted / size)


def moments_of(inputs: ArrayInputs) -> MomentFrame:
    """The moments that a stepper moves.

    Raises:
        RecipeError: If there are none.
    """
    if inputs.steps is None or inputs.steps.moments is None:
        raise RecipeError(
            "Model 'stepper' must have moments that move; got other arrays (model.name). Take a "
            "dataset with [dynamics], or model 'mlp' or 'conv' for states."
        )
    return inputs.steps.moments

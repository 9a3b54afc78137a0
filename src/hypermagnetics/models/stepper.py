"""Stepper: the next state of moments that move, by physics in a learned field or by a network."""

from typing import Annotated, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from pydantic import Field, model_validator

from hypermagnetics.config import Config, refusal
from hypermagnetics.dynamics import FieldOfOthers, magnitudes
from hypermagnetics.errors import RecipeError
from hypermagnetics.models.array_inputs import ArrayInputs
from hypermagnetics.models.array_mlp import MLP, MLPConfig
from hypermagnetics.models.array_model import ArrayModel
from hypermagnetics.models.model import Model
from hypermagnetics.models.source_models import SourceModelConfig
from hypermagnetics.models.step_frame import MomentFrame
from hypermagnetics.shapes import AnyKey, Points, SourceTable
from hypermagnetics.sources.kinds import KINDS

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
        for key in ("substeps", "method") if self.network is not None else ():
            if (found := getattr(self, key)) != type(self).model_fields[key].default:
                rule = "be left out with a network, which makes a whole step"
                raise refusal(key, rule, found, "Remove it.")
        return self


class Stepper(ArrayModel):
    """m(t + dt) from the source table with the moments m(t).

    With a field it makes steps of the dynamics in H_i = H(all bodies) - H(body i alone), both of
    the model, at the centre of each body i: the own field is some ten times that of the others,
    and turns nothing. Of a model that is linear in the moments it adds up the others alone. With a
    network it takes its output, at the magnitude that the moments keep.
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
            RecipeError: If the inputs are of no moments that move, or the field of dipoles is of a
                model from which their own cannot be left out.
        """
        frame = moments_of(inputs)
        if isinstance(part, Model) and _has_points(frame) and not _is_linear(part, frame):
            raise RecipeError(
                "The field of a stepper on dipoles must be of a model that is linear in the "
                "moments, as the own field of a dipole is infinite and cannot be taken away; got "
                f"{type(part).__name__} (model.field). Take 'split' or 'hyper_layer', or spheres."
            )
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
                self._field_at(table),
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
        return self._field_at(table)(table)

    def _field_at(self, table: _Table) -> FieldOfOthers:
        """The field of others as a function of tables that differ from one in their moments."""
        if isinstance(self.part, MLP):
            raise RecipeError(
                "A stepper must have a model of the field to know it; got a network "
                "(model.network). Take model.field."
            )
        model, frame = self.part, moments_of(self.inputs)
        dim, size = frame.dim, frame.sources.columns.size
        centres = table[:, dim : 2 * dim]
        if _is_linear(model, frame):
            # Linear in the moments: the field of each body at each centre for unit moments serves
            # all stages of all substeps, and none of the own field has to be taken away.
            unit = frame.sources.scales.moment
            rows = jnp.broadcast_to(table[:, None, :size], (len(table), dim, size))
            rows = rows.at[..., :dim].set(unit * jnp.eye(dim, dtype=table.dtype))
            rows = jnp.where(frame.dynamics.used(table)[:, None], rows, 0)
            own = jnp.eye(len(table), dtype=bool)
            at, axis = centres, None
            if _has_points(frame):
                # The own field of a point is infinite where it is, its derivative too.
                away = centres + frame.sources.scales.length
                at, axis = jnp.where(own[..., None], away[:, None], centres), 0

            def of_row(row: Float[Array, " columns"], at: Points) -> Array:
                return model.field(row[None], at)

            of_body = jax.vmap(of_row, (0, None))
            strengths = jax.vmap(of_body, (0, axis))(rows, at) / unit
            strengths = jnp.where(own[:, None, :, None], 0, strengths)

            def of_moments(other: _Table) -> _Moments:
                precision = jax.lax.Precision.HIGHEST
                return jnp.einsum("jbia,jb->ia", strengths, other[:, :dim], precision=precision)

            return of_moments

        def difference(other: _Table) -> _Moments:
            sources = other[:, :size]

            def alone(row: Float[Array, " columns"], centre: Float[Array, " dim"]) -> Array:
                return model.field(row[None], centre[None])[0]

            return model.field(sources, centres) - jax.vmap(alone)(sources, centres)

        return difference

    def _of_network(self, network: MLP, values: _Table, table: _Table) -> _Moments:
        frame = moments_of(self.inputs)
        found = self.inputs.target.physical(network.apply(values))
        before = table[:, : frame.dim]
        if not frame.dynamics.keeps_magnitude:
            return jnp.where(frame.dynamics.used(table), found, 0)
        size = magnitudes(found)
        return found * (magnitudes(before) / jnp.where(size > 0, size, 1))


def _has_points(frame: MomentFrame) -> bool:
    return any(KINDS[body].is_point for body in frame.sources.columns.bodies)


def _is_linear(model: Model, frame: MomentFrame) -> bool:
    """Whether a field is a sum over sources, linear in their moments."""
    moments = frame.sources.columns.names[: frame.dim]
    return model.rank is not None and {*moments} <= {*model.settled_columns}


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

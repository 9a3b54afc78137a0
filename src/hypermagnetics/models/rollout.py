"""Rollouts: steps of a network, each from the state that the one before gave."""

import operator
from typing import SupportsIndex

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from hypermagnetics.arrays import Numbers, real_array
from hypermagnetics.errors import InputError
from hypermagnetics.few_sizes import placed
from hypermagnetics.models.array_model import ArrayModel
from hypermagnetics.models.step_frame import StepFrame


def frame_of_steps(model: ArrayModel) -> StepFrame:
    """The frame of a network that gives the next state.

    Raises:
        InputError: If it gives something else.
    """
    if model.inputs.steps is None:
        raise InputError(
            "A rollout must be that of a network which gives the next state of a trajectory; got "
            f"one from {model.inputs.input.name} to {model.inputs.target.name}. Take one that is "
            "trained on trajectories, see docs/dynamics.md."
        )
    return model.inputs.steps


def rollout(model: ArrayModel, start: Numbers, num_steps: SupportsIndex) -> Float[Array, "..."]:
    """States of trajectories, step by step, the one at the start first.

    Args:
        model: A network that gives the next state.
        start: States of the shape of `model.inputs.target`, or of moments source tables; axes of
            samples may come before.
        num_steps: Number of steps, at least 0.

    Returns:
        The states, with an axis of num_steps + 1 behind those of the samples; of moments (...,
        states, sources, dim).

    Raises:
        InputError: If the network gives something else, or the shape does not fit.
    """
    frame = frame_of_steps(model)
    count = operator.index(num_steps)
    if count < 0:
        raise InputError(
            f"A rollout must have at least 0 steps; got {count} (num_steps). Give a number."
        )
    values = start
    if not (isinstance(start, jax.Array) and jnp.issubdtype(start.dtype, jnp.floating)):
        given = real_array(start, "The start", InputError)
        values = placed(
            given.astype(jax.dtypes.canonicalize_dtype(np.result_type(given, np.float32)))
        )
    wanted = model.inputs.target.shape
    if frame.moments is not None:
        wanted = (model.inputs.input.shape[0], frame.moments.sources.columns.size)
    if values.shape[max(values.ndim - len(wanted), 0) :] != wanted:
        raise InputError(
            f"The start of a rollout must have shape {list(wanted)}, or further axes before it; "
            f"got {list(values.shape)}. Give "
            f"{'source tables' if frame.moments else 'states'} as in the dataset of the training."
        )
    found: Array = _rolled_out(model, values, count)
    return found


def states_behind(
    model: ArrayModel, inputs: Float[Array, "..."], num_steps: int
) -> Float[Array, "steps ..."]:
    """States behind each of some steps, for a program of one's own; see `rollout`.

    Args:
        model: A network that gives the next state.
        inputs: Inputs of the first step, with axes of samples before their shape.
        num_steps: Number of steps.

    Returns:
        The states, with the axis of the steps first.
    """
    frame = frame_of_steps(model)

    def advance(inputs: Array, _: None) -> tuple[Array, Array]:
        after = frame.masked(inputs, model(inputs))
        return frame.following(inputs, after), after

    found: Array = jax.lax.scan(advance, inputs, length=num_steps)[1]
    return found


@eqx.filter_jit
def _rolled_out(model: ArrayModel, start: Float[Array, "..."], num_steps: int) -> Array:
    frame = frame_of_steps(model)
    inputs = frame.begun(start)
    first = frame.state(inputs)
    whole = jnp.concatenate([first[None], states_behind(model, inputs, num_steps)])
    return jnp.moveaxis(whole, 0, first.ndim - len(model.inputs.target.shape))

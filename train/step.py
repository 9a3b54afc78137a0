"""One step of the optimiser, compiled."""

from collections.abc import Callable

import equinox as eqx
import jax
import optax

from hypermagnetics.models import Model
from hypermagnetics.train.objective import DeviceBatch, Losses, Objective


class State(eqx.Module):
    """All that a step changes."""

    model: Model
    optimiser: optax.OptState


Step = Callable[[State, DeviceBatch], tuple[State, Losses]]


def initial_state(model: Model, optimiser: optax.GradientTransformation) -> State:
    """The state before the first step."""
    return State(model, optimiser.init(eqx.filter(model, eqx.is_inexact_array)))


def make_step(objective: Objective, optimiser: optax.GradientTransformation) -> Step:
    """Compile the step.

    Args:
        objective: What is minimised.
        optimiser: How.

    Returns:
        A function from state and batch to the next state and the losses before the step. The
        state that goes in is given up: its memory serves the one that comes out.
    """

    @eqx.filter_jit(donate="all-except-first")
    def step(batch: DeviceBatch, state: State) -> tuple[State, Losses]:
        def loss(model: Model) -> tuple[jax.Array, Losses]:
            losses = objective(model, batch)
            return losses.total, losses

        gradient, losses = eqx.filter_grad(loss, has_aux=True)(state.model)
        updates, optimiser_state = optimiser.update(gradient, state.optimiser)
        return State(eqx.apply_updates(state.model, updates), optimiser_state), losses

    return lambda state, batch: step(batch, state)

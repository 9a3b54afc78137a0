"""Steps of the optimiser, compiled."""

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PyTree

from hypermagnetics.jax_setup import own_program
from hypermagnetics.models import AnyModel
from hypermagnetics.models.parts import parts_of
from hypermagnetics.precision import MatmulPrecision, matmul_precision
from hypermagnetics.train.aggregation import loss_and_gradient
from hypermagnetics.train.config.run import SumOrder
from hypermagnetics.train.devices import AnyDeviceBatch, Augmentation, Devices, unchanged
from hypermagnetics.train.dispatch import Batches, Dispatch
from hypermagnetics.train.objective import Losses, Objective


class State(eqx.Module):
    """State changed by a step."""

    model: AnyModel
    optimiser: optax.OptState
    average: AnyModel | None
    """Exponential moving average of the parameters, if the recipe has one."""

    @property
    def result(self) -> AnyModel:
        """The validated and kept model: the average if there is one."""
        return self.model if self.average is None else self.average


@dataclass(frozen=True)
class Method:
    """Update of a state by the steps of one phase."""

    objective: Objective
    optimiser: optax.GradientTransformation
    trained: PyTree[bool]
    """Mask of the trained leaves of the model."""
    ema_decay: float | None = None
    chunks: int = 1
    """Parts in which the samples of a batch go through the model."""
    sums: SumOrder = "at-once"
    """Order of the sums of losses and gradients over the samples of a batch."""
    augment: Augmentation = unchanged
    """Augmentation of a batch before the model."""
    matmul: MatmulPrecision = "float32"
    """Precision of the factors of all matrix products of a step."""
    norms: bool = False
    """Whether the losses of a step hold norms of gradient and parameters."""
    devices: Devices | None = None
    """Devices that share a batch; None for one alone."""

    def begin(self, model: AnyModel, average: AnyModel | None = None) -> State:
        """The state before the first step of the phase, in memory of its own.

        A step gives up the memory of all that goes in, each array once; the states of some
        optimisers begin as the parameters themselves, and a model may hold arrays of others.

        Args:
            model: The model so far.
            average: Its average so far; the model itself if None.
        """
        optimiser = self.optimiser.init(eqx.filter(model, self.trained))
        if self.ema_decay is None:
            return _copied(State(model, optimiser, None))
        return _copied(State(model, optimiser, model if average is None else average))

    def step(
        self, state: State, batch: AnyDeviceBatch, number: Int[Array, ""]
    ) -> tuple[State, Losses]:
        """One step.

        Args:
            state: Before it.
            batch: Batch of the step.
            number: Steps of the whole training before it.

        Returns:
            The state after it, and the losses before it.
        """
        with matmul_precision(self.matmul):
            return self._step(state, batch, number)

    def _step(
        self, state: State, batch: AnyDeviceBatch, number: Int[Array, ""]
    ) -> tuple[State, Losses]:
        losses, gradient = loss_and_gradient(
            self.objective,
            state.model,
            self.augment(batch, number),
            self.trained,
            self.chunks,
            self.devices,
            self.sums,
        )
        parameters = eqx.filter(state.model, self.trained)
        if self.norms:
            both = {"gradient": gradient, "parameters": parameters}
            found = {name: _norm(tree) for name, tree in both.items()}
            losses = replace(losses, norms=found)
        updates, optimiser = self.optimiser.update(gradient, state.optimiser, parameters)
        model = eqx.apply_updates(state.model, _without_kept(state.model, updates))
        average = state.average
        if average is not None and self.ema_decay is not None:
            average = _averaged(average, model, self.ema_decay, number)
        return State(model, optimiser, average), losses


def _norm(tree: PyTree) -> Float[Array, ""]:
    """Root of the sum of the squares of all entries."""
    squares = (jnp.sum(jnp.abs(leaf) ** 2) for leaf in jax.tree.leaves(tree))
    return jnp.sqrt(sum(squares, jnp.zeros(())))


def _without_kept(model: AnyModel, updates: PyTree) -> PyTree:
    """The updates but of arrays that the model keeps, which have no gradient but may decay.

    They are in the state of the optimiser, as they have always been in that of earlier runs.
    """
    parts, structure = parts_of(model)
    trained = jax.tree_util.tree_unflatten(structure, [part.is_trained for part in parts])
    return eqx.filter(updates, trained)


@runtime_checkable
class Steps(Protocol):
    """Some steps of one phase at once."""

    def __call__(self, state: State, dispatch: Dispatch, first: int) -> tuple[State, Losses]:
        """Make the steps of a dispatch.

        Args:
            state: Before the first. It is given up: its memory serves the one that comes out.
            dispatch: Number of the steps, and their batches.
            first: Steps of the whole training before the first.

        Returns:
            The state after the last, and the losses before each, along a first axis.
        """


def compiled_steps(method: Method, most: int) -> Steps:
    """Compile the steps of a phase.

    Args:
        method: Method of a step.
        most: The most steps at once. Fewer are made by the same compiled loop, so that the same
            bits come out however the steps of a run fall into groups.

    Returns:
        A function that makes one to `most` steps.
    """

    def one(inputs: tuple[Batches, jax.Array], state: State) -> tuple[State, Losses]:
        batches, number = inputs
        state, losses = method.step(state, _whole(batches.at(0)), number)
        return state, jax.tree.map(lambda value: value[None], losses)

    def some(inputs: tuple[Batches, jax.Array, jax.Array], state: State) -> tuple[State, Losses]:
        batches, number, count = inputs
        shapes = eqx.filter_eval_shape(method.step, state, batches.at(0), number)[1]
        losses = jax.tree.map(lambda leaf: jnp.zeros((most, *leaf.shape), leaf.dtype), shapes)
        arrays, rest = eqx.partition(state, eqx.is_array)

        def body(i: jax.Array, carry: tuple[PyTree, Losses]) -> tuple[PyTree, Losses]:
            arrays, losses = carry
            after, found = method.step(eqx.combine(arrays, rest), _whole(batches.at(i)), number + i)
            losses = jax.tree.map(lambda all_, value: all_.at[i].set(value), losses, found)
            return eqx.filter(after, eqx.is_array), losses

        arrays, losses = jax.lax.fori_loop(0, count, body, (arrays, losses))
        return eqx.combine(arrays, rest), losses

    compiled_one = own_program(one, donate="all-except-first")
    compiled_some = own_program(some, donate="all-except-first")

    def make(state: State, dispatch: Dispatch, first: int) -> tuple[State, Losses]:
        # Not jnp.asarray, which would run a program of its own to convert a number of Python's.
        number, count = jax.device_put((np.int32(first), np.int32(dispatch.count)))
        if most == 1:
            return compiled_one((dispatch.batches, number), state)
        state, losses = compiled_some((dispatch.batches, number, count), state)
        if dispatch.count < most:
            losses = jax.tree.map(lambda values: values[: dispatch.count], losses)
        return state, losses

    return make


def _whole(batch: AnyDeviceBatch) -> AnyDeviceBatch:
    """The batch, computed before the step: else its place would change the bits of the step."""
    whole: AnyDeviceBatch = jax.lax.optimization_barrier(batch)
    return whole


def _averaged(average: AnyModel, model: AnyModel, decay: float, number: Int[Array, ""]) -> AnyModel:
    """The next average. Its decay rises with the steps, so that the first ones are forgotten."""
    begun: Float[Array, ""] = (1 + number) / (10 + number)
    keep = jnp.minimum(decay, begun.astype(jnp.float32))
    mixed: AnyModel = jax.tree.map(
        lambda old, new: (
            old + (1 - keep).astype(new.dtype) * (new - old) if eqx.is_inexact_array(new) else new
        ),
        average,
        model,
    )
    return mixed


def _copied(state: State) -> State:
    copied: State = jax.tree.map(lambda leaf: jnp.copy(leaf) if eqx.is_array(leaf) else leaf, state)
    return copied

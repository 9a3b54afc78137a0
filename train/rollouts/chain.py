"""Chains of steps, and the sums of losses over their levels.

The taxonomy is that of F. Koehler, S. Niedermayr, R. Westermann and N. Thuerey, APEBench (2024),
and of trainax 0.0.2.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from hypermagnetics.train.losses.loss import SampleLosses

_Batch = Float[Array, "blocks samples ..."]
Step = Callable[[_Batch], _Batch]
"""From the inputs of a step to the states behind it: a network, or a reference."""
Loss = Callable[[_Batch, _Batch | None], SampleLosses]
"""Loss of the states of each sample against true ones; of residuals, against none."""
Residual = Callable[[_Batch, _Batch], _Batch]
"""Violation of the law by states behind a step, and the inputs before it."""


@dataclass(frozen=True)
class Chain:
    """A chain of steps of a network.

    The gradient through a state is cut behind every `cut_every`-th step, or nowhere.
    """

    step: Step
    following: Callable[[_Batch, _Batch], _Batch]
    """Inputs of the next step, from those of this one and the states that it gave."""
    loss: Loss
    weights: tuple[float, ...]
    """Weight of each level."""
    cut_every: int | None = None
    """None for no cut."""
    remat: bool = False
    """Whether the states within a step are computed again for the gradient."""

    def made(self) -> Step:
        """The step, computed again for the gradient if it is to be."""
        # A network is a pytree, which the cache of the compiler cannot compare.
        return jax.checkpoint(lambda inputs: self.step(inputs)) if self.remat else self.step

    def again(self, reference: Step) -> Step:
        """A reference, computed again for the gradient if steps are."""
        return jax.checkpoint(lambda inputs: reference(inputs)) if self.remat else reference

    def passed(self, states: _Batch, level: Array) -> _Batch:
        """States as they are passed on behind a level, counted from 0."""
        if self.cut_every is None:
            return states
        return jnp.where((level + 1) % self.cut_every == 0, jax.lax.stop_gradient(states), states)


def supervised(chain: Chain, inputs: _Batch, truth: _Batch) -> SampleLosses:
    """Loss of a chain against a stored trajectory: sum over t of w_t l(s_t, truth_t).

    Args:
        chain: The chain.
        inputs: Inputs of its first step.
        truth: True states behind each step, (blocks, samples, steps, ...).

    Returns:
        The loss of each sample.
    """
    return _along(chain, inputs, truth)[0]


def mixed(chain: Chain, reference: Step, inputs: _Batch, truth: _Batch, steps: int) -> SampleLosses:
    """Loss of a chain of the network, and of the steps of a reference that go on from it.

    Args:
        chain: The chain, with weights of all levels.
        reference: The reference, whose steps are never cut.
        inputs: Inputs of the first step.
        truth: True states behind each step, (blocks, samples, steps, ...).
        steps: Steps of the network; those behind them are of the reference.

    Returns:
        The loss of each sample.
    """
    total, inputs = _along(chain, inputs, truth[:, :, :steps])
    physics = Chain(chain.again(reference), chain.following, chain.loss, chain.weights[steps:])
    return total + _along(physics, inputs, truth[:, :, steps:])[0]


def diverted(
    chain: Chain, reference: Step, inputs: _Batch, steps: int, branch: int, *, cut: bool
) -> SampleLosses:
    """Loss of branches of network and reference, that divert from each state of a chain.

    Sum over t up to steps - branch of w_t times the sum over the steps of a branch of l(s, truth):
    both begin at the state t of the chain. The steps of a branch count on for the cut of its
    gradient.

    Args:
        chain: The chain.
        reference: The reference.
        inputs: Inputs of the first step.
        steps: Steps from the start to the end of the last branch.
        branch: Steps of a branch.
        cut: Whether the gradient through the reference is cut.

    Returns:
        The loss of each sample.
    """
    step, following, again = chain.made(), chain.following, chain.again(reference)

    def level(inputs: _Batch, at: tuple[Array, Array]) -> tuple[_Batch, SampleLosses]:
        t, weight = at

        def along(both: tuple[_Batch, _Batch], b: Array) -> tuple[tuple[_Batch, _Batch], Array]:
            own, true = both
            states, truth = step(own), again(true)
            loss = chain.loss(states, truth)
            passed = chain.passed(states, t + b)
            return (following(own, passed), following(true, truth)), loss

        start = jax.lax.stop_gradient(inputs) if cut else inputs
        _, losses = jax.lax.scan(along, (inputs, start), jnp.arange(branch))
        after = following(inputs, chain.passed(step(inputs), t))
        return after, weight * jnp.sum(losses, axis=0)

    count = steps - branch + 1
    weights = jnp.asarray(chain.weights[:count], inputs.dtype)
    _, losses = jax.lax.scan(level, inputs, (jnp.arange(count), weights))
    return jnp.sum(losses, axis=0)


def residuals(
    chain: Chain, residual: Residual, inputs: _Batch, *, cut_previous: bool, cut_next: bool
) -> SampleLosses:
    """Loss of the violation of a law between neighbouring states of a chain.

    Args:
        chain: The chain.
        residual: The violation.
        inputs: Inputs of the first step.
        cut_previous: Whether the gradient through the state before a step is cut there.
        cut_next: Whether that through the state behind it is.

    Returns:
        The loss of each sample.
    """
    step, following = chain.made(), chain.following

    def level(inputs: _Batch, at: tuple[Array, Array]) -> tuple[_Batch, SampleLosses]:
        t, weight = at
        states = step(inputs)
        before = jax.lax.stop_gradient(inputs) if cut_previous else inputs
        after = jax.lax.stop_gradient(states) if cut_next else states
        loss = weight * chain.loss(residual(after, before), None)
        return following(inputs, chain.passed(states, t)), loss

    weights = jnp.asarray(chain.weights, inputs.dtype)
    _, losses = jax.lax.scan(level, inputs, (jnp.arange(len(weights)), weights))
    return jnp.sum(losses, axis=0)


def _along(chain: Chain, inputs: _Batch, truth: _Batch) -> tuple[SampleLosses, _Batch]:
    """Loss of as many steps as there are true states, and the inputs of the step behind them."""
    step, count = chain.made(), truth.shape[2]

    def level(inputs: _Batch, at: tuple[Array, Array, Array]) -> tuple[_Batch, SampleLosses]:
        t, weight, true = at
        states = step(inputs)
        loss = weight * chain.loss(states, true)
        return chain.following(inputs, chain.passed(states, t)), loss

    levels = jnp.arange(count), jnp.asarray(chain.weights[:count], inputs.dtype)
    after, losses = jax.lax.scan(level, inputs, (*levels, jnp.moveaxis(truth, 2, 0)))
    return jnp.sum(losses, axis=0), after

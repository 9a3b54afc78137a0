"""Explicit Runge-Kutta methods of fixed steps."""

from collections.abc import Callable
from typing import Literal, NamedTuple, assert_never

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64, Int

_State = Float[Array, "..."]
Rate = Callable[[_State], _State]
"""Rate of change of a state."""

MethodName = Literal["heun", "rk4", "dop853"]
"""Heun's method of order 2, the classical one of order 4, and that of Dormand and Prince of order
8."""


class Tableau(NamedTuple):
    """Coefficients of a method for equations that do not depend on time."""

    stages: Float64[np.ndarray, "stages stages"]
    """Of each stage the weights of the rates before it."""
    weights: Float64[np.ndarray, " stages"]


def tableau(method: MethodName) -> Tableau:
    """The coefficients of a method.

    Those of order 8 are scipy's, of Hairer, Norsett and Wanner, Solving Ordinary Differential
    Equations I, 2nd ed., section II.5.
    """
    match method:
        case "heun":
            return Tableau(np.array([[0, 0], [1, 0]], float), np.array([1, 1]) / 2)
        case "rk4":
            stages = [[0, 0, 0, 0], [1 / 2, 0, 0, 0], [0, 1 / 2, 0, 0], [0, 0, 1, 0]]
            return Tableau(np.array(stages, float), np.array([1, 2, 2, 1]) / 6)
        case "dop853":
            from scipy.integrate import DOP853  # with optimisation

            return Tableau(np.asarray(DOP853.A), np.asarray(DOP853.B))
        case _:
            assert_never(method)


def integrated(
    rate: Rate,
    state: _State,
    time_step: float,
    substeps: int | Int[Array, ""],
    method: MethodName,
    project: Callable[[_State], _State] = lambda state: state,
) -> _State:
    """The state after a time.

    Args:
        rate: Rate of change.
        state: The state before.
        time_step: The time.
        substeps: Number of equal steps. A number of Python has derivatives in reverse mode.
        method: Name of the method.
        project: Map back to where states must lie, after each step.

    Returns:
        The state, in the float type of `state`.
    """
    stages, weights = (part.astype(state.dtype) for part in tableau(method))
    step = time_step / substeps

    def combined(weights: Float[Array, " stages"], rates: Float[Array, "stages ..."]) -> _State:
        return state_like(jnp.tensordot(weights, rates, axes=1, precision="highest"))

    def state_like(values: _State) -> _State:
        return values.astype(state.dtype)

    def advance(_substep: Int[Array, ""] | int, state: _State) -> _State:
        # A loop, so that the rate is compiled once and not for each of up to twelve stages.
        def add(rates: Array, stage: tuple[Array, Array]) -> tuple[Array, None]:
            number, row = stage
            found = state_like(rate(state + state_like(step * combined(row, rates))))
            return rates.at[number].set(found), None

        none = jnp.zeros((len(weights), *state.shape), state.dtype)
        rates, _ = jax.lax.scan(add, none, (jnp.arange(len(weights)), jnp.asarray(stages)))
        return project(state + state_like(step * combined(jnp.asarray(weights), rates)))

    found: Array = jax.lax.fori_loop(0, substeps, advance, state)
    return found

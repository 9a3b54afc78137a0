"""Lorenz's three equations of convection, which are chaotic."""

from functools import partial
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64
from pydantic import Field
from scipy.special import ndtri

from hypermagnetics.config import Positive
from hypermagnetics.dynamics.runge_kutta import integrated
from hypermagnetics.dynamics.state_physics import State, StatePhysics


class Lorenz(StatePhysics):
    """x' = sigma (y - x), y' = x (rho - z) - y, z' = x y - beta z.

    A step is one of the classical method of Runge and Kutta, and is itself the law of the dataset.
    States begin as normal numbers, and the first `warmup_steps` are left out.

    References:
        E. N. Lorenz, J. Atmos. Sci. 20 (1963) 130.
    """

    of_the_start = ("warmup_steps", "start_std")
    kind: Literal["lorenz"]
    """Kind of physics: Lorenz's equations, by the classical method of Runge and Kutta."""
    sigma: float = 10.0
    """Prandtl's number."""
    rho: float = 28.0
    """Rayleigh's number over its critical value."""
    beta: float = 8 / 3
    """Shape of the cells."""
    time_step: Positive = 0.01
    """Time between two states, and of a step of the method."""
    warmup_steps: Annotated[int, Field(ge=0, le=100_000)] = 500
    """Steps before the first stored state."""
    start_std: Positive = 1.0
    """Standard deviation of each variable before these."""
    num_steps: Annotated[int, Field(ge=1, le=100_000)] = 200
    """Steps of a trajectory; the state before them is stored as well."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The three variables."""
        return (3,)

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Names of the axes of a state."""
        return ("component",)

    @property
    def seconds(self) -> float:
        """Time between two states."""
        return self.time_step

    @property
    def is_periodic(self) -> bool:
        """It has no sides."""
        return False

    @property
    def num_drawn(self) -> int:
        """One for each variable."""
        return 3

    def begun(
        self, uniform: Float64[np.ndarray, "samples numbers"]
    ) -> Float64[np.ndarray, "samples 3"]:
        """States behind the steps that are left out; see `StatePhysics`."""
        with jax.enable_x64(True):
            state = jnp.asarray(self.start_std * ndtri(uniform))
            return np.asarray(_warmed_up(self, state))

    def next_state(self, state: State) -> State:
        """The state one step later; see `StatePhysics`."""
        return integrated(self._rate, state, self.time_step, 1, "rk4")

    def residual(self, after: State, before: State) -> State:
        """The state minus that of a step of the method; see `StatePhysics`."""
        return after - self.next_state(before)

    def _rate(self, state: State) -> State:
        x, y, z = state[..., 0], state[..., 1], state[..., 2]
        rates = self.sigma * (y - x), x * (self.rho - z) - y, x * y - self.beta * z
        return jnp.stack(rates, axis=-1)


@partial(jax.jit, static_argnames="physics")
def _warmed_up(physics: Lorenz, state: State) -> State:
    found: State = jax.lax.fori_loop(
        0, physics.warmup_steps, lambda _, state: physics.next_state(state), state
    )
    return found

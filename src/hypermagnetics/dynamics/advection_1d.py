"""Advection in one periodic dimension, exact of states of few waves."""

from typing import Annotated, Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64
from pydantic import Field, model_validator

from hypermagnetics.config import refusal
from hypermagnetics.dynamics.state_physics import State, StatePhysics

_MOST_VALUES = 1 << 23
"""Values of the waves at the points, which are all in memory at the start of trajectories."""


class Advection1D(StatePhysics):
    """u(x, t + dt) = u(x - c dt, t): a step shifts each wave by the phase k c dt.

    A state has one channel of points a distance h apart, and begins as a random sum of the waves 1
    to `waves`, with amplitudes uniform between -1 and 1 and no mean. CFL is c dt / h.

    References:
        The documented proof of trainax 0.0.2, https://github.com/Ceyron/trainax.
    """

    of_the_start = ("waves",)
    kind: Literal["advection-1d"]
    """Kind of physics: one scalar that moves along a periodic line at one speed."""
    cfl: float = -0.75
    """Distance moved in a step [distances of neighbouring points]."""
    num_points: Annotated[int, Field(ge=3, le=2**16)] = 30
    """Number of points."""
    waves: Annotated[int, Field(ge=1, le=2**15)] = 5
    """Waves of the states, below half of the number of points."""
    num_steps: Annotated[int, Field(ge=1, le=100_000)] = 99
    """Steps of a trajectory; the state before them is stored as well."""

    @model_validator(mode="after")
    def _waves_fit(self) -> "Advection1D":
        if not 2 * self.waves < self.num_points:
            rule = f"be below half of num_points, {self.num_points}"
            raise refusal("waves", rule, self.waves, "Lower it.")
        if self.waves * self.num_points > _MOST_VALUES:
            rule = f"make at most {_MOST_VALUES} values of waves, waves times num_points"
            raise refusal("waves", rule, self.waves * self.num_points, "Lower it.")
        return self

    @property
    def shape(self) -> tuple[int, ...]:
        """One channel, and the points."""
        return 1, self.num_points

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Names of the axes of a state."""
        return "channel", "space_0"

    @property
    def seconds(self) -> None:
        """None: a step is a distance, cfl."""

    @property
    def is_periodic(self) -> bool:
        """It is."""
        return True

    @property
    def num_drawn(self) -> int:
        """Amplitudes of a sine and a cosine for each wave."""
        return 2 * self.waves

    def begun(
        self, uniform: Float64[np.ndarray, "samples numbers"]
    ) -> Float64[np.ndarray, "samples 1 points"]:
        """Random sums of waves; see `StatePhysics`."""
        place = 2 * np.pi * np.arange(self.num_points) / self.num_points
        phases = np.arange(1, self.waves + 1)[:, None] * place
        amplitudes = 2 * uniform - 1
        found: np.ndarray = amplitudes @ np.concatenate([np.sin(phases), np.cos(phases)])
        return found[:, None]

    def next_state(self, state: State) -> State:
        """The state one step later; see `StatePhysics`."""
        waves = np.arange(self.num_points // 2 + 1)
        shift = np.exp(-2j * np.pi * waves * self.cfl / self.num_points)
        spectrum = jnp.fft.rfft(state)
        factors = jnp.broadcast_to(shift.astype(spectrum.dtype), spectrum.shape)
        moved = jnp.fft.irfft(spectrum * factors, n=self.num_points)
        return moved.astype(state.dtype)

    def residual(self, after: State, before: State) -> State:
        """The state minus the exact one; see `StatePhysics`."""
        return after - self.next_state(before)

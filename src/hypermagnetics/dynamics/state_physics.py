"""Interface of reference physics of states without sources, documented proofs of rollouts."""

import abc
from typing import Annotated, ClassVar

import numpy as np
from jaxtyping import Array, Float, Float64
from pydantic import Field

from hypermagnetics.config import Config

State = Float[Array, "*shape"]
"""Values of a state; axes of samples may come before its own."""


class StatePhysics(Config, abc.ABC):
    """How states go on, and how they begin.

    A new kind is one file: a class that answers all of this, and its name in `AnyStatePhysics`.
    """

    of_the_start: ClassVar[tuple[str, ...]]
    """Names of the settings that decide how trajectories begin, and not how they go on."""
    kind: str
    num_steps: Annotated[int, Field(ge=1, le=100_000)] = 100
    """Steps of a trajectory; the state before them is stored as well."""

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of a state: (components,), or (channels, *sides)."""

    @property
    @abc.abstractmethod
    def dimensions(self) -> tuple[str, ...]:
        """Names of the axes of a state."""

    @property
    @abc.abstractmethod
    def seconds(self) -> float | None:
        """Time between two states, in the unit of the equations; None if they name none."""

    @property
    @abc.abstractmethod
    def is_periodic(self) -> bool:
        """Whether opposite sides of a state are neighbours."""

    @property
    @abc.abstractmethod
    def num_drawn(self) -> int:
        """Uniform numbers that draw the start of a trajectory."""

    @abc.abstractmethod
    def begun(
        self, uniform: Float64[np.ndarray, "samples numbers"]
    ) -> Float64[np.ndarray, " samples *state"]:
        """States at the start of trajectories.

        Args:
            uniform: Numbers between 0 and 1 for each sample, `num_drawn` of them.
        """

    @abc.abstractmethod
    def next_state(self, state: State) -> State:
        """The next state of a trajectory, in the float type of the state."""

    @abc.abstractmethod
    def residual(self, after: State, before: State) -> State:
        """Violation of the law between two states, in their unit; 0 of exact ones."""

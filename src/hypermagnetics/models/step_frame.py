"""Frame of steps: time step and dynamics of a network that gives the next state of a trajectory."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from hypermagnetics.config import Config, Positive
from hypermagnetics.dynamics import DynamicsConfig, with_moments
from hypermagnetics.models.inputs import ModelInputs


class MomentFrame(Config):
    """Moments that move: their dynamics, and the source table that they belong to."""

    dynamics: DynamicsConfig
    """How they go on."""
    sources: ModelInputs
    """Columns, ranges and scales of the source table."""

    @property
    def dim(self) -> int:
        """Space dimension."""
        return self.sources.dim

    @property
    def width(self) -> int:
        """Columns that a network reads: those of the source table, and vectors that are kept."""
        return self.sources.columns.size + self.dim * self.dynamics.num_kept

    @property
    def names(self) -> tuple[str, ...]:
        """Names of these columns."""
        names = self.sources.columns.names
        kept = names[: self.dim] * self.dynamics.num_kept
        return (*names, *(f"remanent_{name}" for name in kept))


class StepFrame(Config):
    """Steps of a network that gives the next state of a trajectory.

    It reads a state, or of moments the source table with those of the state, behind which are the
    vectors of each source that are kept.
    """

    time_step: Positive | None = None
    """Time between two states, of moments in [s]; null if it is not known, and
    of iterates."""
    moments: MomentFrame | None = None
    """Moments that move; null of other states."""

    @property
    def vector_size(self) -> int:
        """Components of the vectors of a state: those of a moment; 1 of others, values alone."""
        return 1 if self.moments is None else self.moments.dim

    def begun(self, states: Float[Array, "..."]) -> Float[Array, "..."]:
        """Inputs at the start of trajectories: of states, or of moments of source tables."""
        if self.moments is None:
            return states
        return self.moments.dynamics.begun(states, self.moments.dim)

    def masked(
        self, inputs: Float[Array, "..."], states: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        """States behind a step, with zeros in the rows of moments that are no bodies."""
        if self.moments is None:
            return states
        return jnp.where(self.moments.dynamics.used(inputs), states, 0)

    def following(
        self, inputs: Float[Array, "..."], states: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        """Inputs of the next step, from those of this one and the states that it gave."""
        return states if self.moments is None else with_moments(inputs, states)

    def state(self, inputs: Float[Array, "..."]) -> Float[Array, "..."]:
        """The states in inputs."""
        return inputs if self.moments is None else inputs[..., : self.moments.dim]

"""Terms about rollouts: their interface, their facts, and the settings that they share."""

import abc
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from pydantic import AfterValidator, Field, model_validator

from hypermagnetics.config import Config, NotNegative, refusal
from hypermagnetics.dynamics import StatePhysicsConfig
from hypermagnetics.errors import RecipeError
from hypermagnetics.models import StepFrame
from hypermagnetics.train.losses import LossConfig, SampleLoss, Spectral
from hypermagnetics.train.losses.loss import SampleLosses, Values
from hypermagnetics.train.rollouts.chain import Chain, Residual, Step
from hypermagnetics.train.terms.array_term import ArrayEvaluation, ArrayTerm
from hypermagnetics.train.terms.term import refuse_loose_numbers
from hypermagnetics.user_code import UserName, is_user_name

_EXPONENTIAL = re.compile(r"exponential:(\d*\.?\d+(?:[eE][-+]?\d+)?)")
_MOST = float(np.finfo(np.float32).max)
_Steps = Annotated[int, Field(ge=1, le=10_000)]


def _known_weights(name: str) -> str:
    if name != "equal" and not _EXPONENTIAL.fullmatch(name):
        raise ValueError('"equal", "exponential:0.9", or a list of weights')
    return name


_Weight = NotNegative
LevelWeights = (
    Annotated[str, AfterValidator(_known_weights)]
    | Annotated[tuple[_Weight, ...], Field(strict=False)]
)


class Cut(Config):
    """Cuts of the gradient of a rollout."""

    chain: bool = False
    """Whether the gradient from step to step is cut."""
    every: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Number of steps behind which it is, if it is."""

    @model_validator(mode="after")
    def _every_is_of_a_cut(self) -> "Cut":
        if self.every != 1 and not self.chain:
            raise refusal("every", "be left out unless chain is true", self.every, "Set chain.")
        return self

    @property
    def behind(self) -> int | None:
        """Number of steps behind which the gradient is cut; None for no cut."""
        return self.every if self.chain else None


@dataclass(frozen=True)
class Physics:
    """Reference physics that goes on from states of a network."""

    step: Step
    """States behind a step, from its inputs."""
    residual: Residual
    """Violation of the law between two states."""


@dataclass(frozen=True)
class RolloutFacts:
    """The facts of a training that terms about rollouts are made of."""

    frame: StepFrame
    rms: float
    """Root mean square of a value of the states over the training split; of moments, of their
    norms."""
    num_steps: int
    """Steps of a trajectory."""
    physics: Callable[[str], Physics | None]
    """Reference physics of a term, by its name; None if it has none."""


class RolloutTermConfig(Config, abc.ABC):
    """One term: a loss summed over the levels of a rollout."""

    of: str
    """Quantity of the term."""
    rollout_steps: _Steps = 1
    """Steps of the network in a row."""
    level_weights: LevelWeights = "equal"
    """Weights of the levels: "equal", 1 each; "exponential:0.9", powers of that number; or a list,
    one for each. The loss is their sum, not their mean, so it grows with the steps."""
    physics: StatePhysicsConfig | UserName | None = None
    """Reference physics: null for that of the dataset; a table with its `kind`, of states; or
    module:function of yours, from a state to the next one (see docs/dynamics.md)."""
    remat: bool = False
    """Whether the states within each step are computed again for the gradient, which takes less
    memory and more time."""
    weight: NotNegative = 1.0
    """Factor of the term in the sum."""
    loss: LossConfig | None = None
    """Loss of this term at each level; null for that of the objective. Each value is a point, or
    each moment a vector, in units of the root mean square over the training split."""

    @model_validator(mode="before")
    @classmethod
    def _physics_has_a_kind(cls, table: object) -> object:
        found = table.get("physics") if isinstance(table, dict) else None
        if isinstance(found, str) and not is_user_name(found):
            rule = "be a table with its kind, or module:function of yours"
            raise refusal("physics", rule, found, "Write for example { kind = 'lorenz' }.")
        return table

    _numbers_stand_in_losses = model_validator(mode="before")(refuse_loose_numbers)

    @property
    @abc.abstractmethod
    def num_levels(self) -> int:
        """Number of levels that have a weight."""

    @property
    @abc.abstractmethod
    def num_states(self) -> int:
        """States of a trajectory that a step of the training needs."""

    @property
    @abc.abstractmethod
    def needs_physics(self) -> bool:
        """Whether it means nothing without reference physics."""

    @model_validator(mode="after")
    def _weights_fit(self) -> "RolloutTermConfig":
        given = self.level_weights
        if isinstance(given, tuple):
            if len(given) != self.num_levels:
                rule = f"have {self.num_levels} numbers, one for each level"
                raise refusal("level_weights", rule, list(given))
            if not sum(given) > 0:
                raise refusal("level_weights", "have a number above 0", list(given))
        try:
            is_held = 0 < sum(self.weights) <= _MOST
        except OverflowError:
            is_held = False
        if not is_held:
            rule = f"add up to a number above 0 and below {_MOST:.3g}, that of float32"
            raise refusal("level_weights", rule, given)
        return self

    @property
    def weights(self) -> tuple[float, ...]:
        """The weight of each level."""
        if isinstance(self.level_weights, tuple):
            return self.level_weights
        found = _EXPONENTIAL.fullmatch(self.level_weights)
        base = 1.0 if found is None else float(found[1])
        return tuple(base**level for level in range(self.num_levels))

    def check(self, facts: RolloutFacts, loss: object, where: str) -> None:
        """Refuse a term that does not fit dataset or physics, at once.

        Args:
            facts: Facts of the training.
            loss: Settings of its loss.
            where: Key of the term in the recipe, for messages.

        Raises:
            RecipeError: If it does not.
        """
        if self.num_states - 1 > facts.num_steps:
            raise RecipeError(
                f"A rollout must have at most the {facts.num_steps} steps of the stored "
                f"trajectories; got {self.num_states - 1} ({where}). Lower rollout_steps or "
                "post_physics_steps."
            )
        if self.needs_physics and facts.physics(where.rpartition(".")[2]) is None:
            raise RecipeError(
                f"This term must have reference physics; got a dataset of unknown physics "
                f'({where}.physics). Name yours, as physics = "module:function", or take method '
                "'supervised'."
            )
        if isinstance(loss, Spectral):
            raise RecipeError(
                "A spectral term must have the points of a regular grid in space; got states "
                f"({where}). Take another loss."
            )

    @abc.abstractmethod
    def term(self, loss: SampleLoss, facts: RolloutFacts, name: str) -> "RolloutTerm":
        """Make the term.

        Args:
            loss: Its loss at a level.
            facts: Facts of the training.
            name: Name of the term.
        """


@dataclass(frozen=True)
class RolloutTerm(ArrayTerm):
    """A loss of each sample, summed over the levels of a rollout."""

    loss: SampleLoss
    frame: StepFrame
    rms: float
    weights: tuple[float, ...]
    cut_every: int | None
    remat: bool
    physics: Physics | None

    @abc.abstractmethod
    def __call__(self, evaluation: ArrayEvaluation) -> SampleLosses:
        """The loss of each sample before weighting."""

    def chain(self, evaluation: ArrayEvaluation) -> Chain:
        """The chain of steps of the network."""
        weights = self._weights_of_points(evaluation)
        counts = evaluation.counts[..., None, None]  # computed here, outside of the loops

        def loss(states: Array, truth: Array | None) -> SampleLosses:
            error = states if truth is None else states - truth
            counted = jnp.where(counts, self._points(error), 0)
            true = jnp.zeros_like(counted) if truth is None else self._points(truth)
            return self.loss(counted / self.rms, true / self.rms, weights)

        def step(inputs: Array) -> Array:
            return self.frame.masked(inputs, evaluation.model(inputs))

        return Chain(step, self.frame.following, loss, self.weights, self.cut_every, self.remat)

    def start(self, evaluation: ArrayEvaluation) -> Float[Array, "blocks samples ..."]:
        """Inputs of the first step of each sample."""
        arrays = evaluation.batch.arrays
        first = arrays["states"][:, :, 0]
        if self.frame.moments is None:
            return first
        return self.frame.following(self.frame.begun(arrays["sources"]), first)

    def _points(self, states: Array) -> Values:
        """Each value of a state as a point, or each moment as a vector."""
        shape = (*states.shape[:2], -1, 1) if self.frame.moments is None else states.shape
        return states.reshape(shape)

    def _weights_of_points(self, evaluation: ArrayEvaluation) -> Array | None:
        """Weights of moments: 0 of rows that fill up a table, so that means are of the others."""
        if self.frame.moments is None:
            return None
        sources = evaluation.batch.arrays["sources"]
        used = self.frame.moments.dynamics.used(sources)[..., 0]
        count = jnp.maximum(jnp.sum(used, axis=-1, keepdims=True), 1)
        weights: Array = used * (used.shape[-1] / count)
        return jax.lax.stop_gradient(weights.astype(sources.dtype))

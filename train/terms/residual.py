"""The violation of a law by rollouts, as a term."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, model_validator

from hypermagnetics.config import Config, refusal
from hypermagnetics.errors import RecipeError
from hypermagnetics.train.losses import Relative, SampleLoss, SampleRelative
from hypermagnetics.train.losses.loss import SampleLosses
from hypermagnetics.train.rollouts.chain import residuals
from hypermagnetics.train.terms.array_term import ArrayEvaluation
from hypermagnetics.train.terms.rollout_term import RolloutFacts, RolloutTerm, RolloutTermConfig


class ResidualCut(Config):
    """Cuts of the gradient of residuals."""

    chain: bool = False
    """Whether the gradient from step to step is cut."""
    every: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Number of steps behind which it is, if it is."""
    previous: bool = False
    """Whether the gradient of the residual by the state before a step is cut."""
    next: bool = False
    """Whether that by the state behind it is."""

    @model_validator(mode="after")
    def _every_is_of_a_cut(self) -> "ResidualCut":
        if self.every != 1 and not self.chain:
            raise refusal("every", "be left out unless chain is true", self.every, "Set chain.")
        return self


class ResidualTermConfig(RolloutTermConfig):
    """One term: a loss of the violation of a law between neighbouring states of a rollout."""

    of: Literal["residual"]
    """Quantity that is made small: "residual", the violation of the dataset's own law, or what
    module:function of `physics` gives of the state behind a step and the one before it."""
    cut: ResidualCut = ResidualCut()
    """Cuts of the gradient."""

    @property
    def num_levels(self) -> int:
        """One for each step."""
        return self.rollout_steps

    @property
    def num_states(self) -> int:
        """The start, and a state behind each step, as of a trajectory."""
        return self.rollout_steps + 1

    @property
    def needs_physics(self) -> bool:
        """It does."""
        return True

    def check(self, facts: RolloutFacts, loss: object, where: str) -> None:
        """Refuse a term that does not fit dataset or physics; see `RolloutTermConfig`."""
        super().check(facts, loss, where)
        if isinstance(loss, Relative | SampleRelative):
            raise RecipeError(
                "A residual must have a loss that needs no truth; got "
                f"{loss.kind!r} ({where}.loss). Take 'mse' or 'huber'."
            )

    def term(self, loss: SampleLoss, facts: RolloutFacts, name: str) -> "ResidualTerm":
        """Make the term; see `RolloutTermConfig`."""
        return ResidualTerm(
            self.weight,
            loss,
            facts.frame,
            facts.rms,
            self.weights,
            self.cut.every if self.cut.chain else None,
            self.remat,
            facts.physics(name),
            self.cut,
        )


@dataclass(frozen=True)
class ResidualTerm(RolloutTerm):
    """A loss of the violation of a law between neighbouring states of a rollout."""

    cut: ResidualCut

    def __call__(self, evaluation: ArrayEvaluation) -> SampleLosses:
        """The loss of each sample."""
        assert self.physics is not None, "it was checked"
        return residuals(
            self.chain(evaluation),
            self.physics.residual,
            self.start(evaluation),
            cut_previous=self.cut.previous,
            cut_next=self.cut.next,
        )

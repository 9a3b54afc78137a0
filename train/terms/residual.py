"""The violation of a law by rollouts, as a term."""

from dataclasses import dataclass
from typing import Literal

from hypermagnetics.errors import RecipeError
from hypermagnetics.train.losses import Relative, SampleLoss, SampleRelative
from hypermagnetics.train.losses.loss import SampleLosses
from hypermagnetics.train.rollouts.chain import residuals
from hypermagnetics.train.terms.array_term import ArrayEvaluation
from hypermagnetics.train.terms.rollout_term import (
    Cut,
    RolloutFacts,
    RolloutTerm,
    RolloutTermConfig,
)


class ResidualCut(Cut):
    """Cuts of the gradient of residuals."""

    previous: bool = False
    """Whether the gradient of the residual by the state before a step is cut."""
    next: bool = False
    """Whether that by the state behind it is."""


class ResidualTermConfig(RolloutTermConfig):
    """One term: a loss of the violation of a law between neighbouring states of a rollout."""

    of: Literal["residual"]
    """Quantity that is made small: "residual", the violation of the dataset's own law by the state
    behind a step and the one before it, or of that of module:function in `physics`."""
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
            self.cut.behind,
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

"""The error of rollouts against trajectories, as a term."""

from dataclasses import dataclass
from typing import Annotated, Literal, assert_never

from pydantic import Field, model_validator

from hypermagnetics.config import refusal
from hypermagnetics.train.losses import SampleLoss
from hypermagnetics.train.losses.loss import SampleLosses
from hypermagnetics.train.rollouts.chain import diverted, mixed, supervised
from hypermagnetics.train.terms.array_term import ArrayEvaluation
from hypermagnetics.train.terms.rollout_term import (
    Cut,
    RolloutFacts,
    RolloutTerm,
    RolloutTermConfig,
)

RolloutMethod = Literal["supervised", "diverted-chain", "mix-chain"]


class TrajectoryCut(Cut):
    """Cuts of the gradient of a rollout."""

    diverted: bool = False
    """Whether the gradient through the reference of a diverted chain is cut; the reference need
    not have one then."""


class TrajectoryTermConfig(RolloutTermConfig):
    """One term: a loss of the states of a rollout against those of a reference, level by level."""

    of: Literal["trajectory"]
    """Quantity whose error is made small: "trajectory", the states of a rollout."""
    method: RolloutMethod = "supervised"
    """"supervised": against the stored trajectory; "diverted-chain": at each state of the chain,
    branches of network and reference physics are compared; "mix-chain": steps of the reference
    physics go on from the last state of the network, all against the stored trajectory."""
    branch_steps: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Steps of a branch of a diverted chain, at most rollout_steps; with as many, it is
    supervised by the physics."""
    post_physics_steps: Annotated[int, Field(ge=0, le=10_000)] = 0
    """Steps of the reference physics behind those of the network, in a mixed chain."""
    cut: TrajectoryCut = TrajectoryCut()
    """Cuts of the gradient."""

    @model_validator(mode="after")
    def _keys_fit_the_method(self) -> "TrajectoryTermConfig":
        diverts, mixes = self.method == "diverted-chain", self.method == "mix-chain"
        if self.branch_steps > self.rollout_steps:
            rule = f"be at most rollout_steps, {self.rollout_steps}"
            raise refusal("branch_steps", rule, self.branch_steps, "Lower it.")
        if self.branch_steps != 1 and not diverts:
            rule = 'be left out unless method is "diverted-chain"'
            raise refusal("branch_steps", rule, self.branch_steps, "Remove it.")
        if self.post_physics_steps and not mixes:
            rule = 'be left out unless method is "mix-chain"'
            raise refusal("post_physics_steps", rule, self.post_physics_steps, "Remove it.")
        if mixes and not self.post_physics_steps:
            rule = 'be at least 1 with method "mix-chain"'
            raise refusal("post_physics_steps", rule, self.post_physics_steps, "Raise it.")
        if self.physics is not None and not self.needs_physics:
            rule = 'be left out unless method is "diverted-chain" or "mix-chain"'
            raise refusal("physics", rule, self.physics, "Remove it.")
        if self.cut.diverted and not diverts:
            rule = 'be false unless method is "diverted-chain"'
            raise refusal("cut.diverted", rule, self.cut.diverted, "Remove it.")
        return self

    @property
    def num_levels(self) -> int:
        """Levels of the network, and of the physics behind; or one for each branch."""
        if self.method == "diverted-chain":
            return self.rollout_steps - self.branch_steps + 1
        return self.rollout_steps + self.post_physics_steps

    @property
    def num_states(self) -> int:
        """The start, and a state behind each step."""
        return self.rollout_steps + self.post_physics_steps + 1

    @property
    def needs_physics(self) -> bool:
        """Whether a reference goes on from states of the network."""
        return self.method != "supervised"

    def term(self, loss: SampleLoss, facts: RolloutFacts, name: str) -> "TrajectoryTerm":
        """Make the term; see `RolloutTermConfig`."""
        return TrajectoryTerm(
            self.weight,
            loss,
            facts.frame,
            facts.rms,
            self.weights,
            self.cut.behind,
            self.remat,
            facts.physics(name) if self.needs_physics else None,
            self,
        )


@dataclass(frozen=True)
class TrajectoryTerm(RolloutTerm):
    """A loss of the states of a rollout against those of a reference."""

    config: TrajectoryTermConfig

    def __call__(self, evaluation: ArrayEvaluation) -> SampleLosses:
        """The loss of each sample."""
        config, chain, start = self.config, self.chain(evaluation), self.start(evaluation)
        steps = config.rollout_steps
        truth = evaluation.batch.arrays["states"][:, :, 1:]
        if config.method == "supervised":
            return supervised(chain, start, truth[:, :, :steps])
        assert self.physics is not None, "it was checked"
        reference = self.physics.step
        match config.method:
            case "mix-chain":
                levels = steps + config.post_physics_steps
                return mixed(chain, reference, start, truth[:, :, :levels], steps)
            case "diverted-chain":
                branch, cut = config.branch_steps, config.cut.diverted
                return diverted(chain, reference, start, steps, branch, cut=cut)
            case _:
                assert_never(config.method)

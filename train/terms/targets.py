"""The error of the targets of a network from arrays to arrays, as a term."""

from dataclasses import dataclass
from typing import Literal

from hypermagnetics.train.losses import SampleLoss
from hypermagnetics.train.losses.loss import SampleLosses
from hypermagnetics.train.scales import pooled_rms
from hypermagnetics.train.terms.array_term import (
    ArrayEvaluation,
    ArrayFacts,
    ArrayTerm,
    ArrayTermConfig,
)


class TargetsTermConfig(ArrayTermConfig):
    """One term: a loss of the error of the targets of a network from arrays to arrays."""

    of: Literal["targets"]
    """Quantity whose error is made small: the targets, whichever array they are."""

    def term(self, loss: SampleLoss, facts: ArrayFacts) -> "TargetsTerm":
        """Make the term; see `ArrayTermConfig`."""
        return TargetsTerm(self.weight, loss, pooled_rms(facts.view.viewed["targets"].statistics))


@dataclass(frozen=True)
class TargetsTerm(ArrayTerm):
    """A loss of the error of the targets, each value of which counts as a point."""

    loss: SampleLoss
    rms: float
    """Root mean square of the targets over the training split."""

    def __call__(self, evaluation: ArrayEvaluation) -> SampleLosses:
        """The loss of each sample."""
        return self.loss(evaluation.errors / self.rms, evaluation.targets / self.rms, None)

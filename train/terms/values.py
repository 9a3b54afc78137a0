"""The error of potential or field, as a term."""

from dataclasses import dataclass
from typing import Literal, assert_never

from hypermagnetics.train.losses import RegionWeights, SampleLoss
from hypermagnetics.train.losses.loss import SampleLosses
from hypermagnetics.train.terms.evaluation import Evaluation
from hypermagnetics.train.terms.term import Facts, Term, TermConfig

Quantity = Literal["potential", "field"]


class ValuesTermConfig(TermConfig):
    """One term: a loss of the error of potential or field."""

    of: Quantity
    """Quantity whose error is made small: "potential" or "field"."""

    def term(self, loss: SampleLoss, facts: Facts) -> "ValuesTerm":
        """Make the term; see `TermConfig`."""
        rms = facts.potential_rms if self.of == "potential" else facts.field_rms
        return ValuesTerm(self.weight, self.of, loss, rms, self.regions)


@dataclass(frozen=True)
class ValuesTerm(Term):
    """A loss of the error of potential or field."""

    of: Quantity
    loss: SampleLoss
    rms: float
    """Root mean square of the truth, or of its norm for the field [A or A/m]."""
    regions: RegionWeights | None = None
    """Weights of regions; None for equal weights of all points."""

    def __call__(self, evaluation: Evaluation) -> SampleLosses:
        """The loss of each sample."""
        batch = evaluation.batch
        match self.of:
            case "potential":
                error, truth = evaluation.errors[0], batch.potential[..., None]
            case "field":
                error, truth = evaluation.errors[1], batch.field
            case _:
                assert_never(self.of)
        weights = None if self.regions is None else self.regions(evaluation.region_codes)
        return self.loss(error / self.rms, truth / self.rms, weights)

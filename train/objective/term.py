"""One term of an objective."""

from dataclasses import dataclass

from jaxtyping import Array, UInt8

from hypermagnetics.train.losses.sample_loss import SampleLoss, SampleLosses, Values
from hypermagnetics.train.objective.regions import RegionWeights


@dataclass(frozen=True)
class Term:
    """A loss of the error of potential or field."""

    of: str
    loss: SampleLoss
    weight: float
    rms: float
    """Root mean square of the truth, or of its norm for the field [A or A/m]."""
    regions: RegionWeights | None = None
    """Weights of regions; None for equal weights of all points."""

    def __call__(
        self,
        error: Values,
        truth: Values,
        codes: UInt8[Array, "blocks samples points"] | None,
    ) -> SampleLosses:
        """The loss of each sample, from physical values and the regions of the points."""
        weights = None if self.regions is None or codes is None else self.regions(codes)
        return self.loss(error / self.rms, truth / self.rms, weights)

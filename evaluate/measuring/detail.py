"""What figures show of a subject on a split, beyond the numbers in results.json."""

from dataclasses import dataclass
from typing import Literal, get_args

from jaxtyping import Float, Int
from numpy import ndarray

from hypermagnetics.data import Split
from hypermagnetics.evaluate.results.records import Evaluation
from hypermagnetics.evaluate.subjects.subject import Subject
from hypermagnetics.sources import SourceColumns

Rank = Literal["median", "p90", "worst"]
"""Which sample, in the order of the relative L2 errors of the potential."""
RANKS: tuple[Rank, ...] = get_args(Rank)


@dataclass(frozen=True)
class QuantityDetail:
    """One quantity of one subject on one split."""

    error_edges: Float[ndarray, " edges"]
    """Relative errors, evenly spaced by their logarithm: the ends of bins."""
    error_shares: Float[ndarray, " bins"]
    """Share of the points with a relative error in each bin. What is below the first edge, exactly
    zero included, is in the first bin; what is above the last edge, infinite included, in the
    last."""
    true_values: Float[ndarray, " values"]
    """Labels at some points of all samples, for a field its components one after another."""
    predicted_values: Float[ndarray, " values"]
    """What was predicted there."""
    sample_relative_l2: Float[ndarray, " samples"]
    """Of each sample, in order."""


@dataclass(frozen=True)
class Shown:
    """A subject on a split, as charts show it: numbers alone, which another process may draw."""

    evaluation: Evaluation
    potential: QuantityDetail
    field: QuantityDetail


@dataclass(frozen=True)
class Evaluated:
    """A subject on a split, evaluated, with all that drawing it needs."""

    evaluation: Evaluation
    potential: QuantityDetail
    field: QuantityDetail
    num_sources: Int[ndarray, " samples"]
    chosen: dict[Rank, int]
    """Numbers of the samples that are pictured."""
    subject: Subject
    split: Split
    columns: SourceColumns
    """What the columns of the source tables are."""

    @property
    def shown(self) -> Shown:
        """What charts need."""
        return Shown(self.evaluation, self.potential, self.field)

"""Data for figures of a subject on a split, beyond the numbers in results.json."""

from dataclasses import dataclass
from typing import Literal, get_args

from jaxtyping import Float, Int
from numpy import ndarray

from hypermagnetics.data import Split
from hypermagnetics.evaluate.results.records import Evaluation
from hypermagnetics.evaluate.subjects.subject import Subject
from hypermagnetics.sources import SourceColumns

Rank = Literal["median", "p90", "worst"]
"""Rank of a sample by the relative L2 error of its potential."""
RANKS: tuple[Rank, ...] = get_args(Rank)


@dataclass(frozen=True)
class QuantityDetail:
    """Data for figures of one quantity of one subject on one split."""

    error_edges: Float[ndarray, " edges"]
    """Edges of the bins of relative errors, evenly spaced in the logarithm."""
    error_shares: Float[ndarray, " bins"]
    """Share of the points in each bin of relative errors. The first bin also holds all errors below
    it, zero included; the last bin also holds all errors above it, infinite included."""
    true_values: Float[ndarray, " values"]
    """Labels at some points of all samples; of a field, its components one after another."""
    predicted_values: Float[ndarray, " values"]
    """Predictions at the same points."""
    sample_relative_l2: Float[ndarray, " samples"]
    """Relative L2 error of each sample, in order."""


@dataclass(frozen=True)
class Evaluated:
    """Data for all figures of a subject on a split, with the subject itself."""

    evaluation: Evaluation
    potential: QuantityDetail
    field: QuantityDetail
    num_sources: Int[ndarray, " samples"]
    chosen: dict[Rank, int]
    """Numbers of the samples shown in figures."""
    subject: Subject
    split: Split
    columns: SourceColumns
    """Columns of the source tables."""

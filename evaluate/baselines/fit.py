"""Least-squares baselines at some points of a split: labels and predictions."""

from dataclasses import dataclass

from hypermagnetics.data import Block
from hypermagnetics.evaluate.subjects.subject import Values


@dataclass(frozen=True)
class Fit:
    """Predictions of a least-squares fit, beside their labels."""

    block: Block
    """All samples of the first block, at the points of the fit."""
    predicted: Values
    """Predictions for these samples."""

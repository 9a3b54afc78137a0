"""A baseline that answers at some points of a split alone: the labels there, and its answers."""

from dataclasses import dataclass

from hypermagnetics.data import Block
from hypermagnetics.evaluate.subjects.subject import Values


@dataclass(frozen=True)
class Fit:
    """What was made by least squares, beside the labels that it was made for."""

    block: Block
    """All samples of the first block, at the points of the fit."""
    predicted: Values
    """What stands in the place of their labels."""

"""The kinds of rows in a table of errors, apart as models and programs share them."""

from enum import StrEnum


class Knowledge(StrEnum):
    """Origin of the predictions of a row; only like is to be compared with like."""

    LABELS = "labels"
    """A model that has learned from the potentials and fields of sources, and nothing else."""
    KERNEL = "kernel"
    """A model that knows the potential of a single source: in its near part, or in its fit."""
    BASELINE = "baseline"
    """No model: exact sums, fast multipoles, and least-squares bounds made of closed forms."""

"""Errors of one quantity that a network from arrays to arrays gives."""

from dataclasses import dataclass

import numpy as np

from hypermagnetics.metrics import Errors, Scores, scores


@dataclass(frozen=True)
class ArrayQuantityScores(Scores):
    """Errors of one quantity on one split.

    A point is a value of the targets; of the Jacobian, the vector of its derivatives by all inputs,
    each in units of the scale of its channel in the network; of a map, a point of its grid.
    """

    rms_sample_relative_l2: float
    """Root of the mean over samples of ||error||₂² / ||truth||₂²."""

    @classmethod
    def of(cls, errors: Errors) -> "ArrayQuantityScores":
        """The metrics of some samples."""
        squares = errors.sample_relative_l2() ** 2
        known = squares[~np.isnan(squares)]
        mean = float(np.sqrt(known.mean())) if known.size else float("nan")
        return cls(**vars(scores(errors)), rms_sample_relative_l2=mean)

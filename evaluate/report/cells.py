"""Cells of tables, of fractions and counts."""

import math
from dataclasses import replace

from hypermagnetics.evaluate.report.formats import UNDEFINED, count, per_cent
from hypermagnetics.evaluate.report.markup import Cell
from hypermagnetics.metrics import Quantiles, Scores, is_withheld

ERRORS = ("Median [%]", "p90 [%]", "p99 [%]")
"""Headings of `quantile_cells`."""


def error_cell(fraction: float | None, ci95: tuple[float, float] | None = None) -> Cell:
    """A fraction in per cent, with its interval below it."""
    value = math.nan if fraction is None else fraction
    return Cell(per_cent(value), value, " to ".join(map(per_cent, ci95 or ())))


def count_cell(things: int | None) -> Cell:
    """A count, undefined if None."""
    return Cell(UNDEFINED, math.nan) if things is None else Cell(count(things), float(things))


def quantile_cells(scores: Quantiles) -> tuple[Cell, ...]:
    """Quantiles of the relative errors, the median with its interval."""
    return (
        error_cell(scores.median_relative_error, scores.ci95),
        error_cell(scores.p90_relative_error),
        error_cell(scores.p99_relative_error),
    )


def global_l2_cells(scores: Scores) -> tuple[Cell, ...]:
    """The global L2 with its interval, or that it is withheld, and the largest sample."""
    share = scores.global_relative_l2_largest_share
    found = error_cell(scores.global_relative_l2, scores.global_relative_l2_ci95)
    if is_withheld(share):
        found = replace(found, sub="no interval")
    return found, error_cell(share)

"""Fisher information and estimates as tables for a terminal, in Markdown or in LaTeX."""

import math
from collections.abc import Sequence

from hypermagnetics.evaluate.fisher.records import FisherScores
from hypermagnetics.evaluate.results.numbers import per_cent
from hypermagnetics.evaluate.results.tables import Table

Row = tuple[str, str, FisherScores]
"""Name of the split, name of the subject, and its scores."""


def information_table(rows: Sequence[Row]) -> Table:
    """Determinants of Fisher information, beside the bound of all summaries where it is known."""
    headings = ("samples", "det F", "95 % interval", "bound", "share of it [%]", "det C")
    return Table(
        ("split", "subject", *headings),
        tuple((split, subject, *_determinants(found)) for split, subject, found in rows),
        2,
    )


def estimates_table(rows: Sequence[Row]) -> Table:
    """Estimates of each parameter: its error bar by F, the least of any estimate, spread, bias."""
    headings = ("value", "bound", "error bar", "spread", "bias", "standard error")
    return Table(
        ("split", "subject", "parameter", *headings),
        tuple(
            (
                *(split, subject, one.name),
                *(_number(one.value), _number(one.analytic_error_bar), _number(one.error_bar)),
                *(_number(one.spread), _number(one.bias), _number(one.bias_standard_error)),
            )
            for split, subject, found in rows
            for one in found.parameters
        ),
        3,
    )


def _determinants(found: FisherScores) -> tuple[str, ...]:
    analytic = found.analytic
    return (
        str(found.num_samples),
        _number(found.determinant),
        "undefined" if found.ci95 is None else " to ".join(map(_number, found.ci95)),
        "-" if analytic is None else _number(analytic.determinant),
        "-" if analytic is None else per_cent(analytic.share),
        _number(found.covariance_determinant),
    )


def _number(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.4g}"

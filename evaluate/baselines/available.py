"""Which baselines there can be for given sources."""

from typing import NamedTuple

from hypermagnetics.evaluate.baselines.exact_sum import exact_sum
from hypermagnetics.evaluate.baselines.fmm3d import fmm3d, why_no_fmm3d
from hypermagnetics.evaluate.subjects.subject import Subject
from hypermagnetics.sources import SourceColumns


class Baselines(NamedTuple):
    """Those there can be, and why others cannot."""

    subjects: tuple[Subject, ...]
    left_out: tuple[str, ...]
    """A sentence for each that is missing."""


def available_baselines(columns: SourceColumns) -> Baselines:
    """The baselines that predict any sources at any points.

    Args:
        columns: What the columns of the source tables are.

    Returns:
        The exact sum, and fmm3d where it can be.
    """
    why = why_no_fmm3d(columns)
    if why is not None:
        return Baselines((exact_sum(columns),), (why,))
    return Baselines((exact_sum(columns), fmm3d(columns)), ())

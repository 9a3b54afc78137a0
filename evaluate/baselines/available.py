"""Baselines available for the sources of a dataset."""

from typing import NamedTuple

from hypermagnetics.evaluate.baselines.exact_sum import exact_sum
from hypermagnetics.evaluate.baselines.fmm3d import fmm3d, why_no_fmm3d
from hypermagnetics.evaluate.subjects.subject import Subject
from hypermagnetics.sources import SourceColumns

_SOFT = (
    "The exact sum, fmm3d, the rank floors and the linear control are left out: soft bodies answer "
    "to each other, and are no sum over sources."
)


class Baselines(NamedTuple):
    """Available baselines, and the reasons for those left out."""

    subjects: tuple[Subject, ...]
    left_out: tuple[str, ...]
    """One sentence for each baseline left out."""


def available_baselines(columns: SourceColumns) -> Baselines:
    """The baselines that predict any sources at any points.

    Args:
        columns: Columns of the source tables.

    Returns:
        The exact sum, and fmm3d where it is available; none of soft bodies.
    """
    if columns.is_soft:
        return Baselines((), (_SOFT,))
    why = why_no_fmm3d(columns)
    if why is not None:
        return Baselines((exact_sum(columns),), (why,))
    return Baselines((exact_sum(columns), fmm3d(columns)), ())

"""All figures of the report: the slots of the page, and the functions that fill them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from hypermagnetics.evaluate.measuring.detail import Evaluated
from hypermagnetics.evaluate.report.error_charts import distance, distribution, num_sources
from hypermagnetics.evaluate.report.figures import Note, Undrawn
from hypermagnetics.evaluate.report.inputs import Report, SplitErrors
from hypermagnetics.evaluate.report.learning import learning_curves
from hypermagnetics.evaluate.report.parity import parity
from hypermagnetics.evaluate.report.sample_maps import sample_maps
from hypermagnetics.evaluate.report.time_charts import NOT_MEASURED, times
from hypermagnetics.evaluate.report.view3d import space_views

Heading = Literal["Summary", "Samples", "Errors", "Physics", "Learning", "Times", "Provenance"]
"""Heading of a section of the page."""

_Input = TypeVar("_Input")


@dataclass(frozen=True)
class Slot(Generic[_Input]):
    """A place on the page, and its figures, shown by the choices of the reader."""

    name: str
    heading: Heading
    make: Callable[[_Input], Iterable[Undrawn | Note]]
    """Function that prepares all figures of one input, or a note in their place."""
    empty: str = "There is no figure for this choice."
    """A sentence shown if the reader's choice has no figure."""
    kind: str = ""
    """A class of the style sheet."""


# A further figure is a function in a file of its own, and a line in the tuple of its input. Slots
# of one section stand on the page in this order.
OF_ERRORS: tuple[Slot[SplitErrors], ...] = (
    Slot("distance", "Errors", distance),
    Slot("distribution", "Errors", distribution),
    Slot("num-sources", "Errors", num_sources),
    Slot("parity", "Errors", parity),
)
OF_REPORT: tuple[Slot[Report], ...] = (
    Slot("learning", "Learning", learning_curves, kind="wide"),
    Slot("times", "Times", times, NOT_MEASURED, "pair"),
)
OF_SUBJECTS: tuple[Slot[Evaluated], ...] = (
    Slot("maps", "Samples", sample_maps, "No maps were drawn for this choice."),
    Slot("view3d", "Samples", space_views, "", "wide"),
)
SLOTS: tuple[Slot[Any], ...] = (*OF_ERRORS, *OF_REPORT, *OF_SUBJECTS)


def figures_of(report: Report) -> Iterator[tuple[str, Undrawn | Note]]:
    """Yield every figure of a report, or the note in its place, after the name of its slot."""
    for errors in report.errors():
        yield from _filled(OF_ERRORS, errors)
    yield from _filled(OF_REPORT, report)
    for evaluated in report.evaluated:
        yield from _filled(OF_SUBJECTS, evaluated)


def _filled(slots: Iterable[Slot[_Input]], given: _Input) -> Iterator[tuple[str, Undrawn | Note]]:
    for slot in slots:
        for figure in slot.make(given):
            yield slot.name, figure

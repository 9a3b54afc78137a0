"""The figures of a GPU as they are printed, each beside its bound."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple


class Place(NamedTuple):
    """Circumstances of a measurement."""

    scratch: Path
    """Directory of files, which rows share."""
    is_small: bool
    """Whether sizes are those of a trial of the script, whose figures say nothing."""

    def size(self, full: int, small: int) -> int:
        """The one of two sizes that is asked for."""
        return small if self.is_small else full


class Figure(NamedTuple):
    """A measured value, and the value that it should not miss."""

    name: str
    value: float
    unit: str
    bound: float | None = None
    is_rate: bool = False
    """Whether the bound is a least value."""
    before: float | None = None
    """On an H100, before the package was fitted to GPUs."""

    @property
    def holds(self) -> bool:
        """Whether the bound is reached, as it is where there is none."""
        if self.bound is None:
            return True
        return self.value >= self.bound if self.is_rate else self.value <= self.bound


class Row(NamedTuple):
    """Figures that are measured together, in a process of their own."""

    name: str
    question: str
    measure: Callable[[Place], Iterator[Figure]]

    def printed(self, place: Place) -> bool:
        """Measure, and print a line for each figure, or for the error.

        Returns:
            Whether all bounds hold.
        """
        all_hold = True
        try:
            for figure in self.measure(place):
                judged = figure._replace(bound=None) if place.is_small else figure
                all_hold &= judged.holds
                print_line(
                    row=self.name,
                    figure=judged.name,
                    value=float(f"{judged.value:.4g}"),
                    unit=judged.unit,
                    bound=judged.bound,
                    bound_is=None if judged.bound is None else ("most", "least")[judged.is_rate],
                    before=judged.before,
                    holds=None if judged.bound is None else judged.holds,
                )
        except Exception as error:
            print_error(self.name, f"{type(error).__name__}: {error}")
            return False
        return all_hold


def print_line(**values: object) -> None:
    """Print a line of JSON at once."""
    print(json.dumps(values), flush=True)


def print_error(row: str, reason: str) -> None:
    """Print why figures of a row are missing."""
    print_line(row=row, error=" ".join(reason.split())[:500], holds=False)

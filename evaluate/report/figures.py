"""Figures of the report: made ready, drawn in several processes, and their files."""

import re
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

import numpy as np

from hypermagnetics.child_processes import child_pool
from hypermagnetics.evaluate.report.rendering import Picture, Rendered, rendered
from hypermagnetics.machine import num_cores

_FIGURES_PER_PROCESS = 16
"""Least figures per process; fewer do not make up for its start of some seconds."""
_MOST_PROCESSES = 8
_AHEAD = 64
"""Most figures queued at a time, so that values of some are computed while others are drawn."""

_LONGEST_NAME = 100
_UNSAFE = re.compile(r"[^A-Za-z0-9_+-]+")


@dataclass(frozen=True)
class Undrawn:
    """A figure that is ready to be drawn."""

    words: Sequence[str]
    """Parts of the name of its files."""
    choice: Mapping[str, str]
    """Choices of the reader that show it: data, subject, rank, quantity, or some of them."""
    draw: Callable[[], Picture]
    """Draws it, in this process or in another: a function of a module, with its arguments."""


@dataclass(frozen=True)
class Note:
    """A sentence in the place of a figure that cannot be drawn."""

    choice: Mapping[str, str]
    text: str


@dataclass(frozen=True)
class Drawn:
    """A drawn figure in all its forms: SVG, PNG, CSV and text."""

    name: str
    """Name of its files, without an ending; unique within the report."""
    choice: Mapping[str, str]
    image: Rendered
    csv: str
    alt: str
    caption: str
    panels: int
    per_row: int | None = None
    """Panels side by side on a wide page; None for all."""


class FileNames:
    """Makes safe and unique file names, for any names of runs and datasets."""

    def __init__(self) -> None:
        """Start with no name taken."""
        self._taken: set[str] = set()

    def new(self, *words: str) -> str:
        """Join words to a name that is safe in file systems and links.

        Args:
            words: Parts of the name.

        Returns:
            The name, without an ending; numbered if it is taken, also on file systems that ignore
            case.
        """
        parts = (_UNSAFE.sub("-", word).strip("-") or "x" for word in words)
        name = plain = "-".join(parts)[:_LONGEST_NAME]
        number = 1
        while name.lower() in self._taken:
            number += 1
            name = f"{plain}-{number}"
        self._taken.add(name.lower())
        return name


def processes_for(figures: int) -> int:
    """Number of processes for a number of figures; 1 is this process alone."""
    return max(min(num_cores(), _MOST_PROCESSES, figures // _FIGURES_PER_PROCESS), 1)


def drawn_in_order(
    figures: Iterable[tuple[str, Undrawn | Note]], processes: int = 1
) -> Generator[tuple[str, Drawn | Note], None, None]:
    """Draw the figures of a report in order.

    Args:
        figures: The slot of each figure, or of the note in its place.
        processes: Number of processes; 1 is this process alone.

    Yields:
        The same, drawn, in the same order, however many processes there are.
    """
    if processes == 1:
        for slot, one in _named(figures):
            yield slot, one if isinstance(one, Note) else one()
        return
    with child_pool(processes) as submit:
        waiting: deque[tuple[str, Note | Future[Drawn]]] = deque()
        for slot, one in _named(figures):
            waiting.append((slot, one if isinstance(one, Note) else submit(one)))
            if len(waiting) > _AHEAD:
                yield _result(*waiting.popleft())
        while waiting:
            yield _result(*waiting.popleft())


def csv_text(names: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """A table of numbers and words as a CSV file, with all digits of each value.

    Args:
        names: Names of the columns.
        rows: Values, as many as names in each.

    Returns:
        The text. A number that is undefined or infinite is nan or inf.
    """
    return "\n".join(",".join(map(_entry, row)) for row in (names, *rows)) + "\n"


def csv_of_grid(columns: Mapping[str, np.ndarray]) -> str:
    """Columns of float32 numbers as a CSV file, six digits each; fast, for many rows."""
    rows = np.stack([np.ravel(values) for values in columns.values()], axis=1)
    line = ",".join(["%.6g"] * rows.shape[1]) + "\n"
    return ",".join(columns) + "\n" + (line * len(rows)) % tuple(rows.ravel().tolist())


def _named(
    figures: Iterable[tuple[str, Undrawn | Note]],
) -> Iterator[tuple[str, Callable[[], Drawn] | Note]]:
    """The drawing of each figure under a name of its own; names depend on the order alone."""
    names = FileNames()
    for slot, one in figures:
        yield slot, one if isinstance(one, Note) else partial(_draw, names.new(*one.words), one)


def _draw(name: str, one: Undrawn) -> Drawn:
    picture = one.draw()
    image = rendered(picture, name)
    return Drawn(
        *(name, one.choice, image, picture.csv, picture.alt, picture.caption),
        panels=picture.panels,
        per_row=picture.per_row,
    )


def _result(slot: str, one: Note | Future[Drawn]) -> tuple[str, Drawn | Note]:
    return slot, one.result() if isinstance(one, Future) else one


def _entry(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float | np.floating):
        return repr(float(value))
    text = str(value)
    if any(mark in text for mark in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text

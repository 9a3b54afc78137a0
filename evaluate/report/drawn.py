"""A figure of the report, drawn: what the page shows of it, and its files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Drawn:
    """A figure in all the forms it is given away in."""

    name: str
    """Of its files, without an ending; no other figure of the report has it."""
    slot: str
    """The place on the page that shows figures of this sort, one choice of the reader each."""
    choice: Mapping[str, str]
    """What the reader has to choose to see it: data, subject, rank, quantity, or some of them."""
    svg: str
    """Drawn in currentColor, without a background."""
    size: tuple[float, float]
    """Width and height of the SVG, in its units."""
    panels: int
    """Parts of equal width that stand on their own: on a narrow page one below the other."""
    png: bytes
    csv: str
    alt: str
    """What is to be seen, for those who do not see it."""
    caption: str


Task = Callable[[], Drawn]
"""Draws a figure, in this process or in another: a function of a module, with its arguments."""


@dataclass(frozen=True)
class Note:
    """A sentence in the place of a figure that cannot be drawn."""

    slot: str
    choice: Mapping[str, str]
    text: str


def csv_text(columns: Mapping[str, Sequence[object] | np.ndarray]) -> str:
    """Columns of numbers and words as a CSV file; all digits that a value has.

    Args:
        columns: Values under their names, equally many in each.

    Returns:
        The text. A number that is undefined or infinite is nan or inf.
    """
    lines = [",".join(map(_entry, columns))]
    lines += [",".join(map(_entry, row)) for row in zip(*columns.values(), strict=True)]
    return "\n".join(lines) + "\n"


def csv_of_grid(columns: Mapping[str, np.ndarray]) -> str:
    """Columns of float32 numbers as a CSV file, six digits each; fast, for many rows."""
    rows = np.stack([np.ravel(values) for values in columns.values()], axis=1)
    line = ",".join(["%.6g"] * rows.shape[1]) + "\n"
    return ",".join(columns) + "\n" + (line * len(rows)) % tuple(rows.ravel().tolist())


def _entry(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float | np.floating):
        return repr(float(value))
    text = str(value)
    if any(mark in text for mark in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text

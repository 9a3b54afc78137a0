"""A drawn figure of the report: its part of the page, and its files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Drawn:
    """A drawn figure in all its forms: SVG, PNG, CSV and text."""

    name: str
    """Name of its files, without an ending; unique within the report."""
    slot: str
    """The place on the page for figures of this kind, of which it shows one at a time."""
    choice: Mapping[str, str]
    """Choices of the reader that show it: data, subject, rank, quantity, or some of them."""
    svg: str
    """Drawn in currentColor, without a background."""
    size: tuple[float, float]
    """Width and height of the SVG, in its units."""
    panels: int
    """Number of parts of equal width, which a narrow page shows one below the other."""
    png: bytes
    csv: str
    alt: str
    """Text alternative of the figure."""
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
    """Columns of numbers and words as a CSV file, with all digits of each value.

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

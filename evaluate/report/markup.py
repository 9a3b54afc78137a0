"""Parts of the HTML page: sortable tables, and figures shown by choice."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from hypermagnetics.evaluate.report.figures import Drawn, Note

_ROOT = re.compile(r"^\s*<svg [^>]*>|</svg>\s*$")


@dataclass(frozen=True)
class Cell:
    """A cell of a table."""

    text: str
    value: float | None = None
    """Sort key of a number, NaN if it is undefined; None for words."""
    sub: str = ""
    """Smaller text below the main one."""
    is_code: bool = False


@dataclass(frozen=True)
class Row:
    """A row of a table."""

    cells: Sequence[Cell]
    choice: Mapping[str, str] = field(default_factory=dict)
    """Choices of the reader that show it."""
    kind: str = ""
    """A class of the style sheet."""


def table(name: str, headings: Sequence[str], rows: Sequence[Row], *, empty: str) -> str:
    """A table with sortable columns.

    Args:
        name: Text alternative of the table.
        headings: Headings of the columns.
        rows: Cells, as many as headings in each. A column is of numbers if the first row says so.
        empty: A sentence shown if no row is left.

    Returns:
        HTML.
    """
    if not rows:
        return f'<p class="note">{escape(empty)}</p>'
    words = [
        all(row.cells[number].value is None for row in rows) for number in range(len(headings))
    ]
    head = "".join(
        f'<th scope="col"{_class("word" if is_word else "")}>'
        f'<button type="button">{escape(heading)}</button></th>'
        for heading, is_word in zip(headings, words, strict=True)
    )
    body = "\n".join(
        f"<tr{_class(row.kind)}{_data(row.choice)}>"
        + "".join(_cell(cell, is_word) for cell, is_word in zip(row.cells, words, strict=True))
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table data-empty aria-label="{escape(name)}">\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
        f'<p class="note" hidden>{escape(empty)}</p>'
    )


def template(number: int, slot_name: str, figure: Drawn | Note) -> str:
    """A template element with a figure, which the script of the page copies into its slot."""
    attributes = _data({"slot": slot_name, "number": str(number), **figure.choice})
    inner = _figure(figure) if isinstance(figure, Drawn) else _note(figure)
    return f'<template class="figure"{attributes}>{inner}</template>'


def slot(name: str, empty: str, kind: str = "") -> str:
    """A place for figures."""
    return f'<div class="slot {kind}" data-slot="{name}" data-empty="{escape(empty)}"></div>'


def note(sentences: Sequence[str]) -> str:
    """A paragraph of sentences in small text; nothing if there are none."""
    return f'<p class="note">{escape(" ".join(sentences))}</p>' if sentences else ""


def _figure(drawn: Drawn) -> str:
    inner = _ROOT.sub("", drawn.image.svg)
    width, height = (round(length, 2) for length in drawn.image.size)
    if drawn.panels == 1:
        pictures = f'<svg aria-hidden="true" viewBox="0 0 {width} {height}">{inner}</svg>'
    else:
        # Drawn once, and seen through a window for each panel: on a phone they stand in a column.
        part, identifier = width / drawn.panels, f"figure-{escape(drawn.name)}"
        windows = "".join(
            f'<svg aria-hidden="true" viewBox="{round(number * part, 2)} 0 {round(part, 2)} '
            f'{height}"><use href="#{identifier}"/></svg>'
            for number in range(drawn.panels)
        )
        store = f'<svg class="store" aria-hidden="true"><g id="{identifier}">{inner}</g></svg>'
        pictures = store + windows
    links = "".join(
        f'<a href="figures/{escape(drawn.name)}.{ending}">{ending.upper()}</a>'
        for ending in ("png", "svg", "csv")
    )
    return (
        f'<figure><div class="panels of-{drawn.per_row or drawn.panels}" role="img" '
        f'aria-label="{escape(drawn.alt)}">'
        f"{pictures}</div><figcaption>{escape(drawn.caption)}"
        f'<span class="files">{links}</span></figcaption></figure>'
    )


def _note(note: Note) -> str:
    return f'<p class="note">{escape(note.text)}</p>'


def _cell(cell: Cell, is_word: bool) -> str:
    value = ""
    if cell.value is not None:
        value = f' data-value="{_number(cell.value)}"'
    elif not is_word:
        value = ' data-value="NaN"'
    text = f"<code>{escape(cell.text)}</code>" if cell.is_code else escape(cell.text)
    sub = f'<span class="sub">{escape(cell.sub)}</span>' if cell.sub else ""
    return f"<td{_class('word' if is_word else '')}{value}>{text}{sub}</td>"


def _number(value: float) -> str:
    """A number in the notation of JavaScript."""
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return "NaN" if math.isnan(value) else repr(float(value))


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def _data(choice: Mapping[str, str]) -> str:
    return "".join(f' data-{name}="{escape(value)}"' for name, value in choice.items())

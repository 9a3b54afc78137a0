"""A page as a program reads it: elements with their attributes, and rows of tables."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "img", "input", "hr"}


@dataclass
class Element:
    """An element with the text directly and indirectly in it."""

    tag: str
    attributes: dict[str, str]
    inside: tuple[str, ...]
    """Tags of the elements around it."""
    text: str = ""


@dataclass
class _Reader(HTMLParser):
    found: list[Element] = field(default_factory=list)
    open: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        element = Element(tag, attributes, tuple(one.tag for one in self.open))
        self.found.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.found.append(Element(tag, attributes, tuple(one.tag for one in self.open)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> without a start"
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data


def elements(page: str) -> list[Element]:
    """All elements of a page, in order; every one that is opened must be closed."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert not reader.open, f"<{reader.open[-1].tag}> is never closed"
    return reader.found


def rows(page: str, label: str) -> list[list[str]]:
    """Texts of the cells of a table with this label, its headings first."""
    start = page.index(f'aria-label="{label}"')
    table = page[page.rindex("<table", 0, start) : page.index("</table>", start)] + "</table>"
    found: list[list[str]] = []
    for element in elements(table):
        if element.tag == "tr":
            found.append([])
        elif element.tag in ("td", "th"):
            found[-1].append(element.text)
    return found

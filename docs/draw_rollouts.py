"""Draw the pictures of docs/dynamics.md: chains of states, the steps between, and their losses.

    python docs/draw_rollouts.py

`pictures` are their texts by file, which a test compares with the files.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

DIRECTORY = Path(__file__).with_name("images")

_RADIUS, _ACROSS, _DOWN, _LEFT = 19, 118, 84, 100
_INK, _PAPER = "#1b1f24", "#ffffff"
_NETWORK, _PHYSICS, _STORED, _LOSS = "#1f6feb", "#bc4c00", "#57606a", "#a40e26"
_Place = tuple[float, float]


class _Picture:
    """States at places (time, row), and what connects them; rows go down."""

    def __init__(self, steps: int, rows: Mapping[float, str]) -> None:
        """Begin an empty picture.

        Args:
            steps: Steps of the longest chain.
            rows: Names of the rows.
        """
        self._first = min(rows)
        self._width = _LEFT + _ACROSS * steps + 90
        self._top = 34
        self._height = self._top + _DOWN * (max(rows) - self._first) + 72
        self._lower: list[str] = []
        self._upper: list[str] = []
        for row, name in rows.items():
            y = self._y(row)
            self._upper.append(_text(10, y, name, _INK, anchor="start", size=13))

    def _y(self, row: float) -> float:
        return self._top + _DOWN * (row - self._first)

    def _at(self, place: _Place) -> _Place:
        return _LEFT + 28 + _ACROSS * place[0], self._y(place[1])

    def state(self, place: _Place, name: str, colour: str) -> None:
        """Add a state; a base and its index are parted by a space."""
        x, y = self._at(place)
        fill = "#f6f8fa" if colour == _STORED else colour
        ink = _INK if colour == _STORED else _PAPER
        self._upper.append(
            f'<circle cx="{x:g}" cy="{y:g}" r="{_RADIUS}" fill="{fill}" stroke="{colour}" '
            'stroke-width="2"/>'
        )
        base, _, index = name.partition(" ")
        sub = f'<tspan dy="4" font-size="11">{index}</tspan>' if index else ""
        self._upper.append(
            f'<text x="{x:g}" y="{y + 5:g}" font-size="16" font-style="italic" fill="{ink}" '
            f'text-anchor="middle">{base}{sub}</text>'
        )

    def step(self, start: _Place, end: _Place, colour: str) -> None:
        """Add an arrow, of the network or, dashed, of the physics."""
        (x0, y0), (x1, y1) = _shortened(self._at(start), self._at(end), _RADIUS + 3)
        name = "network" if colour == _NETWORK else "physics"
        dashes = "" if colour == _NETWORK else ' stroke-dasharray="7 4"'
        self._lower.append(
            f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" stroke="{colour}" '
            f'stroke-width="2.4"{dashes} marker-end="url(#{name})"/>'
        )

    def loss(self, start: _Place, end: _Place) -> None:
        """Add a link of two states that a loss compares."""
        (x0, y0), (x1, y1) = _shortened(self._at(start), self._at(end), _RADIUS + 2)
        self._lower.append(
            f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" stroke="{_LOSS}" '
            'stroke-width="4" stroke-dasharray="1 6" stroke-linecap="round"/>'
        )
        self._upper.append(
            _text((x0 + x1) / 2 + 9, (y0 + y1) / 2, "loss", _LOSS, anchor="start", size=12)
        )

    def residual(self, place: _Place, before: _Place, after: _Place) -> None:
        """Add the loss of a residual of two states."""
        x, y = self._at(place)
        for end in (before, after):
            (x0, y0), (x1, y1) = _shortened(self._at(end), (x, y), _RADIUS + 2)
            self._lower.append(
                f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" '
                f'stroke="{_PHYSICS}" stroke-width="2" stroke-dasharray="7 4"/>'
            )
        self._upper.append(
            f'<rect x="{x - 34:g}" y="{y - 14:g}" width="68" height="28" rx="4" fill="{_PAPER}" '
            f'stroke="{_LOSS}" stroke-width="2"/>'
        )
        self._upper.append(_text(x, y, "residual", _LOSS, size=13))

    def text(self, title: str) -> str:
        """The file, with a line that explains its signs.

        Args:
            title: Title for those who do not see it.
        """
        y = self._height - 16
        signs = [
            f'<line x1="10" y1="{y}" x2="44" y2="{y}" stroke="{_NETWORK}" stroke-width="2.4" '
            'marker-end="url(#network)"/>',
            _text(54, y, "network", _INK, anchor="start", size=12),
        ]
        of_physics = [
            f'<line x1="120" y1="{y}" x2="154" y2="{y}" stroke="{_PHYSICS}" stroke-width="2.4" '
            'stroke-dasharray="7 4" marker-end="url(#physics)"/>',
            _text(164, y, "physics", _INK, anchor="start", size=12),
        ]
        if any(_PHYSICS in line for line in self._lower):
            signs += of_physics
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{self._width:g}" '
                f'height="{self._height:g}" viewBox="0 0 {self._width:g} {self._height:g}" '
                'font-family="Helvetica, Arial, sans-serif" role="img">',
                f"<title>{title}</title>",
                "<defs>",
                *(_head("network", _NETWORK), _head("physics", _PHYSICS)),
                "</defs>",
                f'<rect width="100%" height="100%" rx="8" fill="{_PAPER}"/>',
                *(*self._lower, *self._upper, *signs),
                "</svg>",
                "",
            ]
        )


def _text(
    x: float, y: float, words: str, colour: str, anchor: str = "middle", size: int = 13
) -> str:
    lines = words.split("\n")
    first = y + 4 - 7.5 * (len(lines) - 1)
    spans = "".join(
        f'<tspan x="{x:g}" y="{first + 15 * number:g}">{line}</tspan>'
        for number, line in enumerate(lines)
    )
    return f'<text font-size="{size}" fill="{colour}" text-anchor="{anchor}">{spans}</text>'


def _head(name: str, colour: str) -> str:
    return (
        f'<marker id="{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="5" '
        f'markerHeight="5" orient="auto"><path d="M0 0 L10 5 L0 10 z" fill="{colour}"/></marker>'
    )


def _shortened(start: _Place, end: _Place, gap: float) -> tuple[_Place, _Place]:
    """A line without its ends."""
    across, down = end[0] - start[0], end[1] - start[1]
    share = gap / (across**2 + down**2) ** 0.5
    move = across * share, down * share
    return (start[0] + move[0], start[1] + move[1]), (end[0] - move[0], end[1] - move[1])


def _chain(picture: _Picture, steps: int) -> None:
    """The chain of a network, from a stored state on."""
    picture.state((0, 0), "u 0", _STORED)
    for level in range(steps):
        picture.step((level, 0), (level + 1, 0), _NETWORK)
        picture.state((level + 1, 0), f"s {level + 1}", _NETWORK)


def _stored(picture: _Picture, steps: int) -> None:
    """Stored states below a chain, and its losses."""
    for level in range(1, steps + 1):
        picture.state((level, 1), f"u {level}", _STORED)
        picture.loss((level, 0), (level, 1))


def _supervised() -> str:
    picture = _Picture(3, {0: "chain", 1: "stored"})
    _chain(picture, 3)
    _stored(picture, 3)
    return picture.text("Supervised: three steps of the network against a stored trajectory")


def _diverted() -> str:
    picture = _Picture(3, {-1: "branch of u₀", 0: "chain", 1: "branch of s₁"})
    _chain(picture, 3)
    for first, row, name in ((0, -1, "p"), (1, 1, "q")):
        before: _Place = (first, 0)
        for level in (first + 1, first + 2):
            picture.step(before, (level, row), _PHYSICS)
            picture.state((level, row), f"{name} {level}", _PHYSICS)
            picture.loss((level, 0), (level, row))
            before = level, row
    return picture.text(
        "Diverted chain: branches of two physics steps from each state of the chain, each compared "
        "with the steps of the network from the same state"
    )


def _diverted_by_one() -> str:
    picture = _Picture(3, {0: "chain", 1: "branches"})
    _chain(picture, 3)
    for level in range(3):
        picture.step((level, 0), (level + 1, 1), _PHYSICS)
        picture.state((level + 1, 1), f"p {level + 1}", _PHYSICS)
        picture.loss((level + 1, 0), (level + 1, 1))
    return picture.text(
        "Diverted chain with branches of one step: a physics step from each state of the chain, "
        "compared with the step of the network"
    )


def _mixed() -> str:
    picture = _Picture(4, {0: "chain", 1: "stored"})
    _chain(picture, 2)
    for level in (2, 3):
        picture.step((level, 0), (level + 1, 0), _PHYSICS)
        picture.state((level + 1, 0), f"p {level + 1}", _PHYSICS)
    _stored(picture, 4)
    return picture.text(
        "Mixed chain: two steps of the network and two of the physics behind them, against a "
        "stored trajectory"
    )


def _residual() -> str:
    picture = _Picture(3, {0: "chain", 1: "law"})
    _chain(picture, 3)
    for level in range(3):
        picture.residual((level + 0.5, 1), (level, 0), (level + 1, 0))
    return picture.text("Residual: the violation of a law between neighbouring states of the chain")


def pictures() -> Iterator[tuple[Path, str]]:
    """Yield files with their texts."""
    drawn = {
        "supervised": _supervised,
        "diverted-chain": _diverted,
        "diverted-chain-by-one": _diverted_by_one,
        "mix-chain": _mixed,
        "residual": _residual,
    }
    for name, draw in drawn.items():
        yield DIRECTORY / f"rollout-{name}.svg", draw()


if __name__ == "__main__":
    for file, text in pictures():
        file.write_text(text, encoding="utf-8")

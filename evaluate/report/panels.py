"""Panels of a figure of maps: each a map with its axes, and its colour scale below."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.markers import TICKDOWN, TICKLEFT
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from hypermagnetics.evaluate.report.rendering import INK, new_figure

PANEL, HEIGHT = 3.9, 4.7
"""Width and height of a panel [inch]."""
_LEFT, _SIDE, _BOTTOM = 0.62, 3.1, 1.28
"""Left end, side and lower end of the square of a map in its panel [inch]."""
_LOW_SIDE = 2.1
"""Height of a map whose axes are no lengths [inch]."""
_BAR_BOTTOM, _BAR_HEIGHT = 0.52, 0.13

_LONGEST_TITLE = 42
_SHORTEST_NAME = 12
_NOT_FINITE = "#9a9a9a"
LINE = "#262626"
"""Colour of lines on a map."""
# Colour-blind-safe colour maps of at most 256 colours, for images of one byte per pixel.
SIGNED = colormaps["RdBu_r"].resampled(200).with_extremes(bad=_NOT_FINITE)
POSITIVE = colormaps["cividis"].resampled(200).with_extremes(bad=_NOT_FINITE)
"""Colours of values of both signs, white at zero, and of lengths."""

Ends = tuple[tuple[float, float], tuple[float, float]]
"""Left and right, low and high."""


@dataclass(frozen=True)
class Panel:
    """A map, and the texts and colours that it is drawn with."""

    title: str
    label: str
    """Label of the colour scale."""
    values: np.ndarray
    """Rows from low to high."""
    limits: tuple[float, float]
    colours: Colormap
    image: Ends | None = None
    """Edges of the image in the units of the axes, if they are not those of the map."""


@dataclass(frozen=True)
class MapAxes:
    """Axes of a map."""

    ends: Ends
    names: tuple[str, str]
    """Names with units, such as "x [m]"."""
    is_to_scale: bool = True
    """Whether both are lengths, drawn in one scale."""


@dataclass(frozen=True)
class Place:
    """Place of a map in the figure [inch]."""

    axes: MapAxes
    corner_of_panel: tuple[float, float]
    ends: Ends

    @classmethod
    def of(cls, axes: MapAxes, column: int, low: float = 0.0, height: float = HEIGHT) -> "Place":
        """The largest place for a map, centred in its panel.

        Args:
            axes: Its axes.
            column: Number of the panel in its row.
            low: Lower end of the row [inch].
            height: Height of the row [inch]; see `row_height`.
        """
        wide, tall = _sides(axes)
        left = column * PANEL + _LEFT + (_SIDE - wide) / 2
        bottom = low + _BOTTOM + (height - HEIGHT + _SIDE - tall) / 2
        return cls(axes, (column * PANEL, low), ((left, left + wide), (bottom, bottom + tall)))

    @property
    def frame(self) -> dict[str, Any]:
        """Arguments of a matplotlib rectangle."""
        corner, (width, height) = self.corner_and_sides
        return {"xy": corner, "width": width, "height": height}

    @property
    def corner_and_sides(self) -> tuple[np.ndarray, np.ndarray]:
        """The lower left corner, and width and height."""
        ends = np.array(self.ends)
        return ends[:, 0], ends[:, 1] - ends[:, 0]

    def inches(self, points: np.ndarray) -> np.ndarray:
        """Convert points in the units of the axes to places in the figure [inch]."""
        ends = np.array(self.axes.ends, np.float64)
        corner, sides = self.corner_and_sides
        placed: np.ndarray = corner + (points - ends[:, 0]) / (ends[:, 1] - ends[:, 0]) * sides
        return placed


def row_height(axes: MapAxes) -> float:
    """Height of a row of panels that leaves no room above and below a low map [inch]."""
    return HEIGHT - _SIDE + _sides(axes)[1]


def _sides(axes: MapAxes) -> tuple[float, float]:
    """Width and height of a map [inch]."""
    if not axes.is_to_scale:
        return _SIDE, _LOW_SIDE
    extents = [high - low for low, high in axes.ends]
    # A strip thinner than an inch shows nothing: then one metre is longer one way.
    wide, tall = (max(_SIDE * extent / max(extents), 1.0) for extent in extents)
    return wide, tall


def empty_panels(columns: int, height: float = HEIGHT) -> tuple[Figure, Axes]:
    """A figure with coordinates in inches; separate axes would take 3 times as long."""
    width = columns * PANEL
    figure = new_figure(width, height)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    axes.set(xlim=(0, width), ylim=(0, height), autoscale_on=False)
    return figure, axes


def colour_limit(values: np.ndarray) -> float:
    """End of a colour scale; the few values beyond it, as at a dipole, saturate."""
    finite = np.abs(values[np.isfinite(values)])
    return (float(np.quantile(finite, 0.995)) if finite.size else 0.0) or 1.0


def about_zero(values: np.ndarray) -> tuple[float, float]:
    """Ends of a colour scale with zero in its middle."""
    limit = colour_limit(values)
    return -limit, limit


def colour_scale(
    values: np.ndarray, *, is_length: bool = False
) -> tuple[Colormap, tuple[float, float]]:
    """Colours of a map, and the values at their ends: about zero if both signs occur.

    Args:
        values: Values of the map.
        is_length: Whether they are lengths of vectors.
    """
    if is_length:
        return POSITIVE, (0.0, colour_limit(values))
    finite = values[np.isfinite(values)]
    low, high = float(finite.min(initial=0.0)), float(finite.max(initial=0.0))
    if low < 0 < high or low == high:
        return SIGNED, about_zero(values)
    low, high = float(finite.min()), float(finite.max())
    return POSITIVE, (low, high if high > low else low + (abs(low) or 1.0))


def fitted_title(title: str, name: str) -> str:
    """A title with a name in it, the beginning of which is left out if it is too long.

    Args:
        title: The title, with {} for the name.
        name: The name.
    """
    room = max(_LONGEST_TITLE - len(title) + 2, _SHORTEST_NAME)
    return title.format(name if len(name) <= room else "…" + name[1 - room :])


def draw_panel(axes: Axes, place: Place, panel: Panel) -> None:
    """Draw one map with its colour scale below it, complete in itself for a narrow page."""
    (left, right), (low, high) = place.ends
    ends = np.array(place.ends)
    if panel.image is not None:
        ends = place.inches(np.array(panel.image).T).T
    image = axes.imshow(
        np.ma.masked_invalid(panel.values),
        cmap=panel.colours,
        norm=Normalize(*panel.limits),
        extent=(float(ends[0, 0]), float(ends[0, 1]), float(ends[1, 0]), float(ends[1, 1])),
        origin="lower",
        interpolation="none",
        aspect="auto",
        zorder=1,
    )
    if panel.image is not None:
        image.set_clip_path(clip(axes, place))
    axes.add_patch(Rectangle(**place.frame, facecolor="none", edgecolor=INK, lw=0.8, zorder=4))
    middle, (panel_left, panel_low) = (left + right) / 2, place.corner_of_panel
    axes.text(middle, high + 0.1, panel.title, ha="center", va="baseline", size=10.5)
    right_name, up_name = place.axes.names
    axes.text(middle, low - 0.3, right_name, ha="center", va="top")
    axes.text(panel_left + 0.05, (low + high) / 2, up_name, ha="left", va="center", rotation=90)
    for values, along in zip(place.axes.ends, (True, False), strict=True):
        _ticks(axes, values, place.ends[0 if along else 1], low if along else left, along)
    _scale(axes, panel_left + _LEFT, panel_low + _BAR_BOTTOM, panel)


def clip(axes: Axes, place: Place) -> Rectangle:
    """A rectangle that cuts off all beyond a map."""
    return Rectangle(**place.frame, transform=axes.transData)


def _scale(axes: Axes, left: float, low: float, panel: Panel) -> None:
    ends = (left, left + _SIDE)
    axes.imshow(
        np.linspace(0, 1, panel.colours.N)[None],
        cmap=panel.colours,
        norm=Normalize(0, 1),
        extent=(*ends, low, low + _BAR_HEIGHT),
        interpolation="none",
        aspect="auto",
    )
    _ticks(axes, panel.limits, ends, low, along=True)
    axes.text(left + _SIDE / 2, low - 0.23, panel.label, ha="center", va="top")


def _ticks(
    axes: Axes,
    values: tuple[float, float],
    ends: tuple[float, float],
    border: float,
    along: bool,
) -> None:
    """Draw the ticks of an axis as marks and texts, 3 times as fast as separate axes."""
    found = np.asarray(MaxNLocator(5 if along else 6).tick_values(*values))
    span = values[1] - values[0]
    slack = 1e-6 * span
    # Numbers below an axis are wide, and those at its ends would be cut off.
    room = 0.06 * span if along else -slack
    numbers = found[(found >= values[0] + room) & (found <= values[1] - room)]
    places = np.atleast_1d(np.interp(numbers, values, ends))
    borders = np.full(len(places), border)
    ink: dict[str, Any] = {"color": INK, "lw": 0, "ms": 3.5, "mew": 0.8}
    if along:
        axes.plot(places, borders, marker=TICKDOWN, **ink)
    else:
        axes.plot(borders, places, marker=TICKLEFT, **ink)
    for number, place in zip(numbers, places, strict=True):
        text = f"{0.0 if abs(number) < slack else number:.4g}".replace("-", "\N{MINUS SIGN}")
        if along:
            axes.text(place, border - 0.08, text, ha="center", va="top", size=9)
        else:
            axes.text(border - 0.08, place, text, ha="right", va="center", size=9)

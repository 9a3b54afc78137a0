"""Maps of one sample: truth, prediction and error side by side."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.markers import TICKDOWN, TICKLEFT
from matplotlib.patches import FancyArrow, PathPatch, Rectangle
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator

from hypermagnetics.evaluate.report.rendering import INK, new_figure, style
from hypermagnetics.pictures import Drawing, in_plane
from hypermagnetics.pictures.field_lines import field_lines

PANEL, HEIGHT = 3.9, 4.7
"""Width and height of a panel [inch]."""
_LEFT, _SIDE, _BOTTOM = 0.62, 3.1, 1.28
"""Left end, side and lower end of the square of a map in its panel [inch]."""
_BAR_BOTTOM, _BAR_HEIGHT = 0.52, 0.13
_ARROW_HEAD = 0.043

_NOT_FINITE = "#9a9a9a"
_LINE = "#262626"
# Told apart by colour-blind readers; few enough colours for an image of one byte a point.
_SIGNED = colormaps["RdBu_r"].resampled(200).with_extremes(bad=_NOT_FINITE)
_POSITIVE = colormaps["cividis"].resampled(200).with_extremes(bad=_NOT_FINITE)


@dataclass(frozen=True)
class _Panel:
    title: str
    label: str
    """Label of the colour scale."""
    values: np.ndarray
    limits: tuple[float, float]
    colours: Colormap


@dataclass(frozen=True)
class _Place:
    """Place of a map in the figure [inch]."""

    ends: tuple[tuple[float, float], tuple[float, float]]
    """Left and right, low and high."""

    @classmethod
    def of(cls, drawing: Drawing, number: int) -> "_Place":
        """The largest place for a map, centred in the square of panel `number`."""
        extents = [float(axis[-1] - axis[0]) for axis in drawing.axes]
        # A strip thinner than an inch shows nothing: then one metre is longer one way.
        wide, tall = (max(_SIDE * extent / max(extents), 1.0) for extent in extents)
        left = number * PANEL + _LEFT + (_SIDE - wide) / 2
        low = _BOTTOM + (_SIDE - tall) / 2
        return cls(((left, left + wide), (low, low + tall)))

    @property
    def corner_and_sides(self) -> tuple[np.ndarray, np.ndarray]:
        """The lower left corner, and width and height."""
        ends = np.array(self.ends)
        return ends[:, 0], ends[:, 1] - ends[:, 0]

    @property
    def frame(self) -> dict[str, Any]:
        """Arguments of a matplotlib rectangle."""
        corner, (width, height) = self.corner_and_sides
        return {"xy": corner, "width": width, "height": height}

    def inches(self, drawing: Drawing, points: np.ndarray) -> np.ndarray:
        """Convert points [m] to places in the figure [inch]."""
        origin = np.array([axis[0] for axis in drawing.axes], np.float64)
        extents = np.array([axis[-1] for axis in drawing.axes], np.float64) - origin
        corner, sides = self.corner_and_sides
        placed: np.ndarray = corner + (points - origin) / extents * sides
        return placed


def potential_maps(drawing: Drawing) -> Figure:
    """Potential with field lines of H: true and predicted on one scale about zero, and the error.

    Args:
        drawing: The drawing.

    Returns:
        A figure of three panels of equal width.
    """
    error = drawing.potential - drawing.true_potential
    scale, own = _about_zero(drawing.true_potential), _about_zero(error)
    panels = (
        _Panel("True potential, field lines of H", "φ [A]", drawing.true_potential, scale, _SIGNED),
        _Panel("Predicted potential, field lines of H", "φ [A]", drawing.potential, scale, _SIGNED),
        _Panel("Error: predicted minus true", "error of φ [A]", error, own, _SIGNED),
    )
    fields = (drawing.true_field, drawing.field, None)
    with style():
        figure, axes = _empty()
        for number, (panel, field) in enumerate(zip(panels, fields, strict=True)):
            place = _panel(axes, number, drawing, panel)
            if field is not None:
                _lines(axes, place, field)
            _outlines(axes, place, drawing, dark=True)
            _moments(axes, place, drawing)
    return figure


def field_maps(drawing: Drawing) -> Figure:
    """Strength |H|, true and predicted on one scale, and the length of the error of H.

    Args:
        drawing: The drawing.

    Returns:
        A figure of three panels of equal width.
    """
    true, predicted, error = strengths(drawing)
    scale, own = (0.0, _limit(true)), (0.0, _limit(error))
    panels = (
        _Panel("True field", "|H| [A/m]", true, scale, _POSITIVE),
        _Panel("Predicted field", "|H| [A/m]", predicted, scale, _POSITIVE),
        _Panel("Error: |predicted minus true|", "|error of H| [A/m]", error, own, _POSITIVE),
    )
    with style():
        figure, axes = _empty()
        for number, panel in enumerate(panels):
            place = _panel(axes, number, drawing, panel)
            _outlines(axes, place, drawing, dark=False)
    return figure


def strengths(drawing: Drawing) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """|H| of truth and prediction, and the length of their difference [A/m]."""
    with np.errstate(invalid="ignore", over="ignore"):
        found = (drawing.true_vectors, drawing.vectors, drawing.vectors - drawing.true_vectors)
        true, predicted, error = (np.linalg.norm(vectors, axis=-1) for vectors in found)
    return true, predicted, error


def _empty() -> tuple[Figure, Axes]:
    """A figure with coordinates in inches; separate axes would take 3 times as long."""
    figure = new_figure(3 * PANEL, HEIGHT)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    axes.set(xlim=(0, 3 * PANEL), ylim=(0, HEIGHT), autoscale_on=False)
    return figure, axes


def _limit(values: np.ndarray) -> float:
    """End of a colour scale; the few values beyond it, as at a dipole, saturate."""
    finite = np.abs(values[np.isfinite(values)])
    return (float(np.quantile(finite, 0.995)) if finite.size else 0.0) or 1.0


def _about_zero(values: np.ndarray) -> tuple[float, float]:
    limit = _limit(values)
    return -limit, limit


def _panel(axes: Axes, number: int, drawing: Drawing, panel: _Panel) -> _Place:
    """Draw one map with its colour scale below it, complete in itself for a narrow page."""
    place = _Place.of(drawing, number)
    (left, right), (low, high) = place.ends
    axes.imshow(
        np.ma.masked_invalid(panel.values),
        cmap=panel.colours,
        norm=Normalize(*panel.limits),
        extent=(left, right, low, high),
        origin="lower",
        interpolation="none",
        aspect="auto",
        zorder=1,
    )
    axes.add_patch(Rectangle(**place.frame, facecolor="none", edgecolor=INK, lw=0.8, zorder=4))
    middle = (left + right) / 2
    axes.text(middle, high + 0.1, panel.title, ha="center", va="baseline", size=10.5)
    names = in_plane(max(drawing.true_vectors.shape[-1], 2), drawing.across)
    axes.text(middle, low - 0.3, f"{'xyz'[names[0]]} [m]", ha="center", va="top")
    axes.text(
        number * PANEL + 0.05,
        (low + high) / 2,
        f"{'xyz'[names[1]]} [m]",
        ha="left",
        va="center",
        rotation=90,
    )
    for axis, ends, along in zip(drawing.axes, place.ends, (True, False), strict=True):
        _ticks(axes, (float(axis[0]), float(axis[-1])), ends, low if along else left, along)
    _scale(axes, number * PANEL + _LEFT, panel)
    return place


def _scale(axes: Axes, left: float, panel: _Panel) -> None:
    ends = (left, left + _SIDE)
    axes.imshow(
        np.linspace(0, 1, panel.colours.N)[None],
        cmap=panel.colours,
        norm=Normalize(0, 1),
        extent=(*ends, _BAR_BOTTOM, _BAR_BOTTOM + _BAR_HEIGHT),
        interpolation="none",
        aspect="auto",
    )
    _ticks(axes, panel.limits, ends, _BAR_BOTTOM, along=True)
    axes.text(left + _SIDE / 2, _BAR_BOTTOM - 0.23, panel.label, ha="center", va="top")


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


def _lines(axes: Axes, place: _Place, field: np.ndarray) -> None:
    """Draw field lines as one path with gaps, and an arrow head on each as another."""
    corner, sides = place.corner_and_sides
    lines = [corner + sides * line for line in field_lines(field)]
    if not lines:
        return
    gap = np.full((1, 2), np.nan)
    joined = np.concatenate([part for line in lines for part in (line, gap)])
    axes.plot(*joined.T, color=_LINE, lw=0.6, solid_capstyle="butt")
    heads = np.concatenate([_head(line) for line in lines])
    codes = np.tile([Path.MOVETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY], len(lines))
    axes.add_patch(PathPatch(Path(heads, codes), facecolor=_LINE, edgecolor="none", zorder=2.1))


def _head(line: np.ndarray) -> np.ndarray:
    """Arrow head: a closed triangle in the middle of a line, along it."""
    middle = len(line) // 2
    along = line[middle] - line[middle - 1]
    along = along * (_ARROW_HEAD / max(float(np.linalg.norm(along)), np.finfo(float).tiny))
    side = np.array([-along[1], along[0]]) * 0.55
    tip = line[middle] + along
    return np.stack([tip, line[middle] - along / 2 + side, line[middle] - along / 2 - side, tip])


def _outlines(axes: Axes, place: _Place, drawing: Drawing, *, dark: bool) -> None:
    outlines = [place.inches(drawing, outline) for outline in drawing.outlines]
    # On maps that are dark here and light there: a light line in a dark one.
    widths = ((_LINE, 1.3),) if dark else (("#000000", 2.2), ("#ffffff", 1.0))
    for colour, width in widths:
        lines = PolyCollection(outlines, facecolor="none", edgecolor=colour, lw=width, zorder=3)
        axes.add_collection(lines, autolim=False)
        lines.set_clip_path(_clip(axes, place))


def _moments(axes: Axes, place: _Place, drawing: Drawing) -> None:
    for arrow in drawing.arrows:
        tail, head = place.inches(drawing, arrow)
        length = float(np.linalg.norm(head - tail))
        if length == 0:
            continue
        shape = FancyArrow(
            *tail,
            *(head - tail),
            width=0.028,
            head_width=0.11,
            head_length=min(0.12, length),
            length_includes_head=True,
            color=_LINE,
            lw=0,
            zorder=3.1,
        )
        axes.add_patch(shape)
        shape.set_clip_path(_clip(axes, place))


def _clip(axes: Axes, place: _Place) -> Rectangle:
    return Rectangle(**place.frame, transform=axes.transData)

"""Maps of one sample: truth, prediction and error side by side."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrow, PathPatch
from matplotlib.path import Path

from hypermagnetics.evaluate.report.panels import (
    LINE,
    POSITIVE,
    SIGNED,
    MapAxes,
    Panel,
    Place,
    about_zero,
    clip,
    colour_limit,
    draw_panel,
    empty_panels,
)
from hypermagnetics.evaluate.report.rendering import style
from hypermagnetics.pictures import Drawing, in_plane
from hypermagnetics.pictures.field_lines import field_lines

_ARROW_HEAD = 0.043


def potential_maps(drawing: Drawing) -> Figure:
    """Potential with field lines of H: true and predicted on one scale about zero, and the error.

    Args:
        drawing: The drawing.

    Returns:
        A figure of three panels of equal width.
    """
    error = drawing.potential - drawing.true_potential
    scale, own = about_zero(drawing.true_potential), about_zero(error)
    panels = (
        Panel("True potential, field lines of H", "φ [A]", drawing.true_potential, scale, SIGNED),
        Panel("Predicted potential, field lines of H", "φ [A]", drawing.potential, scale, SIGNED),
        Panel("Error: predicted minus true", "error of φ [A]", error, own, SIGNED),
    )
    fields = (drawing.true_field, drawing.field, None)
    with style():
        figure, axes = empty_panels(3)
        for number, (panel, field) in enumerate(zip(panels, fields, strict=True)):
            place = Place.of(_axes_of(drawing), number)
            draw_panel(axes, place, panel)
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
    scale, own = (0.0, colour_limit(true)), (0.0, colour_limit(error))
    panels = (
        Panel("True field", "|H| [A/m]", true, scale, POSITIVE),
        Panel("Predicted field", "|H| [A/m]", predicted, scale, POSITIVE),
        Panel("Error: |predicted minus true|", "|error of H| [A/m]", error, own, POSITIVE),
    )
    with style():
        figure, axes = empty_panels(3)
        for number, panel in enumerate(panels):
            place = Place.of(_axes_of(drawing), number)
            draw_panel(axes, place, panel)
            _outlines(axes, place, drawing, dark=False)
    return figure


def strengths(drawing: Drawing) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """|H| of truth and prediction, and the length of their difference [A/m]."""
    with np.errstate(invalid="ignore", over="ignore"):
        found = (drawing.true_vectors, drawing.vectors, drawing.vectors - drawing.true_vectors)
        true, predicted, error = (np.linalg.norm(vectors, axis=-1) for vectors in found)
    return true, predicted, error


def _axes_of(drawing: Drawing) -> MapAxes:
    names = in_plane(max(drawing.true_vectors.shape[-1], 2), drawing.across)
    right, up = ((float(axis[0]), float(axis[-1])) for axis in drawing.axes)
    return MapAxes((right, up), (f"{'xyz'[names[0]]} [m]", f"{'xyz'[names[1]]} [m]"))


def _lines(axes: Axes, place: Place, field: np.ndarray) -> None:
    """Draw field lines as one path with gaps, and an arrow head on each as another."""
    corner, sides = place.corner_and_sides
    lines = [corner + sides * line for line in field_lines(field)]
    if not lines:
        return
    gap = np.full((1, 2), np.nan)
    joined = np.concatenate([part for line in lines for part in (line, gap)])
    axes.plot(*joined.T, color=LINE, lw=0.6, solid_capstyle="butt")
    heads = np.concatenate([_head(line) for line in lines])
    codes = np.tile([Path.MOVETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY], len(lines))
    axes.add_patch(PathPatch(Path(heads, codes), facecolor=LINE, edgecolor="none", zorder=2.1))


def _head(line: np.ndarray) -> np.ndarray:
    """Arrow head: a closed triangle in the middle of a line, along it."""
    middle = len(line) // 2
    along = line[middle] - line[middle - 1]
    along = along * (_ARROW_HEAD / max(float(np.linalg.norm(along)), np.finfo(float).tiny))
    side = np.array([-along[1], along[0]]) * 0.55
    tip = line[middle] + along
    return np.stack([tip, line[middle] - along / 2 + side, line[middle] - along / 2 - side, tip])


def _outlines(axes: Axes, place: Place, drawing: Drawing, *, dark: bool) -> None:
    outlines = [place.inches(outline) for outline in drawing.outlines]
    # On maps that are dark here and light there: a light line in a dark one.
    widths = ((LINE, 1.3),) if dark else (("#000000", 2.2), ("#ffffff", 1.0))
    for colour, width in widths:
        lines = PolyCollection(outlines, facecolor="none", edgecolor=colour, lw=width, zorder=3)
        axes.add_collection(lines, autolim=False)
        lines.set_clip_path(clip(axes, place))


def _moments(axes: Axes, place: Place, drawing: Drawing) -> None:
    for arrow in drawing.arrows:
        tail, head = place.inches(arrow)
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
            color=LINE,
            lw=0,
            zorder=3.1,
        )
        axes.add_patch(shape)
        shape.set_clip_path(clip(axes, place))

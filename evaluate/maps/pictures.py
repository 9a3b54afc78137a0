"""Pictures of a sample: input, truth, prediction and error of a map side by side."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap

from hypermagnetics.evaluate.maps.measurement import truth_of
from hypermagnetics.evaluate.maps.samples import MapPlane, ReadMap, SampleMap
from hypermagnetics.evaluate.report.figures import csv_of_grid
from hypermagnetics.evaluate.report.formats import number, per_cent
from hypermagnetics.evaluate.report.inputs import RANK_NAMES
from hypermagnetics.evaluate.report.panels import (
    LINE,
    POSITIVE,
    SIGNED,
    Ends,
    MapAxes,
    Panel,
    Place,
    about_zero,
    clip,
    colour_limit,
    colour_scale,
    draw_panel,
    empty_panels,
    fitted_title,
    row_height,
)
from hypermagnetics.evaluate.report.rendering import Picture, style

_MOST_CHANNELS = 3
"""Channels of an imported array that are shown, each in a row."""
_ARROWS = 18
"""Arrows of the magnetisation along a side."""
_LEAST_ARROW = 0.05
"""Magnetisation with an arrow, as a share of the largest."""

_PANELS = 4
# Light where there is nothing, and light enough for arrows at the other end.
_DENSITY = ListedColormap(colormaps["YlOrBr"](np.linspace(0, 0.6, 200)), "magnetisation")

_Values = Float[np.ndarray, "across up"]
_ReadValues = Float[np.ndarray, "read_across read_up"]


@dataclass(frozen=True)
class _Row:
    """Values of one row of panels."""

    symbol: str
    """Symbol and unit of truth and prediction."""
    read: _ReadValues | None
    """None if the input has fewer channels."""
    read_symbol: str
    truth: _Values
    found: _Values
    error: _Values
    is_length: bool
    """Whether values are lengths of vectors."""


def map_picture(one: SampleMap) -> Picture:
    """Input, truth, prediction and error side by side.

    Fields are shown by their strength; of imported arrays the first channels, one below the other.

    Args:
        one: The map.

    Returns:
        A picture of four panels of equal width.
    """
    rows = _rows(one)
    axes_of_map = _axes(one.plane)
    height = row_height(axes_of_map)
    with style():
        figure, axes = empty_panels(_PANELS, len(rows) * height)
        for count, row in enumerate(rows):
            low = (len(rows) - 1 - count) * height
            places = [Place.of(axes_of_map, column, low, height) for column in range(_PANELS)]
            for place, panel in zip(places, _panels(one, row, count), strict=True):
                if panel is not None:
                    draw_panel(axes, place, panel)
            if one.read.name == "magnetisation":
                _arrows(axes, places[0], one)
    title = _title(one)
    bad = float(np.mean(~np.isfinite(one.found)))
    grey = f" Grey, {per_cent(bad)} % of the values: no finite prediction." if bad else ""
    return Picture(
        figure,
        csv_of_grid(_columns(one, rows)),
        f"Four maps side by side: input, true, predicted and error. {title} {_told(rows)}",
        title + grey,
        panels=_PANELS,
    )


def _rows(one: SampleMap) -> list[_Row]:
    """Rows of panels: one of a scalar or a field, and one for each channel of an imported array."""
    with np.errstate(invalid="ignore", over="ignore"):
        error = one.found.astype(np.float64) - one.truth
        if one.quantity in ("field", "field by differences"):
            truth, found, length = (
                np.linalg.norm(part, axis=0) for part in (one.truth, one.found, error)
            )
            read = _read_row(one.read, 0)
            return [_Row(f"|H| [{one.unit}]", *read, truth, found, length, is_length=True)]
    return [
        _Row(
            _symbol(one, channel),
            *_read_row(one.read, channel),
            one.truth[channel],
            one.found[channel],
            error[channel],
            is_length=False,
        )
        for channel in range(min(len(one.truth), _MOST_CHANNELS))
    ]


def _symbol(one: SampleMap, channel: int) -> str:
    if one.quantity == "potential":
        return f"φ [{one.unit}]"
    return _with_unit(_channel(one.what, channel, len(one.truth)), one.unit)


def _error_symbol(one: SampleMap) -> str:
    match one.quantity:
        case "potential":
            return f"error of φ [{one.unit}]"
        case "field" | "field by differences":
            return f"|error of H| [{one.unit}]"
        case "targets":
            return _with_unit("error", one.unit)


def _read_row(read: ReadMap, channel: int) -> tuple[_ReadValues | None, str]:
    """Values of the input in a row, with their symbol and unit."""
    match read.name:
        case "magnetisation" | "field":
            letter = "M" if read.name == "magnetisation" else "H"
            return np.linalg.norm(read.values, axis=0), f"|{letter}| [{read.unit}]"
        case "potential":
            return read.values[0], f"φ [{read.unit}]"
        case "inputs":
            if channel >= len(read.values):
                return None, ""
            name = _channel(read.what, channel, len(read.values))
            return read.values[channel], _with_unit(name, read.unit)


def _channel(name: str, channel: int, count: int) -> str:
    return name if count == 1 else f"channel {channel + 1} of {count}"


def _with_unit(name: str, unit: str) -> str:
    return f"{name} [{unit}]" if unit else name


def _panels(one: SampleMap, row: _Row, count: int) -> list[Panel | None]:
    colours, limits = colour_scale(row.truth, is_length=row.is_length)
    own = (POSITIVE, (0.0, colour_limit(row.error))) if row.is_length else None
    error_colours, error_limits = own or (SIGNED, about_zero(row.error))
    largest = np.abs(row.error[np.isfinite(row.error)]).max(initial=0.0)
    label = f"{_error_symbol(one)}, at most {number(float(largest))}"
    truth = truth_of(one.quantity) if one.quantity != "targets" else one.what
    sample = f"{one.split}[{one.sample}], {RANK_NAMES[one.rank]}"
    error = f"Error: {per_cent(one.relative_l2)} % (relative L2)"
    # Channels of a sample have one error in common.
    error = "Error: predicted minus true" if count else error
    return [
        None if row.read is None else _input_panel(one, row),
        Panel(
            fitted_title("True " + truth + ": {}", sample), row.symbol, row.truth.T, limits, colours
        ),
        Panel(
            fitted_title("{}: " + one.what, one.subject), row.symbol, row.found.T, limits, colours
        ),
        Panel(error, label, row.error.T, error_limits, error_colours),
    ]


def _input_panel(one: SampleMap, row: _Row) -> Panel:
    read, plane = one.read, one.plane
    assert row.read is not None, "it is shown"
    # A map that is given as well has the scale of its truth.
    shown = row.truth if row.read_symbol == row.symbol else row.read
    colours, limits = colour_scale(shown, is_length=read.name in ("magnetisation", "field"))
    if read.name == "magnetisation":
        colours = _DENSITY
    points = f", every {_ordinal(read.stride)} point" if read.stride > 1 else ""
    title = f"Input: {read.what}{points}"
    if plane.height is not None:
        title += f", {_height(plane)}"
    return Panel(title, row.read_symbol, row.read.T, limits, colours, _edges(read, plane))


def _axes(plane: MapPlane) -> MapAxes:
    """Axes from edge to edge of the pixels, whose middles are the points."""
    right, up = (
        (
            origin - plane.spacing * plane.every / 2,
            origin + (side - 0.5) * plane.spacing * plane.every,
        )
        for origin, side in zip(plane.origin, plane.sides, strict=True)
    )
    names = ("x [m]", "y [m]") if plane.is_metric else ("axis 1 [points]", "axis 2 [points]")
    return MapAxes((right, up), names)


def _edges(read: ReadMap, plane: MapPlane) -> Ends:
    """Edges of the pixels that a network reads, as wide as these are apart."""
    right, up = (
        (
            origin + plane.spacing * (read.first - read.step / 2),
            origin + plane.spacing * (read.first + (side - 0.5) * read.step),
        )
        for origin, side in zip(plane.origin, read.values.shape[1:], strict=True)
    )
    return right, up


def _arrows(axes: Axes, place: Place, one: SampleMap) -> None:
    """Draw directions of the magnetisation in the plane; lengths are in the colours."""
    read, plane = one.read, one.plane
    every = -(-max(read.values.shape[1:]) // _ARROWS)
    length = np.linalg.norm(read.values, axis=0)
    shown = np.zeros(length.shape, bool)
    shown[every // 2 :: every, every // 2 :: every] = True
    shown &= length > _LEAST_ARROW * length.max(initial=0.0)
    cells = np.argwhere(shown)
    along = read.values[:2, shown] / length[shown]
    if not len(cells):
        return
    middles = np.array(plane.origin) + plane.spacing * (read.first + read.step * cells)
    unit = place.inches(np.array(plane.origin) + plane.spacing * read.step * every)
    size = 0.8 * float(np.min(unit - place.inches(np.array(plane.origin))))
    arrows = axes.quiver(
        *place.inches(middles).T,
        *(size * along),
        angles="xy",
        scale_units="xy",
        scale=1,
        units="xy",
        width=0.1 * size,
        headwidth=4,
        headlength=4,
        headaxislength=4,
        pivot="mid",
        color=LINE,
        zorder=3,
    )
    arrows.set_clip_path(clip(axes, place))


def _ordinal(value: int) -> str:
    return f"{value}{ {2: 'nd', 3: 'rd'}.get(value, 'th') }"


def _height(plane: MapPlane) -> str:
    assert plane.height is not None, "it is a plane in space"
    return f"z = {number(plane.height)} m" if plane.is_metric else f"axis 3 at {plane.height:.0f}"


def _title(one: SampleMap) -> str:
    """Sentences on the sample, its plane, its error, and the input."""
    plane = f", in the plane {_height(one.plane)}" if one.plane.height is not None else ""
    channels = len(one.read.values) if one.read.name == "inputs" else 1
    most = max(channels, len(one.truth) if one.quantity == "targets" else 1)
    few = f" The first {_MOST_CHANNELS} channels are shown." if most > _MOST_CHANNELS else ""
    if one.plane.every > 1:
        few += f" Every {_ordinal(one.plane.every)} point is shown."
    others = f" The input holds {' and '.join(one.read.others)} as well." if one.read.others else ""
    return (
        f"{one.subject} on {one.dataset}, {one.split}[{one.sample}] ({RANK_NAMES[one.rank]})"
        f"{plane}. Relative L2 error of the {one.what}: {per_cent(one.relative_l2)} %."
        f"{few}{others}"
    )


def _told(rows: list[_Row]) -> str:
    parts = []
    for row in rows:
        ranges = []
        for name, values in (("true", row.truth), ("predicted", row.found), ("error", row.error)):
            finite = values[np.isfinite(values)]
            if finite.size:
                low, high = float(finite.min()), float(finite.max())
                ranges.append(f"{name} {number(low)} to {number(high)}")
            else:
                ranges.append(f"{name} nowhere finite")
        parts.append(f"{row.symbol}: {', '.join(ranges)}.")
    return " ".join(parts)


def _columns(one: SampleMap, rows: list[_Row]) -> dict[str, np.ndarray]:
    """Columns of the CSV file; the input is nan at points that are not read."""
    plane = one.plane
    coordinates = np.meshgrid(
        *(
            origin + plane.spacing * plane.every * np.arange(side)
            for origin, side in zip(plane.origin, plane.sides, strict=True)
        ),
        indexing="ij",
    )
    names = ("x", "y") if plane.is_metric else ("axis_1", "axis_2")
    found = dict(zip(names, coordinates, strict=True))
    for count, row in enumerate(rows, 1):
        after = f"_{count}" if len(rows) > 1 else ""
        if row.read is not None:
            found[f"input{after}"] = _at_points(one.read, row.read, plane)
        values = {"true": row.truth, "predicted": row.found, "error": row.error}
        found |= {f"{name}{after}": value for name, value in values.items()}
    return found


def _at_points(read: ReadMap, values: _ReadValues, plane: MapPlane) -> _Values:
    """Values that are read, on the grid of the truth; nan at points that are not read."""
    found = np.full(plane.sides, np.nan)
    own, theirs = [], []
    for side, count in zip(plane.sides, values.shape, strict=True):
        places = read.first + read.step * np.arange(count)
        inner = (places >= 0) & (places < side * plane.every) & (places % plane.every == 0)
        own.append(places[inner] // plane.every)
        theirs.append(np.flatnonzero(inner))
    found[np.ix_(*own)] = values[np.ix_(*theirs)]
    return found

"""Pictures of trajectories of states on a grid: truth, prediction and error side by side."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hypermagnetics.evaluate.report.figures import csv_of_grid
from hypermagnetics.evaluate.report.formats import number, per_cent
from hypermagnetics.evaluate.report.inputs import RANK_NAMES
from hypermagnetics.evaluate.report.panels import (
    SIGNED,
    MapAxes,
    Panel,
    Place,
    about_zero,
    colour_scale,
    draw_panel,
    empty_panels,
    fitted_title,
    row_height,
)
from hypermagnetics.evaluate.report.rendering import Picture, style
from hypermagnetics.evaluate.rollouts.samples import SampleRollout

_PANELS = 3
_MOST_CHANNELS = 3
_MOST_POINTS = 320
"""Points along a side that are shown; a panel of the page has fewer pixels."""

_Plane = Float[np.ndarray, "across up"]


@dataclass(frozen=True)
class _Shown:
    """The plane that is shown of a sample."""

    axes: MapAxes
    columns: tuple[str, str]
    """Names of the axes in the CSV file."""
    coordinates: tuple[np.ndarray, np.ndarray]
    truth: Float[np.ndarray, "channels across up"]
    found: Float[np.ndarray, "channels across up"]
    where: str
    """Place of the plane, for titles."""


def grid_picture(one: SampleRollout) -> Picture:
    """Truth, prediction and error: along a line against time, of others the last state.

    Of states in space the plane in the middle of the last axis is shown, of many channels the first
    ones, one below the other.

    Args:
        one: The trajectory.

    Returns:
        A picture of three panels of equal width.
    """
    shown = _against_time(one) if one.last_truth.ndim == 2 else _last_state(one)
    count = min(len(shown.truth), _MOST_CHANNELS)
    height = row_height(shown.axes)
    with np.errstate(invalid="ignore", over="ignore"):
        error = shown.found - shown.truth
    with style():
        figure, axes = empty_panels(_PANELS, count * height)
        for channel in range(count):
            low = (count - 1 - channel) * height
            for column, panel in enumerate(_panels(one, shown, error[channel], channel)):
                draw_panel(axes, Place.of(shown.axes, column, low, height), panel)
    columns = dict(zip(shown.columns, np.meshgrid(*shown.coordinates, indexing="ij"), strict=True))
    for channel in range(count):
        after = f"_{channel + 1}" if count > 1 else ""
        columns |= {
            f"true{after}": shown.truth[channel],
            f"predicted{after}": shown.found[channel],
            f"error{after}": error[channel],
        }
    title = _title(one, shown, len(shown.truth))
    largest = np.abs(error[np.isfinite(error)]).max(initial=0.0)
    return Picture(
        figure,
        csv_of_grid(columns),
        f"Three maps side by side: true, predicted and error. {title} Largest error: "
        f"{number(float(largest))}.",
        title,
        panels=_PANELS,
    )


def _against_time(one: SampleRollout) -> _Shown:
    every = -(-one.truth.shape[2] // _MOST_POINTS)
    truth, found = (np.moveaxis(states[..., ::every], 0, 1) for states in (one.truth, one.found))
    step = one.time.step * one.every
    times, points = step * np.arange(truth.shape[1]), every * np.arange(truth.shape[2])
    ends = ((-step / 2, times[-1] + step / 2), (-every / 2, points[-1] + every / 2))
    return _Shown(
        MapAxes(ends, (one.time.name, "place [points]"), is_to_scale=False),
        (one.time.column, "point"),
        (times, points),
        truth,
        found,
        "",
    )


def _last_state(one: SampleRollout) -> _Shown:
    truth, found, where = one.last_truth, one.last_found, f" after {one.num_steps} steps"
    if truth.ndim == 4:
        middle = truth.shape[-1] // 2
        truth, found = truth[..., middle], found[..., middle]
        where += f", axis 3 at {middle}"
    every = -(-max(truth.shape[1:]) // _MOST_POINTS)
    truth, found = (state[:, ::every, ::every] for state in (truth, found))
    across, up = (every * np.arange(side) for side in truth.shape[1:])
    ends = tuple((-every / 2, one[-1] + every / 2) for one in (across, up))
    return _Shown(
        MapAxes((ends[0], ends[1]), ("axis 1 [points]", "axis 2 [points]")),
        ("axis_1", "axis_2"),
        (across, up),
        truth,
        found,
        where,
    )


def _panels(one: SampleRollout, shown: _Shown, error: _Plane, channel: int) -> list[Panel]:
    truth, found = shown.truth[channel], shown.found[channel]
    several = len(shown.truth) > 1
    symbol = f"channel {channel + 1} of {len(shown.truth)}" if several else one.what
    unit = f" [{one.unit}]" if one.unit else ""
    colours, limits = colour_scale(truth)
    largest = np.abs(error[np.isfinite(error)]).max(initial=0.0)
    sample = f"{one.split}[{one.sample}], {RANK_NAMES[one.rank]}"
    return [
        Panel(fitted_title("True: {}", sample), symbol + unit, truth.T, limits, colours),
        Panel(fitted_title("Predicted: {}", one.subject), symbol + unit, found.T, limits, colours),
        Panel(
            "Error: predicted minus true",
            f"error{unit}, at most {number(float(largest))}",
            error.T,
            about_zero(error),
            SIGNED,
        ),
    ]


def _title(one: SampleRollout, shown: _Shown, channels: int) -> str:
    few = f" The first {_MOST_CHANNELS} channels are shown." if channels > _MOST_CHANNELS else ""
    bad = float(np.mean(~np.isfinite(shown.found)))
    grey = f" Grey, {per_cent(bad)} % of the values: no finite prediction." if bad else ""
    where = f" Shown is the state{shown.where}." if shown.where else ""
    return (
        f"{one.subject} on {one.dataset}, {one.split}[{one.sample}] ({RANK_NAMES[one.rank]} at the "
        f"last step). Relative L2 error of the {one.what} after {one.num_steps} steps: "
        f"{per_cent(one.relative_l2)} %.{where}{few}{grey}"
    )

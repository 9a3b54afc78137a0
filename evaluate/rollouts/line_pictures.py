"""Pictures of trajectories of few components: lines against time."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from hypermagnetics.evaluate.report.chart_axes import Look, framed, labelled, looks
from hypermagnetics.evaluate.report.figures import csv_text
from hypermagnetics.evaluate.report.formats import number, per_cent
from hypermagnetics.evaluate.report.inputs import RANK_NAMES
from hypermagnetics.evaluate.report.rendering import INK, Picture, style
from hypermagnetics.evaluate.rollouts.samples import SampleRollout

_MOST_PANELS = 4
_PER_ROW = 2
_BEYOND = 0.6
"""Part of the range of the truth that predictions beyond it are followed."""
_AXES = "xyz"


@dataclass(frozen=True)
class _Line:
    """A number along a trajectory."""

    name: str
    """Name in the legend."""
    column: str
    """Name in the CSV file."""
    truth: Float[np.ndarray, " states"]
    found: Float[np.ndarray, " states"]


@dataclass(frozen=True)
class _Panel:
    title: str
    y: str
    """Name of the axis, with its unit."""
    lines: tuple[_Line, ...]


def line_picture(one: SampleRollout) -> Picture:
    """Components against time: of moments a panel for each source, of others one for each.

    Args:
        one: The trajectory.

    Returns:
        A picture of at most four panels, truth solid and prediction dashed.
    """
    every = list(_of_moments(one) if one.is_of_moments else _of_components(one))
    panels = every[:_MOST_PANELS]
    names = list(dict.fromkeys(line.name for panel in panels for line in panel.lines))
    shown = {name: Look(look.name, look.colour, "") for name, look in looks(names).items()}
    times = one.time.step * one.every * np.arange(len(one.truth))
    with style():
        figure, axes = framed(list(shown.values()), panels=len(panels))
        for place, panel in zip(axes, panels, strict=True):
            for line in panel.lines:
                colour = shown[line.name].colour
                truth = colour if len(panel.lines) > 1 else INK
                place.plot(times, line.truth, color=truth, lw=1.2)
                place.plot(times, line.found, color=colour, lw=1.6, ls=(0, (3, 1.6)))
            labelled(
                place, f"{panel.title}: true (solid), predicted (dashed)", one.time.name, panel.y
            )
            _limit(place, panel)
            place.locator_params(axis="x", nbins=6)
            place.margins(x=0.01)
    title = _title(one, len(every), len(panels))
    columns = {"step": one.every * np.arange(len(one.truth)), one.time.column: times}
    for panel in every:
        for line in panel.lines:
            columns |= {f"true_{line.column}": line.truth, f"predicted_{line.column}": line.found}
    return Picture(
        figure,
        csv_text(
            tuple(columns), zip(*(values.tolist() for values in columns.values()), strict=True)
        ),
        f"Lines against time. {title} {_told(panels)}",
        title,
        panels=len(panels),
        per_row=_PER_ROW if len(panels) > _PER_ROW else None,
    )


def _of_moments(one: SampleRollout) -> Iterator[_Panel]:
    """Yield a panel for each source, in units of its magnitude at the start."""
    start = np.linalg.norm(one.truth[0], axis=-1)
    for source in np.flatnonzero(start > 0):  # rows of no moment are padding
        lines = tuple(
            _Line(
                f"m{_AXES[axis]}",
                f"source_{source + 1}_m{_AXES[axis]}",
                *(states[:, source, axis] / start[source] for states in (one.truth, one.found)),
            )
            for axis in range(one.truth.shape[-1])
        )
        yield _Panel(f"Source {source + 1}", "m / |m(0)|", lines)


def _of_components(one: SampleRollout) -> Iterator[_Panel]:
    """Yield a panel for each component."""
    for component in range(one.truth.shape[-1]):
        line = _Line(
            one.what,
            f"component_{component + 1}",
            one.truth[:, component],
            one.found[:, component],
        )
        unit = f" [{one.unit}]" if one.unit else ""
        yield _Panel(f"Component {component + 1}", f"{one.what}{unit}", (line,))


def _limit(axes: Axes, panel: _Panel) -> None:
    """Keep the truth visible beside predictions that leave its range by far."""
    truth = np.concatenate([line.truth for line in panel.lines])
    low, high = float(truth.min()), float(truth.max())
    beyond = _BEYOND * ((high - low) or 1.0)
    found = np.concatenate([line.found for line in panel.lines])
    found = found[np.isfinite(found)]
    ends = (
        max(float(found.min(initial=low)), low - beyond),
        min(float(found.max(initial=high)), high + beyond),
    )
    margin = 0.05 * (ends[1] - ends[0] or 1.0)
    axes.set_ylim(ends[0] - margin, ends[1] + margin)


def _title(one: SampleRollout, total: int, shown: int) -> str:
    noun = "sources" if one.is_of_moments else "components"
    few = f" The first {shown} of {total} {noun} are shown." if shown < total else ""
    return (
        f"{one.subject} on {one.dataset}, {one.split}[{one.sample}] ({RANK_NAMES[one.rank]} at the "
        f"last step). Relative L2 error of the {one.what} after {one.num_steps} steps: "
        f"{per_cent(one.relative_l2)} %.{few}"
    )


def _told(panels: list[_Panel]) -> str:
    return " ".join(
        f"{panel.title}, at the end: "
        + ", ".join(
            f"{line.name} true {number(float(line.truth[-1]))}, predicted "
            f"{number(float(line.found[-1]))}"
            for line in panel.lines
        )
        + "."
        for panel in panels
    )

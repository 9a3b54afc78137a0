"""Curves of one or several runs in one picture."""

import io
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from hypermagnetics.pictures.style import plain_style
from hypermagnetics.train.plotting.history import Curve, History

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
"""Colours for colour-blind readers: Okabe and Ito, Color Universal Design, 2008."""

_Style = Literal["-", "--", ":", "-."]
_STYLES: tuple[_Style, ...] = ("-", "--", ":", "-.")
_DOTS_PER_INCH = 110
_INK = "0.25"


@plain_style()
def plot_runs(histories: Sequence[History]) -> bytes:
    """Plot loss and its terms, validation errors, learning rate, speed and wait, against the step.

    Colours distinguish runs; line styles distinguish the curves of a run in a panel.

    Args:
        histories: The runs.

    Returns:
        A PNG file.
    """
    figure = Figure(figsize=(12.5, 7.2), layout="constrained", dpi=_DOTS_PER_INCH)
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 3, sharex=True)
    for axis in axes[-1]:
        axis.set_xlabel("step")
        axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    panels = (_loss, _terms, _errors, _learning_rate, _speed, _wait)
    colours = _colours(len(histories))
    for axis, panel in zip(axes.flat, panels, strict=True):
        axis.grid(alpha=0.3)
        panel(axis, histories, colours)
    runs = [Line2D([], [], color=colour, lw=3) for colour in colours]
    figure.legend(
        runs,
        _names(histories),
        loc="outside upper center",
        ncols=min(len(runs), 5),
        frameon=False,
    )
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _loss(axes: Axes, histories: Sequence[History], colours: Sequence[str]) -> None:
    for history, colour in zip(histories, colours, strict=True):
        _draw(axes, history.curve("loss"), colour, "-", thin=True)
        _draw(axes, history.curve("validation/loss"), colour, "--")
    _logarithmic(axes, "Loss")
    _explain(axes, ("training", "-"), ("validation", "--"))


def _terms(axes: Axes, histories: Sequence[History], colours: Sequence[str]) -> None:
    names = list(dict.fromkeys(name for history in histories for name in history.terms))
    styles = {name: _STYLES[number % len(_STYLES)] for number, name in enumerate(names)}
    for history, colour in zip(histories, colours, strict=True):
        for name in history.terms:
            _draw(axes, history.curve(name), colour, styles[name], thin=True)
    _logarithmic(axes, "Terms of the training loss")
    _explain(axes, *((name.removeprefix("losses/"), style) for name, style in styles.items()))


def _errors(axes: Axes, histories: Sequence[History], colours: Sequence[str]) -> None:
    of_sources: tuple[tuple[str, _Style], ...] = (("potential", "-"), ("field", "--"))
    of_arrays: tuple[tuple[str, _Style], ...] = (("targets", "-"), ("jacobian", "--"))
    known = {name for history in histories for name in history.curves}
    has_arrays = "validation/targets_median_relative_error" in known
    has_sources = "validation/potential_median_relative_error" in known or not has_arrays
    kinds = (*(of_sources if has_sources else ()), *(of_arrays if has_arrays else ()))
    for history, colour in zip(histories, colours, strict=True):
        for kind, style in kinds:
            curve = history.curve(f"validation/{kind}_median_relative_error")
            _draw(axes, curve, colour, style, scale=100.0)
    _logarithmic(axes, "Validation: median relative error [%]")
    _explain(axes, *kinds)


def _learning_rate(axes: Axes, histories: Sequence[History], colours: Sequence[str]) -> None:
    _single(axes, histories, colours, "learning_rate")
    axes.set_title("Learning rate")
    axes.set_ylim(bottom=0)


def _speed(axes: Axes, histories: Sequence[History], colours: Sequence[str]) -> None:
    _single(axes, histories, colours, "samples_per_second")
    axes.set_title("Samples per second (mean of ten lines)")
    axes.set_ylim(bottom=0)


def _wait(axes: Axes, histories: Sequence[History], colours: Sequence[str]) -> None:
    _single(axes, histories, colours, "wait_share", scale=100.0)
    axes.set_title("Wait for the loader [% of the time]")
    # Noise about nothing should look like nothing.
    axes.set_ylim(0, max(axes.get_ylim()[1], 10))


def _single(
    axes: Axes, histories: Sequence[History], colours: Sequence[str], name: str, scale: float = 1.0
) -> None:
    for history, colour in zip(histories, colours, strict=True):
        _draw(axes, history.curve(name), colour, "-", scale=scale)


def _draw(
    axes: Axes, curve: Curve, colour: str, style: _Style, *, thin: bool = False, scale: float = 1.0
) -> None:
    values = scale * np.array(curve.values)
    # A curve of one point, or of points with gaps between them, is seen by its markers.
    few = np.isfinite(values).sum() <= 30
    marker = "o" if few else ""
    width = 1.0 if thin else 1.5
    axes.plot(curve.steps, values, color=colour, ls=style, lw=width, marker=marker, markersize=3)


def _logarithmic(axes: Axes, title: str) -> None:
    axes.set_title(title)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _explain(axes: Axes, *styles: tuple[str, _Style]) -> None:
    """Add a legend for the styles of lines, whatever their colours."""
    if len(styles) > 1:
        lines = [Line2D([], [], color=_INK, linestyle=style) for _, style in styles]
        axes.legend(lines, [name for name, _ in styles], fontsize="small", framealpha=0.8)


def _colours(count: int) -> Sequence[str]:
    if count <= len(_COLOURS):
        return _COLOURS[:count]
    shades: Callable[[np.ndarray], np.ndarray] = colormaps["viridis"]
    return [str(_hex(shade)) for shade in shades(np.linspace(0, 0.9, count))]


def _hex(shade: np.ndarray) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in shade[:3])


def _names(histories: Sequence[History]) -> list[str]:
    """The names of the runs, numbered where they are the same."""
    names = [history.name for history in histories]
    return [
        f"{name} ({number})" if names.count(name) > 1 else name
        for number, name in enumerate(names, 1)
    ]

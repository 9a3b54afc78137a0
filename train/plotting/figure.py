"""Curves of one or several runs in one picture."""

import io
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

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
_CUT_FROM = 10.0
"""Ratio of the range of all losses to that of the last three quarters of a run, beyond which an
axis that is not logarithmic leaves out the large losses of the first steps."""
_MARGIN = 0.05
_FEW_DECADES = 1e4
"""Ratio of the ends of a logarithmic axis up to which 2 and 5 of each decade have a label."""


def plot_runs(histories: Sequence[History]) -> bytes:
    """Picture of `figure_of`, a PNG file; arguments as of it."""
    file = io.BytesIO()
    with plain_style():
        figure_of(histories).savefig(file, format="png")
    return file.getvalue()


@plain_style()
def figure_of(histories: Sequence[History]) -> Figure:
    """Plot loss and its terms, validations, learning rate, speed and wait, against the step.

    A validation has median relative errors, or the Fisher information of summaries.

    Colours distinguish runs; line styles distinguish the curves of a run in a panel.

    Args:
        histories: The runs.

    Returns:
        The figure.
    """
    figure = Figure(figsize=(12.5, 7.2), layout="constrained", dpi=_DOTS_PER_INCH)
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 3, sharex=True)
    for axis in axes[-1]:
        axis.set_xlabel("step")
        axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    panels = (_loss, _terms, _validations, _learning_rate, _speed, _wait)
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
    return figure


def _loss(axes: Axes, histories: Sequence[History], colours: Sequence[str]) -> None:
    for history, colour in zip(histories, colours, strict=True):
        _draw(axes, history.curve("loss"), colour, "-", thin=True)
        _draw(axes, history.curve("validation/loss"), colour, "--")
    _of_losses(axes, "Loss")
    _explain(axes, ("training", "-"), ("validation", "--"))


def _terms(axes: Axes, histories: Sequence[History], colours: Sequence[str]) -> None:
    names = list(dict.fromkeys(name for history in histories for name in history.terms))
    styles = {name: _STYLES[number % len(_STYLES)] for number, name in enumerate(names)}
    for history, colour in zip(histories, colours, strict=True):
        for name in history.terms:
            _draw(axes, history.curve(name), colour, styles[name], thin=True)
    _of_losses(axes, "Terms of the training loss")
    _explain(axes, *((name.removeprefix("losses/"), style) for name, style in styles.items()))


class _Numbers(NamedTuple):
    """Numbers of the validations of a kind of training."""

    title: str
    curves: tuple[tuple[str, str, _Style], ...]
    """Label, name of the curve and style of each."""
    scale: float


_ERRORS, _PER_CENT = "median relative error [%]", 100.0
_OF_SOURCES = _Numbers(
    _ERRORS,
    (
        ("potential", "validation/potential_median_relative_error", "-"),
        ("field", "validation/field_median_relative_error", "--"),
    ),
    _PER_CENT,
)
_OF_ARRAYS = _Numbers(
    _ERRORS,
    (
        ("targets", "validation/targets_median_relative_error", "-"),
        ("jacobian", "validation/jacobian_median_relative_error", "--"),
    ),
    _PER_CENT,
)
_OF_SUMMARIES = _Numbers(
    "det F, det C, factor r of the scale",
    (
        ("det F", "validation/determinant", "-"),
        ("det C", "validation/covariance_determinant", "--"),
        ("r", "validation/scale_strength", ":"),
    ),
    1.0,
)


def _validations(axes: Axes, histories: Sequence[History], colours: Sequence[str]) -> None:
    known = {name for history in histories for name in history.curves}
    every = (_OF_SOURCES, _OF_ARRAYS, _OF_SUMMARIES)
    # Before the first validation it is not known, and most trainings are of sources.
    found = [one for one in every if one.curves[0][1] in known] or [_OF_SOURCES]
    for history, colour in zip(histories, colours, strict=True):
        for kind in found:
            for _, name, style in kind.curves:
                _draw(axes, history.curve(name), colour, style, scale=kind.scale)
    titles = dict.fromkeys(kind.title for kind in found)
    _logarithmic(axes, f"Validation: {'; '.join(titles)}")
    _explain(axes, *((label, style) for kind in found for label, _, style in kind.curves))


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


def _of_losses(axes: Axes, title: str) -> None:
    """Let an axis show losses: in logarithms, unless some are negative, as -ln det F."""
    values = [np.asarray(line.get_ydata(), np.float64) for line in axes.get_lines()]
    if not any(np.any(each < 0) for each in values):
        _logarithmic(axes, title)
        return
    axes.set_title(title)
    every = _finite(values)
    later = _finite([each[len(each) // 4 :] for each in values])
    low, span = every.min(), np.ptp(later) if len(later) else 0.0
    if span > 0 and np.ptp(every) > _CUT_FROM * span:
        axes.set_ylim(low - _MARGIN * span, later.max() + _MARGIN * span)


def _finite(curves: Sequence[np.ndarray]) -> np.ndarray:
    pooled = np.concatenate(curves)
    found: np.ndarray = pooled[np.isfinite(pooled)]
    return found


def _logarithmic(axes: Axes, title: str) -> None:
    axes.set_title(title)
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    between = (1, 2, 5) if high < _FEW_DECADES * low else (1,)
    axes.yaxis.set_major_locator(LogLocator(subs=between))
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

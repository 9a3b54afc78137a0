"""A picture of one sample: the truth, the prediction, and their difference."""

import io

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from hypermagnetics.pictures.drawing import Drawing
from hypermagnetics.pictures.style import plain_style

_COLOURS = "RdBu_r"  # diverging, and told apart by colour-blind readers
_INK = "0.15"


@plain_style()
def png_of(
    drawing: Drawing, title: str, *, dots_per_inch: int = 150, field_lines: bool = True
) -> bytes:
    """Three panels as a PNG file: true potential, predicted potential, and their difference.

    Lines are field lines of H, if they are asked for, outlines the bodies, arrows their moments, as
    far as they lie in the plane. Truth and prediction share one colour scale; the error has its
    own.

    Args:
        drawing: Drawing to show.
        title: Title on top.
        dots_per_inch: Resolution; the picture is 13.5 inches wide.
        field_lines: Whether to draw them, which takes half of the time.

    Returns:
        The file.
    """
    # A figure of its own: pyplot would keep it, and ask for a screen.
    figure = Figure(figsize=(13.5, 4.9), layout="constrained", dpi=dots_per_inch)
    FigureCanvasAgg(figure)
    true_axes, axes, error_axes = figure.subplots(1, 3, sharex=True, sharey=True)
    limit = _limit(drawing.true_potential)
    _map(true_axes, drawing, drawing.true_potential, limit)
    shared = _map(axes, drawing, drawing.potential, limit)
    error = drawing.potential - drawing.true_potential
    own = _map(error_axes, drawing, error, _limit(error))
    lines = " and field lines" if field_lines else ""
    true_axes.set(title=f"True potential{lines}", ylabel="y [m]")
    axes.set(title=f"Predicted potential{lines}")
    error_axes.set(title="Error: predicted minus true potential")
    if field_lines:
        _field_lines(true_axes, drawing, drawing.true_field)
        _field_lines(axes, drawing, drawing.field)
    for image, beside, label in (
        (shared, [true_axes, axes], "φ [A]"),
        (own, [error_axes], "error of φ [A]"),
    ):
        figure.colorbar(
            image, ax=beside, label=label, extend="both", shrink=0.85, aspect=25, pad=0.02
        )
    figure.suptitle(title, fontsize=12)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _limit(values: np.ndarray) -> float:
    """Limit of a colour scale about zero; the few values beyond it, as at a dipole, saturate."""
    finite = np.abs(values[np.isfinite(values)])
    limit = float(np.quantile(finite, 0.995)) if finite.size else 0.0
    return limit or 1.0


def _map(axes: Axes, drawing: Drawing, values: np.ndarray, limit: float) -> ScalarMappable:
    x, y = drawing.axes
    axes.set_facecolor("0.7")  # shows where a prediction is not finite
    image = axes.pcolormesh(
        x,
        y,
        np.ma.masked_invalid(values),
        cmap=_COLOURS,
        norm=Normalize(-limit, limit),
        shading="gouraud",
        rasterized=True,
    )
    _bodies(axes, drawing)
    axes.set(xlabel="x [m]", aspect="equal", xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    return image


def _bodies(axes: Axes, drawing: Drawing) -> None:
    axes.add_collection(
        PolyCollection(drawing.outlines, closed=True, facecolor="none", edgecolor=_INK, lw=1.3)
    )
    tails, heads = drawing.arrows[:, 0], drawing.arrows[:, 1]
    axes.quiver(
        *tails.T,
        *(heads - tails).T,
        angles="xy",
        scale_units="xy",
        scale=1,
        color=_INK,
        width=0.006,
        headwidth=3.5,
        headlength=4,
        headaxislength=4,
        minshaft=1.5,
        zorder=3,
    )


def _field_lines(axes: Axes, drawing: Drawing, field: np.ndarray) -> None:
    # In float64, which the equal spacing that streamplot asks for survives.
    x, y = (np.linspace(float(axis[0]), float(axis[-1]), axis.size) for axis in drawing.axes)
    u, v = np.ma.masked_invalid(np.moveaxis(field.astype(np.float64), -1, 0))
    axes.streamplot(
        x,
        y,
        u,
        v,
        color="0.25",
        linewidth=0.55,
        density=1.1,
        arrowsize=0.6,
        broken_streamlines=True,
    )

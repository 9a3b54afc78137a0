"""A picture of one sample: the truth, the prediction, and their difference."""

from dataclasses import dataclass
from pathlib import Path

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from hypermagnetics.data import Block
from hypermagnetics.evaluate.predict import FieldModel, predict
from hypermagnetics.files import atomic_file
from hypermagnetics.sources import Kernel, block_superposition

_RESOLUTION = 128
_COLOURS = "RdBu_r"  # diverging, and told apart by colour-blind readers
_INK = "0.15"
_DOTS_PER_INCH = 150
_TINY = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class Drawing:
    """A sample on a regular grid; arrays have shape (y, x), fields (y, x, 2)."""

    axes: tuple[np.ndarray, np.ndarray]
    """Coordinates x and y of the grid [m]."""
    sources: np.ndarray
    """Rows [moment, position] of the sources, no padding."""
    radius: float | None
    """Radius of the bodies [m]; None for dipoles."""
    true_potential: np.ndarray
    true_field: np.ndarray
    potential: np.ndarray
    field: np.ndarray


def draw_sample(model: FieldModel, kernel: Kernel, block: Block, radius: float | None) -> Drawing:
    """Compute what a picture shows, on 128 x 128 points that cover the grid of the sample.

    Args:
        model: The model.
        kernel: Closed form of the bodies.
        block: A block of one sample.
        radius: Radius of the bodies [m]; None for dipoles.

    Returns:
        The truth and the prediction.
    """
    low, high = block.grid.min(axis=0), block.grid.max(axis=0)
    if (low == high).any():  # a grid without extent, as of a single point: show what is around it
        margin = radius or 1.0
        low, high = low - margin, high + margin
    x, y = np.linspace(low, high, _RESOLUTION, dtype=np.float32).T
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    true_potential, true_field = eqx.filter_jit(block_superposition)(
        kernel, jnp.asarray(block.sources), jnp.asarray(block.num_sources), jnp.asarray(points)
    )
    potential, field = predict(model, block.sources, points, num_samples=1)
    shape = (_RESOLUTION, _RESOLUTION)
    return Drawing(
        axes=(x, y),
        sources=block.sources[0, : block.num_sources[0]],
        radius=radius,
        true_potential=np.asarray(true_potential).reshape(shape),
        true_field=np.asarray(true_field).reshape(*shape, 2),
        potential=potential.reshape(shape),
        field=field.reshape(*shape, 2),
    )


def write_picture(path: Path, drawing: Drawing, title: str) -> None:
    """Write three panels as PNG: true potential, predicted potential, and their difference.

    Lines are field lines of H, circles the bodies, arrows their moments. Truth and prediction
    share one colour scale; the error has its own.

    Args:
        path: The file.
        drawing: What to show.
        title: What stands on top.
    """
    figure = Figure(figsize=(13.5, 4.9), layout="constrained", dpi=_DOTS_PER_INCH)
    FigureCanvasAgg(figure)
    true_axes, axes, error_axes = figure.subplots(1, 3, sharex=True, sharey=True)
    limit = _limit(drawing.true_potential)
    _map(true_axes, drawing, drawing.true_potential, limit)
    shared = _map(axes, drawing, drawing.potential, limit)
    error = drawing.potential - drawing.true_potential
    own = _map(error_axes, drawing, error, _limit(error))
    _field_lines(true_axes, drawing, drawing.true_field)
    _field_lines(axes, drawing, drawing.field)
    true_axes.set(title="True potential and field lines", ylabel="y [m]")
    axes.set(title="Predicted potential and field lines")
    error_axes.set(title="Error: predicted minus true potential")
    for image, beside, label in (
        (shared, [true_axes, axes], "φ [A]"),
        (own, [error_axes], "error of φ [A]"),
    ):
        figure.colorbar(
            image, ax=beside, label=label, extend="both", shrink=0.85, aspect=25, pad=0.02
        )
    figure.suptitle(title, fontsize=12)
    with atomic_file(path) as file:
        figure.savefig(file, format="png")


def _limit(values: np.ndarray) -> float:
    """Where a colour scale about zero ends; the few values beyond it, as at a dipole, saturate."""
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
    """A circle for each body, and an arrow along its moment, centred on it.

    The longest arrow is as long as a radius; the others are shorter as their moments are smaller.
    """
    moments, positions = drawing.sources[:, :2], drawing.sources[:, 2:4]
    x, _ = drawing.axes
    length = drawing.radius or 0.1 * float(x[-1] - x[0])
    strongest = max(float(np.linalg.norm(moments, axis=1).max()), _TINY)
    arrow = {"arrowstyle": "-|>", "color": _INK, "lw": 1.6, "shrinkA": 0, "shrinkB": 0}
    for (px, py), (dx, dy) in zip(positions, moments * (length / 2 / strongest), strict=True):
        if drawing.radius is not None:
            axes.add_patch(Circle((px, py), drawing.radius, fill=False, ec=_INK, lw=1.3))
        axes.annotate(
            "", xy=(px + dx, py + dy), xytext=(px - dx, py - dy), arrowprops=arrow, clip_on=True
        )


def _field_lines(axes: Axes, drawing: Drawing, field: np.ndarray) -> None:
    # In float64, which the equal spacing that streamplot asks for survives.
    x, y = (np.linspace(float(axis[0]), float(axis[-1]), _RESOLUTION) for axis in drawing.axes)
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

"""Draw how the potential of three discs changes as one of them moves, and the errors of two models.

    python benchmarks/draw_derivatives.py RUN_WITHOUT RUN_WITH

draws docs/images/derivatives.png, of runs without and with a term of derivatives by the sources.
The commands that make them are in docs/derivatives.md.
"""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle

import hypermagnetics
from hypermagnetics.sources import block_derivative

OUT = Path(__file__).resolve().parents[1] / "docs" / "images" / "derivatives.png"
SIDE = 160
SOURCES = np.array([[1.0, 0.3, -1.0, 0.6], [-0.4, 0.9, 1.1, 0.8], [0.2, -1.1, 0.3, -1.2]])
"""Moments [A m] and positions [m]; the first moves along x."""
TITLES = ("exact: ∂φ/∂x of one disc [A/m]", "error without the term", "error with it")


def grid() -> np.ndarray:
    """Points of a square, row by row."""
    axis = np.linspace(-3, 3, SIDE)
    return np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)


def draw(axes: Axes, values: np.ndarray, limit: float, title: str) -> object:
    """A map about zero, with the discs."""
    image = axes.imshow(
        values.reshape(SIDE, SIDE),
        origin="lower",
        extent=(-3, 3, -3, 3),
        cmap="RdBu_r",
        vmin=-limit,
        vmax=limit,
    )
    for number, row in enumerate(SOURCES):
        width = 1.6 if number == 0 else 0.7
        axes.add_patch(Circle(tuple(row[2:]), 1.0, fill=False, lw=width, ec="#101214"))
    axes.annotate(
        "",
        xy=(SOURCES[0, 2] + 0.75, SOURCES[0, 3]),
        xytext=(SOURCES[0, 2], SOURCES[0, 3]),
        arrowprops={"arrowstyle": "->", "lw": 1.6, "color": "#101214"},
    )
    axes.set_title(title, fontsize=9)
    axes.set_xlabel("x [m]", fontsize=8)
    axes.tick_params(labelsize=8)
    return image


def main(without: str, with_term: str) -> None:
    """Draw the three maps."""
    table = jnp.asarray(SOURCES, jnp.float32)
    points = jnp.asarray(grid(), jnp.float32)
    change = jnp.zeros_like(table).at[0, 2].set(1.0)
    models = [hypermagnetics.load(Path(run) / "model.hm") for run in (without, with_term)]
    columns = models[0].inputs.columns
    exact = np.asarray(block_derivative(columns, table[None], change[None], points)[0][0])
    errors = [
        np.asarray(jax.jvp(lambda t, m=model: m.potential(t, points), (table,), (change,))[1])
        - exact
        for model in models
    ]
    for title, error in zip(TITLES[1:], errors, strict=True):
        print(f"{title}: median of |error| / |exact| {np.median(np.abs(error / exact)):.2%}")
    limit = float(np.quantile(np.abs(exact), 0.99))
    figure, all_axes = plt.subplots(1, 3, figsize=(10, 3.5), layout="constrained", sharey=True)
    for axes, values, title in zip(all_axes, (exact, *errors), TITLES, strict=True):
        most = limit if values is exact else limit / 8
        image = draw(axes, values, most, title)
        figure.colorbar(image, ax=axes, shrink=0.85).ax.tick_params(labelsize=8)
    all_axes[0].set_ylabel("y [m]", fontsize=8)
    figure.savefig(OUT, dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main(*sys.argv[1:])

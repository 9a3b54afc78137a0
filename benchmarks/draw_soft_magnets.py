"""Draw the pictures of docs/soft-magnets-gallery.md from the programs on that page.

    python benchmarks/draw_soft_magnets.py

runs each program as it stands, with a model `reduced` that it makes before, and draws
docs/images/soft-sheet.png, soft-yoke.png and soft-design.png. It takes two minutes.
"""

import os
import re
import tempfile
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hypermagnetics.config import changed_recipe
from hypermagnetics.generate import generate
from hypermagnetics.generate.config import DatasetRecipe, SoftConfig, SplitConfig
from hypermagnetics.generate.recipes import DATASET_SCHEMA
from hypermagnetics.pictures.outlines import bodies_in_plane
from hypermagnetics.sources import SoftSolution, solve_magnetisation
from hypermagnetics.table import SourceColumns, hard_table
from hypermagnetics.train import train

DOCS = Path(__file__).resolve().parents[1] / "docs"
SIDE = 200
INK = "#101214"


def programs() -> list[str]:
    """The programs of the page."""
    page = (DOCS / "soft-magnets-gallery.md").read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def ran(program: str) -> dict[str, Any]:
    """The names of a program after it ran."""
    names: dict[str, Any] = {}
    exec(compile(program, "soft-magnets-gallery.md", "exec"), names)
    return names


def make_model() -> None:
    """A model of soft squares in ./run, whose modes need no labels."""
    recipe = changed_recipe(DATASET_SCHEMA, "dataset", "soft-squares", {})
    assert isinstance(recipe, DatasetRecipe)
    split = SplitConfig(num_samples=4, num_sources=5)
    few = recipe.model_copy(
        update={
            "soft": SoftConfig(cells=2, checked_samples=0),
            "splits": {"train": split, "valid": split},
        }
    )
    train(generate(few, Path("data")), Path("run"))


def square(low: tuple[float, float], size: float) -> tuple[np.ndarray, tuple[float, ...]]:
    """Points of a square, row by row, and its extent."""
    right, up = (np.linspace(start, start + size, SIDE) for start in low)
    points = np.stack(np.meshgrid(right, up), axis=-1).reshape(-1, 2)
    return points, (low[0], low[0] + size, low[1], low[1] + size)


def outline(
    axes: Axes, columns: SourceColumns, table: np.ndarray, extent: Any, soft: str = "none"
) -> None:
    """The bodies, soft ones in a colour."""
    outlines, _ = bodies_in_plane(columns, np.asarray(table, float), None, 0.1)
    moments = np.linalg.norm(np.asarray(table)[:, :2], axis=1)
    for polygon, moment in zip(outlines, moments, strict=True):
        axes.fill(*polygon.T, fc="none" if moment else soft, ec=INK, lw=1.0 if moment else 0.7)
    axes.set(xlim=extent[:2], ylim=extent[2:], xlabel="x [m]")


def flux(axes: Axes, found: SoftSolution, low: tuple[float, float], size: float) -> Any:
    """|B| / mu_0 as a map, and lines of B."""
    points, extent = square(low, size)
    density = np.asarray(found.field(points)) + np.asarray(found.magnetisation(points))
    lattice = density.reshape(SIDE, SIDE, 2)
    image = axes.imshow(
        np.log10(np.linalg.norm(lattice, axis=-1)),
        origin="lower",
        extent=extent,
        cmap="viridis",
        vmin=-3.5,
        vmax=0.3,
    )
    right, up = (np.linspace(start, start + size, SIDE) for start in low)
    axes.streamplot(
        right, up, *lattice.transpose(2, 0, 1), color="white", linewidth=0.6, arrowsize=0.7
    )
    return image, extent


def two_fluxes(
    name: str, soft: dict[str, Any], titles: tuple[str, str], low: tuple[float, float], size: float
) -> None:
    """The first body of a table alone, and all of them."""
    figure, panels = plt.subplots(1, 2, figsize=(9.6, 4.5), layout="constrained", sharey=True)
    columns, table, found = soft["columns"], np.asarray(soft["table"]), soft["found"]
    alone = solve_magnetisation(columns, table[:1], 0.0)
    for axes, solution, rows, title in zip(
        panels, (alone, found), (table[:1], table), titles, strict=True
    ):
        image, extent = flux(axes, solution, low, size)
        outline(axes, columns, rows, extent)
        axes.set_title(title, fontsize=10)
    panels[0].set_ylabel("y [m]")
    figure.colorbar(image, ax=panels, label="log10 of |B| / μ0 [A/m]", shrink=0.85)
    save(figure, name)


def design(names: dict[str, Any]) -> None:
    """The deviation of the field from its mean, with no squares, at the start, and at the end."""
    columns, low, size = names["columns"], (-1.0, -1.0), 2.0
    points, _ = square(low, size)
    shown = (
        ("the magnets alone", None),
        ("four squares, at the start", names["start"]),
        ("after the design", names["designs"]["model"]),
    )
    figure, panels = plt.subplots(1, 3, figsize=(11.5, 2.7), layout="constrained", sharey=True)
    for axes, (title, values) in zip(panels, shown, strict=True):
        table = np.asarray(names["sources"](names["start"] if values is None else values))
        rows = table[:2] if values is None else table
        hard = np.asarray(hard_table(columns, rows))
        chi = np.asarray(100.0 * names["square"])[: len(rows)]
        found = solve_magnetisation(columns.hard, hard, chi, cells=16)
        mean = float(jnp.mean(found.field(names["region"])[:, 0]))
        along = np.asarray(found.field(points))[:, 0].reshape(SIDE, SIDE)
        image = axes.imshow(
            100 * (along / mean - 1),
            origin="lower",
            extent=(low[0], low[0] + size, low[1], low[1] + size),
            cmap="RdBu_r",
            vmin=-10,
            vmax=10,
        )
        outline(axes, columns.hard, hard, (-3.7, 3.7, -2.1, 2.1), "0.87")
        axes.plot(*(0.6 * np.array([[-1, 1, 1, -1, -1], [-1, -1, 1, 1, -1]])), color=INK, lw=0.8)
        unevenness = 100 * float(names["unevenness"](found.field(names["region"])))
        axes.set_title(f"{title}: {unevenness:.2g} %", fontsize=10)
        axes.set_aspect("equal")
    panels[0].set_ylabel("y [m]")
    figure.colorbar(image, ax=panels, label="H along x, off its mean\nin the frame [%]")
    save(figure, "soft-design.png")


def save(figure: Figure, name: str) -> None:
    """Write a picture."""
    figure.savefig(DOCS / "images" / name, dpi=110)
    plt.close(figure)


def main() -> None:
    """Run the programs and draw."""
    sheet, yoke, inverse = programs()
    two_fluxes(
        "soft-sheet.png", ran(sheet), ("a magnet", "and a soft sheet, χ = 1000"), (-1.7, -2.6), 5.2
    )
    two_fluxes("soft-yoke.png", ran(yoke), ("a magnet", "and a yoke, χ = 1000"), (-3.0, -3.0), 6.0)
    with tempfile.TemporaryDirectory() as folder:
        here = Path.cwd()
        os.chdir(folder)
        make_model()
        design(ran(inverse))
        os.chdir(here)


if __name__ == "__main__":
    main()

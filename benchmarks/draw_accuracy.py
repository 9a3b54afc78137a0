"""How accurate are potential and field of each body, at what distance, in float32 and float64?

Random bodies, each with a random point: moment, rotation and direction in all directions, sides
that differ by up to a factor of 10. The numbers are rounded to the float type first, and the truth
starts from the same ones. Truth: textbook_bodies.py in 60 decimal digits, which is compared with
numerical integration of the surface charges (tests/reference/bodies.json) first.

Draws docs/images/accuracy.png and prints the table of docs/physics.md.

    python benchmarks/draw_accuracy.py [picture]
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from textbook_bodies import DECIMALS, FLOATS, Values, decimals, worst_disagreement
from textbook_bodies import ball as textbook_ball
from textbook_bodies import box as textbook_box

from hypermagnetics.sources import ball, cuboid, rectangle

ROOT = Path(__file__).resolve().parents[1]
BODIES = {"disc": 2, "rectangle": 2, "sphere": 3, "cuboid": 3}
DISTANCES = np.logspace(-2, 4, 19)
POINTS = 200
PRECISIONS = (np.float32, np.float64)
COLOURS = {np.float32: "#D55E00", np.float64: "#0072B2"}  # Okabe and Ito
QUANTITIES = ("potential", "field")
BOTH = "both"
OURS = {
    "disc": ball,
    "sphere": ball,
    "rectangle": lambda m, d, sides, angle: rectangle(m, d, sides, angle[0]),
    "cuboid": cuboid,
}
Errors = dict[tuple[str, type, str], np.ndarray]
"""(quantity, float type, form) -> relative error of each point."""


class Magnets(NamedTuple):
    """One body and one point of evaluation in each column."""

    moment: np.ndarray
    displacement: np.ndarray
    shape: tuple[np.ndarray, ...]
    """Radius, or sides and rotation."""

    def map(self, change: Callable[[np.ndarray], np.ndarray]) -> "Magnets":
        """The same with every array changed."""
        moment, displacement, *shape = map(change, (self.moment, self.displacement, *self.shape))
        return Magnets(moment, displacement, tuple(shape))


def draw_magnets(body: str, distance: float | None, random: np.random.Generator) -> Magnets:
    """Draw bodies, and points at a distance from the surface in sizes; inside if it is None.

    The size is the diameter of a ball and the diagonal of a box.
    """
    dim = BODIES[body]
    moment, direction = random.normal(size=(2, dim, POINTS))
    direction /= np.linalg.norm(direction, axis=0)
    if body in ("disc", "sphere"):
        radius = random.uniform(0.5, 1.5, POINTS)
        if distance is None:
            point = direction * radius * 0.99 * random.uniform(0, 1, POINTS)
        else:
            point = direction * (radius + 2 * radius * distance)
        return Magnets(moment, point, (radius,))
    sides = 10 ** random.uniform(-0.5, 0.5, (dim, POINTS))
    turn = random.normal(size=(4, POINTS)) if dim == 3 else random.uniform(-3, 3, (1, POINTS))
    if dim == 3:
        turn /= np.linalg.norm(turn, axis=0)
    point = random.uniform(-0.495, 0.495, (dim, POINTS)) * sides
    if distance is not None:
        point = _beyond(sides / 2, direction, distance * np.linalg.norm(sides, axis=0))
    return Magnets(moment, point, (sides, turn))


def _beyond(half: np.ndarray, direction: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Points on rays from the centre at a distance from the surface of a box, by bisection."""
    low, high = 0 * distance, distance + np.linalg.norm(half, axis=0)
    for _ in range(60):
        middle = (low + high) / 2
        reached = np.linalg.norm(np.maximum(np.abs(middle * direction) - half, 0), axis=0)
        low, high = np.where(reached < distance, (middle, high), (low, middle))
    return high * direction


def textbook(magnets: Magnets, exact: bool = False) -> Values:
    """Values of the textbook form, in the type of the arrays or in decimals."""
    moment, displacement, shape = magnets.map(decimals) if exact else magnets
    if len(shape) == 1:
        return textbook_ball(moment, displacement, *shape)
    return textbook_box(moment, displacement, *shape, do=DECIMALS if exact else FLOATS)


def relative_errors(values: Values, truth: Values, distance: np.ndarray) -> dict[str, np.ndarray]:
    """|error| / |truth| of the potential, of the field as a vector, and of "both".

    The last is the error of the potential against |phi| + |H| d, d being the distance from the
    centre: what a relative change of the coordinates would do, also where the potential vanishes.
    """
    potential, field = (decimals(np.asarray(value)) for value in values)
    lengths = [np.sqrt((v * v).sum(0)) for v in (field - truth[1], truth[1])]
    error, size = abs(potential - truth[0]), abs(truth[0])
    found = (error / size, lengths[0] / lengths[1], error / (size + lengths[1] * distance))
    return {name: e.astype(np.float64) for name, e in zip((*QUANTITIES, BOTH), found, strict=True)}


def measure(body: str, distance: float | None) -> Errors:
    """The errors of one body at one distance."""
    drawn = draw_magnets(body, distance, np.random.default_rng(7))
    found: Errors = {}
    for precision in PRECISIONS:
        magnets = drawn.map(precision)
        truth = textbook(magnets, exact=True)
        distance = decimals(np.linalg.norm(magnets.displacement, axis=0))
        moment, displacement, shape = magnets.map(jnp.asarray)
        ours = jax.jit(OURS[body])(moment, displacement, *shape)
        forms = {"ours": (ours.potential, np.stack(ours.field))}
        if len(shape) > 1:
            with np.errstate(all="ignore"):
                forms["corners"] = textbook(magnets)
        for form, values in forms.items():
            for quantity, errors in relative_errors(values, truth, distance).items():
                found[quantity, precision, form] = errors
    return found


def draw(measured: dict[str, list[Errors]]) -> Figure:
    """A column for each body, the potential above the field."""
    figure, panels = plt.subplots(
        2, len(BODIES), figsize=(13, 6.4), sharex=True, sharey=True, layout="constrained"
    )
    for column, (body, errors) in enumerate(measured.items()):
        panels[0, column].set_title(body, fontsize=13)
        for row, quantity in enumerate(QUANTITIES):
            _draw_panel(panels[row, column], errors, quantity)
    for row, quantity in enumerate(QUANTITIES):
        panels[row, 0].set_ylabel(f"relative error of the {quantity}", fontsize=11)
    for precision in PRECISIONS:
        name, unit = np.dtype(precision).name, np.finfo(precision).eps / 2
        style = {"color": COLOURS[precision], "fontsize": 10}
        panels[0, 0].text(0.02, 40 * unit, name, **style)
        panels[0, 0].text(8e3, 0.1 * unit, "rounding unit", ha="right", va="top", **style)
        panels[0, 3].text(0.02, 4e4 * unit, f"sum over corners,\n{name}", **style)
    legend = f"line: median of {POINTS} bodies\nband: 10 % quantile to worst"
    panels[0, 2].text(0.02, 1e-12, legend, fontsize=10)
    figure.supxlabel("distance from the surface / diameter or diagonal of the body", fontsize=11)
    return figure


def _draw_panel(panel: Axes, measured: list[Errors], quantity: str) -> None:
    panel.grid(color="0.9", linewidth=0.6)
    for precision in PRECISIONS:
        colour = COLOURS[precision]
        panel.axhline(np.finfo(precision).eps / 2, color=colour, linewidth=0.9, linestyle=":")
        errors = np.stack([found[quantity, precision, "ours"] for found in measured])
        low, median, worst = np.quantile(errors, (0.1, 0.5, 1.0), axis=1)
        panel.fill_between(DISTANCES, low, worst, color=colour, alpha=0.22, linewidth=0)
        panel.plot(DISTANCES, median, color=colour, linewidth=1.8)
        if (quantity, precision, "corners") in measured[0]:
            errors = np.stack([found[quantity, precision, "corners"] for found in measured])
            panel.plot(DISTANCES, np.median(errors, axis=1), "--", color=colour, linewidth=1.5)
    panel.set(xscale="log", yscale="log", ylim=(1e-18, 10), xlim=DISTANCES[[0, -1]])
    panel.set_xticks([0.1, 10, 1e3])
    panel.minorticks_off()
    panel.set_yticks([1e-18, 1e-15, 1e-12, 1e-9, 1e-6, 1e-3, 1])


def print_table(measured: dict[str, list[Errors]]) -> None:
    """Median and worst relative error of each body, over all its points."""
    kinds = [(precision, quantity) for precision in PRECISIONS for quantity in QUANTITIES]
    names = [f"{np.dtype(precision).name} {quantity}" for precision, quantity in kinds]
    print(f"| body | {' | '.join(names)} |\n|---|{'--:|' * len(names)}")
    for body, found in measured.items():
        for form in dict.fromkeys(form for _, _, form in found[0]):
            cells = []
            for precision, quantity in kinds:
                errors = np.stack([at[quantity, precision, form] for at in found])
                cells.append(f"{np.median(errors):.1e} / {errors.max():.0e}")
            name = body if form == "ours" else f"{body}, sum over corners"
            print(f"| {name} | {' | '.join(cells)} |")


def main() -> None:
    """Measure, print and draw."""
    jax.config.update("jax_enable_x64", True)
    disagreement = worst_disagreement(ROOT / "tests" / "reference" / "bodies.json")
    print(f"truth against numerical integration, worst relative difference: {disagreement:.1e}")
    inside = {body: [measure(body, None)] for body in BODIES}
    measured = {body: [measure(body, distance) for distance in DISTANCES] for body in BODIES}
    for where, found in (("outside", measured), ("inside", inside)):
        print(f"\n{where}, median / worst relative error")
        print_table(found)
    for precision in PRECISIONS:
        worst = max(
            at[BOTH, precision, "ours"].max() for found in measured.values() for at in found
        )
        name, eps = np.dtype(precision).name, np.finfo(precision).eps
        print(f"{name}: worst error of the potential / (|phi| + |H| d): {worst / eps:.1f} eps")
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images" / "accuracy.png"
    draw(measured).savefig(path, dpi=110)
    print(f"drew {path}")


if __name__ == "__main__":
    main()

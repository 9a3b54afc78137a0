"""Draw det F of summaries over the steps, and the estimates of a position with their error bars.

    python benchmarks/draw_fisher.py

trains fisher-gaussian and fisher-sensors in a few minutes, and draws docs/images/fisher.png.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse

import hypermagnetics
from hypermagnetics.data import Dataset
from hypermagnetics.evaluate.array_run import array_plan, evaluate_arrays
from hypermagnetics.evaluate.subjects.arguments import sort_arguments
from hypermagnetics.generate import generate
from hypermagnetics.models import ArrayModel
from hypermagnetics.train import train

OUT = Path(__file__).resolve().parents[1] / "docs" / "images" / "fisher.png"
INK, FILL = "#101214", "#0072B2"
UNKNOWN = {"std": 1.0, "redraw": True, "parameter": "variance"}
STEPS = {"max_steps": 500, "final_fraction": 0.0}
FAST = {**STEPS, "learning_rate": 3e-3}
EVERY = {"every": 10, "patience": None}
RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "gelu, noise drawn anew": (
        "#0072B2",
        {"data": {"noise": UNKNOWN}, "schedule": FAST, "validation": EVERY},
    ),
    "gelu, noise of 1000 samples": ("#D55E00", {"schedule": STEPS, "validation": EVERY}),
    "IMNN's own: leaky ReLU and its regulariser": (
        "#009E73",
        {
            "model": {"activation": "leaky_relu", "gain": 0.7},
            "objective": {"scale": "imnn"},
            "schedule": STEPS,
            "validation": EVERY,
        },
    ),
}


def draw_curves(axes: Axes, directory: Path) -> None:
    """Validation det F of the readings of a mean and a variance, whose bound is 50."""
    data, run = directory / "gaussian", directory / "run"
    generate("fisher-gaussian", data, splits={"valid": {"num_samples": 5000}})
    for name, (colour, changes) in RUNS.items():
        train(data, run, "fisher-gaussian", if_exists="overwrite", **changes)
        lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
        found = [line for line in lines if "validation" in line]
        values = [line["validation"]["determinant"] for line in found]
        axes.plot([line["step"] for line in found], values, color=colour, lw=1.6, label=name)
    axes.axhline(50, color=INK, lw=0.8, ls="--")
    axes.text(495, 50.6, "bound of all summaries", ha="right", fontsize=8)
    axes.set(xlabel="step", ylim=(0, 54), xlim=(0, 500))
    axes.set_title("det F on 5000 samples of noise of their own", fontsize=9)
    axes.legend(fontsize=8, loc="lower right", frameon=False)


def draw_estimates(axes: Axes, directory: Path) -> None:
    """Estimates of the position of a disc from noisy sensors, and the ellipse of F^-1."""
    data, run = directory / "sensors", directory / "run"
    generate("fisher-sensors", data)
    train(data, run, "fisher-sensors", if_exists="overwrite")
    plan = array_plan(sort_arguments([str(run), str(data)]), ("test",), directory / "out")
    found = evaluate_arrays(plan).evaluations[0].fisher
    model = hypermagnetics.load(run / "model.hm")
    assert found is not None
    assert isinstance(model, ArrayModel)
    exact = Dataset.open(data).split("test").block(0).field[0]
    random = np.random.default_rng(0)
    readings = exact + 0.005 * random.normal(size=(1000, *exact.shape)).astype(np.float32)
    estimator = found.estimator
    summaries = np.asarray(model(readings))
    x, y = (np.array(estimator.offset) + summaries @ np.array(estimator.matrix).T).T
    axes.plot(x, y, ".", color=FILL, ms=3, alpha=0.5)
    values, vectors = np.linalg.eigh(np.linalg.inv(np.array(found.information)))
    angle = float(np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1])))
    for scale in (1, 2):
        width, height = 2 * scale * np.sqrt(values[::-1])
        axes.add_patch(Ellipse((0.3, -0.2), width, height, angle=angle, fill=False, ec=INK, lw=1.2))
    axes.plot(0.3, -0.2, "+", color=INK, ms=10)
    axes.set(xlabel="x [m]", ylabel="y [m]", aspect="equal")
    axes.set_title("position of a disc from 8 sensors: 1 and 2 error bars by F", fontsize=9)


def main() -> None:
    """Draw both."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.9), layout="constrained")
    with tempfile.TemporaryDirectory() as directory:
        draw_curves(left, Path(directory))
        draw_estimates(right, Path(directory))
    for axes in (left, right):
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.25)
    figure.savefig(OUT, dpi=110)


if __name__ == "__main__":
    main()

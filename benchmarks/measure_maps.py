"""How well do networks from maps to maps do in minutes, beside what is known without a network?

    python benchmarks/measure_maps.py [unet] [fft] [super-resolution]

Each shipped recipe is trained for its time on a dataset of its own, and evaluated on as many discs
as in training and on twice as many. Printed are the global L2 error of the potential, its median
relative error, and both over those of the baseline; of super-resolution at the points that the
input does not hold. Nothing else should run on the machine.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from measurement import circumstances


class Task(NamedTuple):
    """A shipped recipe, and the time and data that it has."""

    recipe: str
    minutes: float
    resolution: int
    baseline: str
    points: str
    """Key of results.json: of all points, or of new ones."""
    must: Mapping[str, float]
    """Bounds of the numbers that are printed, by name."""


TASKS = {
    "unet": Task("map-unet", 5, 64, "FFT of the raster", "all_points", {"global L2": 0.06}),
    "fft": Task("map-fft", 5, 64, "FFT of the raster", "all_points", {"global L2 ratio": 1.3}),
    "super-resolution": Task(
        "super-resolution",
        2,
        65,
        "cubic spline",
        "new_points",
        {"global L2 ratio": 0.4, "median ratio": 0.6},
    ),
}


def potential(
    results: Mapping[str, Any], split: str, subject: str, points: str
) -> dict[str, float]:
    """Global L2 and median error of the potential."""
    (one,) = (
        maps[points]
        for evaluation in results["evaluations"]
        if (evaluation["split"], evaluation["subject"]) == (split, subject)
        for maps in evaluation["maps"]
        if maps["quantity"] == "potential"
    )
    return {"global L2": one["global_relative_l2"], "median": one["median_relative_error"]}


def measure(name: str, task: Task, scratch: Path) -> None:
    """Train and evaluate one recipe, and print a line."""
    programs, data, run = (
        Path(sys.executable).parent,
        scratch / f"data{task.resolution}",
        scratch / name,
    )
    if not data.exists():
        grid = f"grid.resolution={task.resolution}"
        subprocess.run([programs / "hm-generate", "maps", data, "--set", grid], check=True)
    start = time.perf_counter()
    limit = f"schedule.max_minutes={task.minutes}"
    words = [programs / "hm-train", data, run, "--recipe", task.recipe, "--set", limit]
    subprocess.run(words, check=True)
    seconds = time.perf_counter() - start
    subprocess.run([programs / "hm-eval", run, data], check=True)
    results = json.loads((run / "eval" / "results.json").read_text())
    for split in ("test", "test_more"):
        own, other = (potential(results, split, who, task.points) for who in (name, task.baseline))
        found = {**own, **{f"{key} ratio": own[key] / other[key] for key in own}}
        line = {"task": name, "split": split, "seconds": seconds, "must": task.must, **found}
        print(json.dumps(line | circumstances()))
        said = ", ".join(f"{key} {value:.3g}" for key, value in found.items())
        met = all(found[key] <= bound for key, bound in task.must.items())
        print(f"{name} on {split}: {said} ({'reached' if met else 'NOT reached'}: {task.must})")


def main() -> None:
    """Measure the tasks of the command line, or all."""
    with tempfile.TemporaryDirectory() as scratch:
        for name in sys.argv[1:] or TASKS:
            measure(name, TASKS[name], Path(scratch))


if __name__ == "__main__":
    main()

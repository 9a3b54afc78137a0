"""How much smaller are the errors of a network that learns from derivatives, at equal steps?

The recipe derivative-discs: one disc, the potential at 25 points, an MLP of 8 x 100, Adam, 4000
steps of 100 samples; values alone (L2) against values and Jacobian (H1). Errors are those of the
model after the last step, sqrt(mean |e|²/|t|²) over 3000 test samples, of the values and of the
Jacobian in units of the inputs' standard deviations. Three seeds, each of its own dataset. 12
minutes on 2 cores.

    python benchmarks/bench_jacobian_data.py [directions [samples ...]]      # 1 125 500 2000

`directions` is a number of random directions, as in the recipe, or "all" for the whole Jacobian.
"""

import sys
import tempfile
import time
from pathlib import Path

from measurement import report

from hypermagnetics.config import load_recipe
from hypermagnetics.evaluate.array_run import array_plan, evaluate_arrays
from hypermagnetics.evaluate.subjects.arguments import sort_arguments
from hypermagnetics.generate import generate
from hypermagnetics.train import train
from hypermagnetics.train.config import TrainingRecipe

SEEDS = (0, 1, 2)
BOUNDS = {125: (1.5, 1.4), 500: (1.5, 1.4), 2000: (1.3, 1.2)}
"""Least ratio of errors of values and of the Jacobian, by the number of training samples."""
L2 = 'objective.terms={targets={of="targets"}}'
H1 = "objective.terms.by-inputs.directions="


def errors(directory: Path, data: Path, seed: int, objective: str) -> tuple[float, float, float]:
    """Errors of values and Jacobian after the last step, and the seconds of the training."""
    start = time.monotonic()
    changes = (objective, f"seed={seed}")
    recipe = load_recipe(TrainingRecipe, "training", "derivative-discs", changes)
    train(data, directory, recipe)
    seconds = time.monotonic() - start
    arguments = sort_arguments([str(directory / "final.hm"), str(data)])
    results = evaluate_arrays(array_plan(arguments, ("test",), directory / "eval"))
    (found,) = results.evaluations
    assert found.jacobian is not None, "the dataset has derivatives"
    return found.targets.rms_sample_relative_l2, found.jacobian.rms_sample_relative_l2, seconds


def main() -> None:
    """Measure, and print each figure beside its bound."""
    directions, counts = (sys.argv[1:] or ["1"])[0], [int(word) for word in sys.argv[2:]]
    with tempfile.TemporaryDirectory() as place:
        for count in counts or BOUNDS:
            worst = [float("inf")] * 2
            for seed in SEEDS:
                data = Path(place) / f"data-{count}-{seed}"
                splits = {"train": {"num_samples": count, "num_sources": 1}}
                generate("derivative-discs", data, seed=21 + seed, splits=splits)
                plain, informed = (
                    errors(Path(place) / f"{name}-{count}-{seed}", data, seed, objective)
                    for name, objective in (("l2", L2), ("h1", H1 + directions))
                )
                ratios = [a / b for a, b in zip(plain[:2], informed[:2], strict=True)]
                worst = [min(pair) for pair in zip(worst, ratios, strict=True)]
                print(
                    f"N = {count}, seed {seed}: values {plain[0]:.3f} -> {informed[0]:.3f} "
                    f"({ratios[0]:.2f} x), Jacobian {plain[1]:.3f} -> {informed[1]:.3f} "
                    f"({ratios[1]:.2f} x), {plain[2]:.0f} and {informed[2]:.0f} s",
                    flush=True,
                )
            for what, found, bound in zip(
                ("values", "Jacobian"), worst, BOUNDS[count], strict=True
            ):
                report(f"N = {count}, error of {what}, L2 over H1, worst seed", found, bound)


if __name__ == "__main__":
    main()

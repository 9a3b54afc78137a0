"""How much of the Fisher information of readings do summaries keep, on noise they have never seen?

Trains the recipes fisher-gaussian and fisher-sensors, with fixed and with redrawn noise, and the
settings of information maximising neural networks (IMNN), and prints det F of 100 000 fresh samples
in units of the analytic bound, and what the estimates are worth.

    python benchmarks/measure_fisher.py [NAME ...]
"""

import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hypermagnetics.evaluate.array_run import array_plan, evaluate_arrays
from hypermagnetics.evaluate.fisher.records import FisherScores
from hypermagnetics.evaluate.subjects.arguments import sort_arguments
from hypermagnetics.generate import generate
from hypermagnetics.jax_setup import fix_settings
from hypermagnetics.train import train

FRESH = 100_000
FIVE, THREE = range(5), range(3)
FIXED = {"data.noise.redraw": False, "schedule.final_fraction": 1.0, "validation.every": 1}
FIXED |= {"validation.patience": 50, "schedule.learning_rate": 1e-3}
REDRAWN = {"data.noise.redraw": True, "schedule.final_fraction": 0.0, "validation.every": 25}
REDRAWN |= {"validation.patience": None, "schedule.learning_rate": 3e-3}
IMNN = {"model.activation": "leaky_relu", "objective.scale": "imnn", "schedule.max_steps": 1000}
# About the initial weights of that program; its regulariser knows no way back from small ones.
IMNN |= {"model.gain": 0.7}
MOMENT = {
    "sources.position.value": [0.0, 0.0],
    "derivatives.columns": ["moment_x", "moment_y"],
}


class Case(NamedTuple):
    """Trainings of one kind."""

    recipe: str
    training: Mapping[str, Any]
    dataset: Mapping[str, Any]
    seeds: Sequence[int]


LARGE = {"splits.train.num_samples": 4000, "splits.valid.num_samples": 4000}
CASES = {
    "gaussian, fixed 1000": Case("fisher-gaussian", {}, {}, FIVE),
    "gaussian, fixed 4000": Case("fisher-gaussian", {}, LARGE, THREE),
    "gaussian, redrawn": Case("fisher-gaussian", REDRAWN, {}, THREE),
    "gaussian, IMNN": Case("fisher-gaussian", IMNN, {}, FIVE),
    "position, redrawn": Case("fisher-sensors", {}, {}, THREE),
    "position, fixed 1000": Case("fisher-sensors", FIXED, {}, THREE),
    "moment, redrawn": Case("fisher-sensors", {}, MOMENT, THREE),
    "moment, fixed 1000": Case("fisher-sensors", FIXED, MOMENT, THREE),
}


def nested(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Tables of keys with dots."""
    found: dict[str, Any] = {}
    for key, value in keys.items():
        *tables, last = key.split(".")
        inner = found
        for table in tables:
            inner = inner.setdefault(table, {})
        inner[last] = value
    return found


def scores_of(run: Path, data: Path) -> FisherScores:
    """Those of hm-eval on the test split."""
    arguments = sort_arguments([str(run), str(data)])
    plan = array_plan(arguments, ("test",), run.parent / "out", num_fresh=FRESH)
    found = evaluate_arrays(plan)
    fisher = found.evaluations[0].fisher
    assert fisher is not None, "a network of summaries"
    return fisher


def covariance_error(found: FisherScores) -> float:
    """Largest entry of L^T cov L - 1, with F = L L^T: the covariance in units of F^-1."""
    root = np.linalg.cholesky(np.array(found.information))
    whitened = root.T @ np.array(found.estimate_covariance) @ root
    return float(np.abs(whitened - np.eye(len(whitened))).max())


def main(names: Sequence[str]) -> None:
    """Print a row for each case."""
    fix_settings()
    print("| case | det F / bound | det F | bound | steps | seconds | bias / s.e. | covariance |")
    print("|---|---|---|--:|---|--:|--:|--:|")
    for name in names:
        case = CASES[name]
        with tempfile.TemporaryDirectory() as directory:
            data, run = Path(directory) / "data", Path(directory) / "run"
            generate(case.recipe, data, **nested(case.dataset))
            rows, steps, start = [], [], time.perf_counter()
            for seed in case.seeds:
                changes = {**nested(case.training), "seed": seed}
                made = train(data, run, case.recipe, if_exists="overwrite", **changes)
                steps.append(made.outcome.model_step)
                rows.append(scores_of(run, data))
            seconds = (time.perf_counter() - start) / len(rows)
        bound = rows[0].analytic.determinant
        shares = ", ".join(f"{one.analytic.share:.3f}" for one in rows)
        determinants = ", ".join(f"{one.determinant:.4g}" for one in rows)
        bias = max(abs(p.bias / p.bias_standard_error) for one in rows for p in one.parameters)
        off = max(map(covariance_error, rows))
        print(
            f"| {name} | {shares} | {determinants} | {bound:.4g} | {', '.join(map(str, steps))} "
            f"| {seconds:.0f} | {bias:.1f} | {off:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:] or list(CASES))

"""By how much is a hyper_layer better that learns from derivatives by the sources, too?

The demo's model, 512 training samples of three discs in blocks of 64, equal steps: with terms of
potential and field alone, and with a term of derivatives of the potential by the positions beside
them; for each seed. Asked are 1000 other samples of three discs, by hm-eval: median relative errors
of potential, of field, and of the derivatives by the positions. Takes one to two CPU minutes for
3000 steps; the recipe itself has 8000.

    python benchmarks/measure_by_sources.py [--steps 3000] [--seeds 3] [--potential-alone]
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from measurement import report
from timed_trainings import dataset

BOUND = 1.5
SAMPLES = (
    "samples_per_grid=64",
    "splits.train={num_samples=512, num_sources=3}",
    "splits.valid={num_samples=512, num_sources=3}",
    "splits.test_multi={num_samples=1000, num_sources=3}",
)
SLOPES = "objective.terms.slopes={of='potential', by='sources', columns=['position'], weight=2.0}"
ALONE = "objective.terms={potential={of='potential'}}"
QUANTITIES = ("potential", "field", "by_sources")


def trained(data: Path, run: Path, *changes: str) -> float:
    """Train by the demo's recipe; the CPU seconds it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    program = Path(sys.executable).parent / "hm-train"
    options = [word for change in changes for word in ("--set", change)]
    command = [program, data, run, "--recipe", "demo", *options]
    subprocess.run(command, check=True, capture_output=True)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def medians(data: Path, run: Path) -> dict[str, float]:
    """Median relative errors on the test split."""
    program = Path(sys.executable).parent / "hm-eval"
    options = ("--split", "test_multi", "--metrics-only", "--by-sources", "position")
    done = subprocess.run(
        [program, run, data, *options, "--format", "json"], check=True, capture_output=True
    )
    (found,) = json.loads(done.stdout)["evaluations"]
    return {name: found[name]["median_relative_error"] for name in QUANTITIES}


def main() -> None:
    """Train with and without the term, and say how the medians differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--potential-alone", action="store_true", help="no term of the field")
    given = parser.parse_args()
    shared = (f"schedule.max_steps={given.steps}", *([ALONE] if given.potential_alone else []))
    ratios: dict[str, list[float]] = {name: [] for name in QUANTITIES}
    with tempfile.TemporaryDirectory() as place:
        data = dataset("demo", Path(place) / "data", *SAMPLES).directory
        for seed in range(given.seeds):
            found = []
            for name, terms in (("without", ()), ("with", (SLOPES,))):
                run = Path(place) / f"{name}-{seed}"
                seconds = trained(data, run, *shared, f"seed={seed}", *terms)
                errors = medians(data, run)
                found.append(errors)
                said = ", ".join(f"{key} {100 * value:.3g} %" for key, value in errors.items())
                print(f"seed {seed}, {name}: {said}; {seconds:.0f} CPU s", flush=True)
            for key in QUANTITIES:
                ratios[key].append(found[0][key] / found[1][key])
    for key, values in ratios.items():
        report(
            f"median error of {key} without the term over that with it, {given.steps} steps",
            median(values),
            BOUND if key == "potential" else 1.0,
            least=min(values),
            largest=max(values),
        )


if __name__ == "__main__":
    main()

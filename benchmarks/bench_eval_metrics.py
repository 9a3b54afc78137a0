"""The metrics of a large split: how long, how much memory, and what share is not predicting.

10 000 samples of four discs at 1024 points each, by a HyperLayer of K = 256 whose parameters are as
they were drawn: errors do not change the time. `hm-eval --metrics-only` runs in a process of its
own, so that its memory is its own, with a cold compilation cache.
"""

import os
import resource
import subprocess
import sysconfig
import tempfile
import time
from pathlib import Path

import jax.random as jr
from measurement import report

from hypermagnetics.models import HyperLayer, save_model
from hypermagnetics.models.hyper_layer import HyperLayerConfig
from hypermagnetics.run_files import RESULTS_NAME

SAMPLES, POINTS, RANK = 10_000, 1024, 256
SECONDS, GIGABYTES = 60.0, 2.0


def run(directory: Path, program: str, *words: str) -> None:
    """Run a program with a compilation cache of its own."""
    command = [str(Path(sysconfig.get_path("scripts")) / program), *words]
    environment = {**os.environ, "XDG_CACHE_HOME": str(directory / "cache")}
    subprocess.run(command, cwd=directory, check=True, env=environment)


def main() -> None:
    """Evaluate once."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        splits = f"splits={{test_multi={{num_samples={SAMPLES}, num_sources=4}}}}"
        sizes = ("--set", splits, "--set", f"grid.num_points={POINTS}")
        run(directory, "hm-generate", "paper-discs-2d", "data", *sizes)
        config = HyperLayerConfig(width=RANK, depth=2, hwidth=1.0, hdepth=2)
        model = HyperLayer(config=config, hyperkey=jr.key(0), mainkey=jr.key(1))
        (directory / "run").mkdir()
        save_model(directory / "run" / "model.hm", model, {})
        start = time.perf_counter()
        run(directory, "hm-eval", "run", "data", "--metrics-only")
        seconds = time.perf_counter() - start
        results = (directory / "run" / "eval" / RESULTS_NAME).stat().st_size
    gigabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    question = f"hm-eval --metrics-only, {SAMPLES} samples x {POINTS} points, K = {RANK}"
    report(f"{question}, seconds", seconds, SECONDS, results_bytes=results)
    report(f"{question}, peak memory in GB", gigabytes, GIGABYTES)


if __name__ == "__main__":
    main()

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

from hypermagnetics.config import load_recipe
from hypermagnetics.evaluate.results.json_file import RESULTS_NAME
from hypermagnetics.generate.config import DatasetRecipe
from hypermagnetics.generate.plan import make_plan
from hypermagnetics.generate.run import generate
from hypermagnetics.models import HyperLayer, save_model
from hypermagnetics.models.hyper_layer import HyperLayerConfig

SAMPLES, POINTS, RANK = 10_000, 1024, 256
SECONDS, GIGABYTES = 60.0, 2.0


def main() -> None:
    """Evaluate once."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        splits = f"splits={{test-multi={{num_samples={SAMPLES}, num_sources=4}}}}"
        overrides = (splits, f"grid.num_points={POINTS}")
        recipe = load_recipe(DatasetRecipe, "dataset", "paper-discs-2d", overrides)
        generate(make_plan(recipe, "zarr"), directory / "data", lambda count: None)
        config = HyperLayerConfig(width=RANK, depth=2, hwidth=1.0, hdepth=2)
        model = HyperLayer(config=config, hyperkey=jr.key(0), mainkey=jr.key(1))
        (directory / "run").mkdir()
        save_model(directory / "run" / "model.hm", model, {})
        program = str(Path(sysconfig.get_path("scripts")) / "hm-eval")
        words = [program, "run", "data", "--metrics-only"]
        start = time.perf_counter()
        subprocess.run(words, cwd=directory, check=True, env={**os.environ, "XDG_CACHE_HOME": name})
        seconds = time.perf_counter() - start
        results = (directory / "run" / "eval" / RESULTS_NAME).stat().st_size
    gigabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    question = f"hm-eval --metrics-only, {SAMPLES} samples x {POINTS} points, K = {RANK}"
    report(f"{question}, seconds", seconds, SECONDS, results_bytes=results)
    report(f"{question}, peak memory in GB", gigabytes, GIGABYTES)


if __name__ == "__main__":
    main()

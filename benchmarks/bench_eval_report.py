"""The whole of hm-eval, report included: how long, and how large the page is.

Two runs, a RangeSplit and a HyperLayer, on four splits of 1000 samples of one to eight discs at
1024 points each, as `make demo` makes them. The runs are short: errors do not change the time. hm-
eval runs in processes of its own, first with a cold and then with a warm compilation cache.
"""

import os
import subprocess
import sysconfig
import tempfile
import time
from pathlib import Path

from measurement import report

SPLITS = {"test_single": 1, "test_two": 2, "test_multi": 4, "test_many": 8}
SAMPLES = 1000
SECONDS, MEGABYTES = 40.0, 8.0
RUNS = {"split": "split-5min", "layer": "demo"}


def run(directory: Path, *words: str) -> float:
    """Run a program; the seconds it took."""
    program = Path(sysconfig.get_path("scripts")) / words[0]
    start = time.perf_counter()
    environment = {**os.environ, "XDG_CACHE_HOME": str(directory / "cache")}
    subprocess.run([str(program), *words[1:]], cwd=directory, check=True, env=environment)
    return time.perf_counter() - start


def main() -> None:
    """Make a dataset and two runs, and evaluate them twice."""
    sizes = {"train": (2000, 1), "valid": (256, 1)}
    sizes |= {name: (SAMPLES, sources) for name, sources in SPLITS.items()}
    splits = ", ".join(
        f"{name}={{num_samples={samples}, num_sources={sources}}}"
        for name, (samples, sources) in sizes.items()
    )
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        run(directory, "hm-generate", "demo", "data", "--set", f"splits={{{splits}}}")
        for name, recipe in RUNS.items():
            few = ("--set", "schedule.max_steps=20")
            run(directory, "hm-train", "data", name, "--recipe", recipe, *few)
        cold, warm = (run(directory, "hm-eval", *RUNS, "data") for _ in range(2))
        megabytes = (directory / "report" / "index.html").stat().st_size / 1e6
        figures = len(list((directory / "report" / "figures").iterdir()))
    question = f"hm-eval with report, {len(RUNS)} runs x {len(SPLITS)} splits of {SAMPLES}"
    report(f"{question}, seconds", cold, SECONDS, warm_cache_seconds=warm)
    report(f"{question}, index.html in MB", megabytes, MEGABYTES, figure_files=figures)


if __name__ == "__main__":
    main()

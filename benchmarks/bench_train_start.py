"""How long after its start has hm-train made its first step, if it has compiled it before?

The demo's recipe, `hm-train` as a process, from its start to the first line of metrics.jsonl, which
is written when the losses of the first steps are known. The first run fills the compilation cache,
in a directory of its own.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measurement import report

BOUND = 8.0
ROUNDS = 5


def seconds_to_first_line(data: Path, run: Path, cache: Path) -> float:
    """Start hm-train, and end it when it has told of its first steps."""
    program = Path(sys.executable).parent / "hm-train"
    start = time.perf_counter()
    process = subprocess.Popen(
        [program, data, run, "--set", "tracking.log_every=1"],
        env={**os.environ, "JAX_COMPILATION_CACHE_DIR": str(cache)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    metrics = run / "metrics.jsonl"
    while not (metrics.exists() and b"\n" in metrics.read_bytes()):
        if process.poll() is not None:
            raise SystemExit("hm-train ended before its first step.")
        time.sleep(0.005)
    seconds = time.perf_counter() - start
    process.kill()
    process.wait()
    return seconds


def main() -> None:
    """Once with an empty cache, then with a warm one."""
    with tempfile.TemporaryDirectory() as scratch:
        data, cache = Path(scratch) / "data", Path(scratch) / "cache"
        generate = Path(sys.executable).parent / "hm-generate"
        subprocess.run([generate, "demo", data], check=True, capture_output=True)
        runs = (Path(scratch) / f"run-{number}" for number in range(ROUNDS + 1))
        cold = seconds_to_first_line(data, next(runs), cache)
        warm = [seconds_to_first_line(data, run, cache) for run in runs]
    report(
        "seconds from the start of hm-train to its first step, warm compilation cache",
        statistics.median(warm),
        BOUND,
        cold_seconds=cold,
        worst=max(warm),
    )


if __name__ == "__main__":
    main()

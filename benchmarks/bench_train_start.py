"""How long after its start has hm-train made its first step, if it has compiled it before?

The demo's recipe, `hm-train` as a process, from its start to the first line of metrics.jsonl, which
is written when the losses of the first steps are known. The first run fills the compilation cache,
in a directory of its own.
"""

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from measurement import report
from timed_trainings import seconds_to_first_line

BOUND = 8.0
ROUNDS = 5


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

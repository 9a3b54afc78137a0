"""Cost of making a dataset by workers of Dask: CPU seconds of a shard, and of the start.

Threads of one process make the same datasets, of few shards and of many; the time of a shard is the
slope between them, and that of the start the rest. All processes of a program count. Shards lie in
/dev/shm unless another directory is given, so that no disk is measured.

    python benchmarks/bench_cluster.py [DIRECTORY]
"""

import resource
import shutil
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path

SHARD_MB = 256
FEW, MANY = 1, 9
SAMPLES = 20_900
"""Samples of a shard: 256 MB at 1024 points."""
ROUNDS = 6


def cpu_seconds(words: list[str]) -> float:
    """CPU time of a program and of all processes that it waited for [s]."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def generation(out: Path, shards: int, *options: str) -> list[str]:
    """The command for a dataset of one split of so many full shards."""
    split = f"splits={{train={{num_samples={SAMPLES * shards}, num_sources=1}}}}"
    keys = (split, "grid.num_points=1024", f"storage.shard_mb={SHARD_MB}")
    changes = [word for key in keys for word in ("--set", key)]
    program = str(Path(sys.executable).with_name("hm-generate"))
    return [program, "paper-discs-2d", str(out), *changes, *options]


def main() -> None:
    """Print both beside their bounds; exit with 1 if one is missed."""
    place = sys.argv[1] if len(sys.argv) > 1 else "/dev/shm"
    ways = {"threads": (), "Dask, 2 workers": ("--cluster", "local:2")}
    least: dict[tuple[str, int], float] = {}
    with tempfile.TemporaryDirectory(dir=place) as directory:
        out = Path(directory) / "out"
        # In turn, and the least of all rounds: what else the machine does comes and goes.
        for way, shards in list(product(ways, (FEW, MANY))) * ROUNDS:
            seconds = cpu_seconds(generation(out, shards, *ways[way]))
            least[way, shards] = min(seconds, least.get((way, shards), seconds))
            shutil.rmtree(out)
    each, start = {}, {}
    for way in ways:
        each[way] = (least[way, MANY] - least[way, FEW]) / (MANY - FEW)
        start[way] = least[way, FEW] - FEW * each[way]
        print(f"{way}: {each[way]:.3f} CPU s a shard of {SHARD_MB} MB, {start[way]:.1f} to start")
    threads, dask = ways
    over = each[dask] / each[threads] - 1
    print(f"overhead of a shard {100 * over:+.1f} %, bound 2 %; of the start bound 10 CPU s")
    raise SystemExit(over > 0.02 or start[dask] > 10)


if __name__ == "__main__":
    main()

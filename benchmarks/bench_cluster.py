"""Cost of making a dataset by workers of Dask: CPU seconds of a shard, and of the start.

Threads of one process make the same datasets, of few shards and of many; what a shard takes is the
slope between them, and the start the rest. All processes of a program count. Shards lie in memory,
as long as there is room, so that no disk is measured.

    python benchmarks/bench_cluster.py [DIRECTORY]
"""

import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SHARD_MB = 256
FEW, MANY = 1, 9
SAMPLES = 20_900
"""Samples of a shard: 256 MB at 1024 points."""
ROUNDS = 2


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


def measured(directory: Path, *options: str) -> tuple[float, float]:
    """Least CPU seconds of a shard, and of the start, in some rounds."""
    found: dict[int, float] = {}
    for shards in (FEW, MANY) * ROUNDS:
        out = directory / "out"
        seconds = cpu_seconds(generation(out, shards, *options))
        found[shards] = min(seconds, found.get(shards, seconds))
        shutil.rmtree(out)
    each = (found[MANY] - found[FEW]) / (MANY - FEW)
    return each, found[FEW] - FEW * each


def main() -> None:
    """Print both beside their bounds; exit with 1 if one is missed."""
    place = sys.argv[1] if len(sys.argv) > 1 else "/dev/shm"
    with tempfile.TemporaryDirectory(dir=place) as directory:
        threads, start = measured(Path(directory))
        dask, start_of_dask = measured(Path(directory), "--cluster", "local:2")
    over = dask / threads - 1
    print(f"threads:         {threads:6.2f} CPU s a shard of {SHARD_MB} MB, {start:5.1f} to start")
    print(f"Dask, 2 workers: {dask:6.2f} CPU s a shard of {SHARD_MB} MB, {start_of_dask:5.1f}")
    print(f"overhead of a shard {100 * over:+.1f} %, bound 2 %")
    print(f"start {start_of_dask:.1f} CPU s, bound 10 s")
    raise SystemExit(over > 0.02 or start_of_dask > 10)


if __name__ == "__main__":
    main()

"""How many times more samples a second than magpylib does the whole of hm-generate make?

Ours: `hm-generate paper-discs-2d` with 100 000 samples of 5 discs at 1024 points, as a process of
its own, from its start to the finished, synced and hashed dataset: potential and field. Theirs: the
field of 5 spheres at 1024 points, sample by sample, as `magpylib.getH` gives it, in memory.
The two alternate, and the ratio is that of the medians.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import magpylib
import numpy as np
from measurement import report

BOUND = 60.0
NUM_SAMPLES, NUM_SOURCES, NUM_POINTS = 100_000, 5, 1024
ROUNDS = 5
PEER_SAMPLES = 300


def generate(directory: Path) -> float:
    """Seconds of the whole program."""
    splits = {"train": NUM_SAMPLES, "valid": 256, "test_single": 256, "test_multi": 256}
    overrides = [f"splits.{name}.num_samples={count}" for name, count in splits.items()]
    overrides.append(f"splits.train.num_sources={NUM_SOURCES}")
    program = Path(sys.executable).with_name("hm-generate")
    command = [program, "paper-discs-2d", directory]
    for override in overrides:
        command += ["--set", override]
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    seconds = time.perf_counter() - start
    shutil.rmtree(directory)
    return seconds


def peer(generator: np.random.Generator) -> float:
    """Seconds magpylib takes for one sample."""
    points = np.zeros((NUM_POINTS, 3))
    points[:, :2] = generator.uniform(-3, 3, (NUM_POINTS, 2))
    start = time.perf_counter()
    for _ in range(PEER_SAMPLES):
        moments = generator.normal(size=(NUM_SOURCES, 2))
        positions = generator.normal(size=(NUM_SOURCES, 2))
        spheres = [
            magpylib.magnet.Sphere(magnetization=(*m, 0), diameter=2, position=(*p, 0))
            for m, p in zip(moments, positions, strict=True)
        ]
        magpylib.getH(spheres, points, sumup=True)
    return (time.perf_counter() - start) / PEER_SAMPLES


def main() -> None:
    """Run both in turn."""
    generator = np.random.default_rng(0)
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch) / "warm-up")
        for number in range(ROUNDS):
            theirs.append(peer(generator))
            ours.append(generate(Path(scratch) / str(number)))
    rate, peer_rate = NUM_SAMPLES / statistics.median(ours), 1 / statistics.median(theirs)
    report(
        "hm-generate against magpylib, samples/s",
        rate / peer_rate,
        BOUND,
        ours_per_second=rate,
        magpylib_per_second=peer_rate,
        ours_best_seconds=min(ours),
        ours_worst_seconds=max(ours),
    )


if __name__ == "__main__":
    main()

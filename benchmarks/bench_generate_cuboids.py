"""How many times more samples a second than magpylib does hm-generate make of cuboids?

Ours: `hm-generate prisms-3d` with 5 cuboids, each of its own sides and rotation, at 1024 points, as
a process of its own, from its start to the finished, synced and hashed dataset: potential and
field. Theirs: the field of 5 such cuboids at 1024 points, sample by sample, as `magpylib.getH`
gives it, in memory. The two alternate, and the ratio is that of the medians.
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
from scipy.spatial.transform import Rotation

BOUND = 20.0
NUM_SAMPLES, NUM_SOURCES, NUM_POINTS = 100_000, 5, 1024
ROUNDS = 3
PEER_SAMPLES = 100


def generate(directory: Path) -> float:
    """Seconds of the whole program."""
    program = Path(sys.executable).with_name("hm-generate")
    split = f"splits={{train={{num_samples={NUM_SAMPLES}, num_sources={NUM_SOURCES}}}}}"
    command = [program, "prisms-3d", directory, "--set", split]
    command += ["--set", f"grid.num_points={NUM_POINTS}"]
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    seconds = time.perf_counter() - start
    shutil.rmtree(directory)
    return seconds


def peer(generator: np.random.Generator) -> float:
    """Seconds magpylib takes for one sample."""
    points = generator.uniform(-1.2, 1.2, (NUM_POINTS, 3))
    start = time.perf_counter()
    for _ in range(PEER_SAMPLES):
        sides = generator.uniform(0.24, 0.96, (NUM_SOURCES, 3))
        magnetisations = generator.normal(size=(NUM_SOURCES, 3))
        positions = generator.uniform(-1.2, 1.2, (NUM_SOURCES, 3))
        rotations = Rotation.from_quat(generator.normal(size=(NUM_SOURCES, 4)))
        cuboids = [
            magpylib.magnet.Cuboid(
                magnetization=m, dimension=side, position=position, orientation=rotation
            )
            for m, side, position, rotation in zip(
                magnetisations, sides, positions, rotations, strict=True
            )
        ]
        magpylib.getH(cuboids, points, sumup=True)
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
        "hm-generate of cuboids against magpylib, samples/s",
        rate / peer_rate,
        BOUND,
        ours_per_second=rate,
        magpylib_per_second=peer_rate,
        ours_best_seconds=min(ours),
        ours_worst_seconds=max(ours),
    )


if __name__ == "__main__":
    main()

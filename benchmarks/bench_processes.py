"""How much less does each of two processes compute in a step of eight blocks, and is it the same?

hm-train with the recipe `demo`, alone and as two processes through gloo, to step 10 and to step
210: the difference in CPU time is that of 200 steps, without starting and compiling. The losses of
all steps must agree to 1e-5, or there is no result.

Once with the sums of the recipe, at once, and a hundredth of its learning rate: at that,
differences of rounding grow tenfold every twenty steps or so, also between one process and one
that computes a batch in two chunks. And once with sums by block, at its own learning rate.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from measurement import report
from timed_trainings import dataset

BOUND, AGREEMENT = 0.75, 1e-5
BLOCKS, FEW, MANY = 8, 10, 210
LEARNING_RATES = {"at-once": 2.5e-5, "by-block": 2.5e-3}
"""By the order of sums."""
_PROGRAM = Path(sys.executable).parent / "hm-train"


def cpu_seconds(data: Path, run: Path, world: int, steps: int, sums: str) -> float:
    """CPU time of the first process of a training."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    changes = {
        "data.blocks_per_batch": BLOCKS,
        "schedule.max_steps": steps,
        "schedule.decay_steps": 8000,
        "schedule.learning_rate": LEARNING_RATES[sums],
        "compute.sums": f'"{sums}"',
        "validation.every": MANY,
        "checkpoint.every": MANY,
        "tracking.log_every": 1,
    }
    words = [word for key, value in changes.items() for word in ("--set", f"{key}={value}")]
    processes = [
        subprocess.Popen(
            [_PROGRAM, data, run, "--recipe", "demo", *words]
            + (["--distributed", f"{address},{rank},{world}"] if world > 1 else []),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "JAX_PLATFORMS": "cpu"},
        )
        for rank in range(world)
    ]
    ends = [os.wait4(process.pid, 0) for process in processes]
    assert all(status == 0 for _, status, _ in ends), "every process must finish"
    usage = ends[0][2]
    return usage.ru_utime + usage.ru_stime


def losses(run: Path) -> list[float]:
    """Of each step."""
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [line["loss"] for line in lines if "loss" in line]


def measure(data: Path, directory: Path, sums: str) -> None:
    """Train four times."""
    seconds = {}
    for world in (1, 2):
        few, many = (
            cpu_seconds(data, directory / f"{world}-{steps}", world, steps, sums)
            for steps in (FEW, MANY)
        )
        seconds[world] = (many - few) / (MANY - FEW)
    pairs = zip(*(losses(directory / f"{world}-{MANY}") for world in (1, 2)), strict=True)
    difference = max(abs(two / one - 1) for one, two in pairs)
    if difference > AGREEMENT:
        raise SystemExit(f"The losses must agree to {AGREEMENT:g}; got {difference:g} ({sums}).")
    report(
        f"CPU time a step of each of two processes against that of one alone, sums {sums}",
        seconds[2] / seconds[1],
        BOUND,
        alone_seconds=seconds[1],
        largest_difference_of_losses=difference,
    )


def main() -> None:
    """Train in both orders of sums."""
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        data = dataset("demo", directory / "data").directory
        for sums in LEARNING_RATES:
            measure(data, directory / sums, sums)


if __name__ == "__main__":
    main()

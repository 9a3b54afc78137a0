"""What all benchmarks share: repeated timing, and a line of result with its circumstances."""

import json
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from hypermagnetics.machine import processor

REPEATS = 7


class Timing(NamedTuple):
    """Seconds a call takes."""

    median: float
    spread: float
    """Half the distance between the quartiles."""


def time_calls(call: Callable[[], object], repeats: int = REPEATS) -> Timing:
    """Time a call that has been warmed up and ends only when its work is done."""
    call()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    low, median, high = statistics.quantiles(seconds, n=4)
    return Timing(median, (high - low) / 2)


def circumstances() -> dict[str, str]:
    """State of the code, machine, and versions, as a line of result has them."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return {
        "commit": commit,
        "machine": processor(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("jax", "numpy")},
    }


def report(question: str, ratio: float, bound: float, **figures: float | None) -> None:
    """Print the ratio that was asked for beside the bound it should reach, and the figures."""
    print(f"{question}: {ratio:.3g} (bound {bound:g})")
    line = {"question": question, "ratio": ratio, "bound": bound, **figures, **circumstances()}
    print(json.dumps(line))

"""How much memory does hm-generate take for many sources on a large grid?

1000 samples of 1000 spheres at 32^3 points: 0.5 GB of labels, 33 thousand million pairs of source
and point. The peak is that of the resident memory of the process, as the operating system counts
it.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measurement import report

BOUND = 2e9
SETTINGS = (
    "splits={train={num_samples=1000, num_sources=1000}}",
    "grid={kind='regular', half_width=3.0, resolution=32}",
)


def main() -> None:
    """Run the program once."""
    program = Path(sys.executable).with_name("hm-generate")
    with tempfile.TemporaryDirectory() as scratch:
        command = [program, "spheres-3d", Path(scratch) / "data"]
        for setting in SETTINGS:
            command += ["--set", setting]
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    report(
        "peak memory of hm-generate, 1000 samples of 1000 spheres at 32^3 points [bytes], at most",
        peak,
        BOUND,
        seconds=seconds,
        nanoseconds_per_pair=seconds / (1000 * 1000 * 32**3) * 1e9,
    )


if __name__ == "__main__":
    main()

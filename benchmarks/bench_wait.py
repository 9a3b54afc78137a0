"""What share of the step time does the training of `make demo` wait for its loader?"""

import subprocess
import sys
import tempfile
from pathlib import Path

from measurement import report

from hypermagnetics.train.metrics_log import wait_share

BOUND = 0.01
STEPS = 1000


def main() -> None:
    """Generate and train as `make demo` does, for fewer steps."""
    programs = Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as scratch:
        data, run = Path(scratch) / "data", Path(scratch) / "run"
        subprocess.run([programs / "hm-generate", "demo", data], check=True, capture_output=True)
        subprocess.run(
            [
                *(programs / "hm-train", data, run, "--recipe", "demo"),
                *("--set", f"schedule.max_steps={STEPS}"),
            ],
            check=True,
            capture_output=True,
        )
        report("loader wait as a share of the step time", wait_share(run / "metrics.jsonl"), BOUND)


if __name__ == "__main__":
    main()

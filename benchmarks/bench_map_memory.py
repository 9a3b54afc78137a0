"""Does a training of maps complete on a dataset four times the memory it may use?

8 GB of maps of 64 x 64 points, in crops, hm-train limited to 2 GB; see bench_train_memory.py. The
figure is the largest RssAnon, memory that is not the mapped files.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from bench_train_memory import BOUND, LIMIT, limited_group, watched
from measurement import report

SAMPLES, BLOCKS = 160_000, 32
STEPS = SAMPLES // 16 // BLOCKS
"""As many as go through all samples once."""


def main() -> None:
    """Generate, then train under the limit."""
    programs = Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as scratch, limited_group() as group:
        data, run = Path(scratch) / "data", Path(scratch) / "run"
        split = f"splits={{train={{num_samples={SAMPLES}, num_sources=4}}, "
        split += "valid={num_samples=64, num_sources=4}}"
        subprocess.run([programs / "hm-generate", "maps", data, "--set", split], check=True)
        size = sum(path.stat().st_size for path in data.rglob("*") if path.is_file())
        settings = (
            'model={name="conv",channels=[8],padding="same"}',
            'map={input=["potential"],target=["field"]}',
            "data.crop={size=16}",
            f"data.blocks_per_batch={BLOCKS}",
            f"schedule.max_steps={STEPS}",
            "validation.every=1000000",
            "checkpoint.every=1000000",
        )
        command = [programs / "hm-train", data, run, "--recipe", "map-unet", "--div-data"]
        command += [word for setting in settings for word in ("--set", setting)]
        code, seconds, peak = watched(command, group)
        print(f"exit code {code} under {'a control group' if group else 'RLIMIT_DATA'}")
        report(
            "anonymous memory of a training of maps over 4 times its memory [GB]",
            peak / 1e9,
            BOUND,
            exit_code=code,
            dataset_gb=size / 1e9,
            limit_gb=LIMIT / 1e9,
            seconds=seconds,
        )


if __name__ == "__main__":
    main()

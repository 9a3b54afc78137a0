"""Does a training complete on a dataset four times the memory it may use, and how much is its own?

8 GB of samples, hm-train limited to 2 GB: by a control group if this process may make one, which
counts the page cache too; else by RLIMIT_DATA, which counts private memory. The figure is the
largest RssAnon, memory that is not the mapped files.
"""

import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from measurement import report

LIMIT = 2_000_000_000
BOUND = 1.5
"""GB of anonymous memory."""
SAMPLES, STEPS = 650_000, 650
V1, V2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")


@contextlib.contextmanager
def limited_group() -> Iterator[Path | None]:
    """A control group with the limit, or None where that is not permitted."""
    for root, limit in ((V1, "memory.limit_in_bytes"), (V2, "memory.max")):
        group = root / f"hypermagnetics-{os.getpid()}"
        try:
            group.mkdir()
            (group / limit).write_text(str(LIMIT))
        except OSError:
            with contextlib.suppress(OSError):
                group.rmdir()
            continue
        yield group
        with contextlib.suppress(OSError):
            group.rmdir()
        return
    yield None


def anonymous_bytes(process: int) -> int:
    """RssAnon of a process, 0 when it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon")), 0)


def limited(group: Path | None) -> None:
    """Put this process under the limit, of a control group if there is one."""
    if group is None:
        resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))
    else:
        (group / "cgroup.procs").write_text(str(os.getpid()))


def train(data: Path, run: Path, group: Path | None) -> tuple[int, float, int]:
    """Train through all samples once.

    Returns:
        Exit code, seconds, and the largest anonymous memory.
    """
    settings = (
        f"schedule.max_steps={STEPS}",
        "data.blocks_per_batch=4",
        "validation.every=1000000",
        "checkpoint.every=1000000",
    )
    command = [Path(sys.executable).parent / "hm-train", data, run, "--recipe", "demo"]
    command += ["--points", "64", "--div-data"]
    command += [word for setting in settings for word in ("--set", setting)]
    return watched(command, group)


def watched(command: Sequence[str | Path], group: Path | None) -> tuple[int, float, int]:
    """Run a program under the limit.

    Returns:
        Exit code, seconds, and the largest anonymous memory.
    """
    start, peak = time.perf_counter(), 0
    process = subprocess.Popen(command, preexec_fn=lambda: limited(group))
    while process.poll() is None:
        peak = max(peak, anonymous_bytes(process.pid))
        time.sleep(0.05)
    return process.returncode, time.perf_counter() - start, peak


def main() -> None:
    """Generate, then train under the limit."""
    with tempfile.TemporaryDirectory() as scratch, limited_group() as group:
        data = Path(scratch) / "data"
        generate = Path(sys.executable).parent / "hm-generate"
        split = f"splits={{train={{num_samples={SAMPLES}, num_sources=1}}, "
        split += "valid={num_samples=512, num_sources=1}}"
        subprocess.run([generate, "paper-discs-2d", data, "--set", split], check=True)
        size = sum(path.stat().st_size for path in data.rglob("*") if path.is_file())
        code, seconds, peak = train(data, Path(scratch) / "run", group)
        print(f"exit code {code} under {'a control group' if group else 'RLIMIT_DATA'}")
        report(
            "anonymous memory of a training over 4 times its memory [GB]",
            peak / 1e9,
            BOUND,
            exit_code=code,
            dataset_gb=size / 1e9,
            limit_gb=LIMIT / 1e9,
            seconds=seconds,
        )


if __name__ == "__main__":
    main()

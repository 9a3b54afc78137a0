"""The programs as a user runs them, and what they leave behind.

`run_program` and `start_program` make real processes; `invoke` runs the same command in this
process, which is enough where only the message and the exit code matter.
"""

import atexit
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest

from hypermagnetics.data import StorageFormat
from hypermagnetics.data.cli import main as hm_data
from hypermagnetics.evaluate.cli import main as hm_eval
from hypermagnetics.generate.cli import main as hm_generate
from hypermagnetics.train.cli import main as hm_train

FORMATS: tuple[StorageFormat, ...] = ("zarr", "hdf5")
COMMANDS: dict[str, click.Command] = {
    "hm-data": hm_data,
    "hm-generate": hm_generate,
    "hm-train": hm_train,
    "hm-eval": hm_eval,
}
TIMEOUT = 300.0
"""Seconds after which a process hangs for sure, on a slow machine with other work too."""

_LIMIT_FILES = (
    "import os, resource, sys; size = int(sys.argv[1]); "
    "resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)); os.execv(sys.argv[2], sys.argv[2:])"
)
_PROGRESS = re.compile(r"(hm-\w+|checking the dataset): \d+/\d+ \w+, .*")


def settings(*pairs: str) -> tuple[str, ...]:
    """`--set` before each `key=value`."""
    return tuple(word for pair in pairs for word in ("--set", pair))


DATASET_RECIPE = (
    "demo",
    *settings(
        "grid.num_points=24",
        "samples_per_grid=8",
        "splits.train={num_samples=160, num_sources=1}",
        "splits.valid={num_samples=16, num_sources=1}",
        "splits.test-single={num_samples=9, num_sources=1}",
        "splits.test-multi={num_samples=20, num_sources=4}",
        "storage.shard_mb=0.001",
    ),
)
"""One block a shard, so that there are many shards; the last blocks are not full."""

TRAINING_RECIPE = settings(
    "model.width=8",
    "model.depth=1",
    "model.hdepth=1",
    "model.trunk_frequencies=4",
    "model.source_frequencies=4",
    "schedule.max_steps=300",
    "schedule.warmup_fraction=0.01",
    "checkpoint_every=10",
    "validate_every=100",
    "log_every=1",
)
"""A second of steps: long enough for a signal to come in the middle."""

TRAININGS = {
    "zarr": TRAINING_RECIPE,
    "hdf5": (*TRAINING_RECIPE, *settings("data.points_per_step=8")),
}
"""All points in each step, and some."""


@dataclass(frozen=True)
class Ran:
    """What a program that has ended left to see."""

    code: int
    stdout: str
    stderr: str

    @property
    def complaints(self) -> list[str]:
        """The lines on stderr that are no progress."""
        return [line for line in self.stderr.splitlines() if not _PROGRESS.fullmatch(line)]


@dataclass(frozen=True)
class Made:
    """A directory that a program made, and what it said."""

    path: Path
    ran: Ran


def start_program(
    name: str, *arguments: str | Path, max_file_bytes: int | None = None
) -> subprocess.Popen[str]:
    """Start an installed program.

    Args:
        name: As typed.
        arguments: As typed.
        max_file_bytes: Size beyond which writing to a file fails, as on a full disk.

    Returns:
        The process.
    """
    command = [str(Path(sysconfig.get_path("scripts")) / name), *map(str, arguments)]
    if max_file_bytes is not None:
        command = [sys.executable, "-c", _LIMIT_FILES, str(max_file_bytes), *command]
    # Bits are promised on CPU.
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment)


def finish(process: subprocess.Popen[str]) -> Ran:
    """Wait for the end of a process."""
    try:
        stdout, stderr = process.communicate(timeout=TIMEOUT)
    finally:
        process.kill()
    return Ran(process.returncode, stdout, stderr)


def run_program(name: str, *arguments: str | Path, max_file_bytes: int | None = None) -> Ran:
    """Run an installed program to its end."""
    return finish(start_program(name, *arguments, max_file_bytes=max_file_bytes))


def signal_when(
    process: subprocess.Popen[str], number: int, ready: Callable[[], bool], what: str
) -> Ran:
    """Send a signal as soon as a condition holds, and wait for the end of the process."""
    start = time.monotonic()
    while not ready():
        if process.poll() is not None or time.monotonic() - start > TIMEOUT:
            raise AssertionError(f"{what} did not come: {finish(process)}")
        time.sleep(0.002)
    process.send_signal(number)
    return finish(process)


def invoke(name: str, *arguments: str | Path) -> Ran:
    """Run a program in this process."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with redirect_stdout(stdout), redirect_stderr(stderr), pytest.raises(SystemExit) as end:
        COMMANDS[name].main(list(map(str, arguments)), prog_name=name)
    return Ran(int(end.value.code or 0), stdout.getvalue(), stderr.getvalue())


def assert_refused(ran: Ran, *fragments: str) -> None:
    """One line of the agreed form, exit code 2, nothing on stdout."""
    assert (ran.code, ran.stdout) == (2, ""), ran
    assert len(ran.complaints) == 1, ran.stderr
    (line,) = ran.complaints
    form = r"hm-\w+: .+ must .+; got:? .+\. [A-Z].+[.?]"
    assert re.fullmatch(form, line), line
    for fragment in fragments:
        assert fragment in line


def snapshot(directory: Path) -> dict[str, tuple[int, str]]:
    """Path -> (time of change, content) of everything below a directory."""
    return {
        str(path.relative_to(directory)): (
            path.lstat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in sorted(directory.rglob("*"))
    }


def read_json(path: Path) -> Any:
    """A JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The records of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@cache
def _directory() -> Path:
    """A temporary directory that lasts as long as the tests."""
    path = Path(tempfile.mkdtemp(prefix="hypermagnetics-programs-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


@cache
def finished_dataset(storage_format: StorageFormat) -> Made:
    """A dataset made without disturbance by hm-generate; not to be changed."""
    out = _directory() / f"data-{storage_format}"
    ran = run_program("hm-generate", *DATASET_RECIPE, out, "--format", storage_format)
    assert ran.code == 0, ran
    return Made(out, ran)


@cache
def finished_run(storage_format: StorageFormat) -> Made:
    """A run made without disturbance by hm-train on that dataset; not to be changed."""
    run = _directory() / f"run-{storage_format}"
    dataset = finished_dataset(storage_format).path
    ran = run_program("hm-train", dataset, run, *TRAININGS[storage_format])
    assert ran.code == 0, ran
    return Made(run, ran)


def copy_of(made: Made, target: Path) -> Path:
    """A copy to be changed."""
    return Path(shutil.copytree(made.path, target, symlinks=True))

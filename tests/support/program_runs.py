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
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import click
import pytest
from fork_server import TEMPORARY
from program_server import PLATFORMS, Command, ForkedProgram, start

from hypermagnetics.data import Compression, StorageFormat
from hypermagnetics.data.cli import main as hm_data
from hypermagnetics.evaluate.cli import main as hm_eval
from hypermagnetics.generate.cli import main as hm_generate
from hypermagnetics.run_files import RunFiles
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

_LIMIT = (
    "import os, resource, sys; kind, size = getattr(resource, sys.argv[1]), int(sys.argv[2]); "
    "resource.setrlimit(kind, (size, size)); os.execv(sys.argv[3], sys.argv[3:])"
)
_LATE_VARIABLES = {"PYTHONPATH", "PATH", "HM_FAULT", PLATFORMS}
OWN_INTERPRETER = {"PYTHONHASHSEED": "0"}
"""Variables with which a program is not forked, but starts as for a user."""
_PROGRESS = re.compile(
    r"(hm-\w+|checking the dataset): \d+/\d+ \w+, .*|hm-eval: .+ \.\.\.|"
    r"hm-train: (computing on|recipe) .+"
)


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
        "splits.test_single={num_samples=9, num_sources=1}",
        "splits.test_multi={num_samples=20, num_sources=4}",
        "storage.shard_mb=0.001",
    ),
)
"""One block a shard, so that there are many shards; the last blocks are not full."""

NUM_SHARDS, NUM_SAMPLES = 12, 91
ONE_SPLIT_RECIPE = (
    "demo",
    *settings(
        "grid.num_points=16",
        "samples_per_grid=8",
        f"splits={{train={{num_samples={NUM_SAMPLES}, num_sources=1}}}}",
        "storage.shard_mb=0.001",
    ),
)
"""As many shards, the last not full, that a process compiles for once, so that it begins to write
soon."""

TRAINING_RECIPE = settings(
    "model.width=8",
    "model.depth=1",
    "model.hdepth=1",
    "model.trunk_frequencies=4",
    "model.source_frequencies=4",
    "schedule.max_steps=300",
    "schedule.warmup_fraction=0.01",
    "checkpoint.every=10",
    "validation.every=100",
    "tracking.log_every=1",
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


Process: TypeAlias = "subprocess.Popen[str] | ForkedProgram"


def start_program(
    name: str,
    *arguments: str | Path,
    max_file_bytes: int | None = None,
    max_memory_bytes: int | None = None,
    max_open_files: int | None = None,
    variables: Mapping[str, str] | None = None,
) -> Process:
    """Start a program as the leader of a process group of its own.

    Args:
        name: As typed.
        arguments: As typed.
        max_file_bytes: Size beyond which writing to a file fails, as on a full disk.
        max_memory_bytes: Size beyond which the process gets no address space.
        max_open_files: Number beyond which no file is opened; without the limits above.
        variables: Environment variables besides those of this process.

    Returns:
        The process. It is forked (`program_server`), unless it has a limit, or a variable that
        libraries may read when they are imported.
    """
    # Bits are promised on CPU.
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", **(variables or {})}
    words = list(map(str, arguments))
    limits = (("RLIMIT_FSIZE", max_file_bytes), ("RLIMIT_AS", max_memory_bytes))
    if max_file_bytes is max_memory_bytes is None and set(variables or ()) <= _LATE_VARIABLES:
        return start(Command(name, words, environment, str(Path.cwd()), max_open_files))
    assert max_open_files is None
    command = [str(Path(sysconfig.get_path("scripts")) / name), *words]
    if max_file_bytes is not None:
        # Python would leave half of a compiled module behind, for all who import it later.
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
    for kind, limit in limits:
        if limit is not None:
            command = [sys.executable, "-c", _LIMIT, kind, str(limit), *command]
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        process_group=0,
    )


def finish(process: Process) -> Ran:
    """Wait for the end of a process."""
    try:
        stdout, stderr = process.communicate(timeout=TIMEOUT)
    finally:
        process.kill()
    assert process.returncode is not None
    return Ran(process.returncode, stdout, stderr)


def run_program(name: str, *arguments: str | Path, **options: Any) -> Ran:
    """Run an installed program to its end; options as for `start_program`."""
    return finish(start_program(name, *arguments, **options))


def num_journal_files(out: Path) -> int:
    """Files of the journal: one for the recipe and one for each finished shard."""
    return len(list(out.glob("journal/*.json")))


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


def contents(directory: Path) -> dict[str, str]:
    """Path -> sha256 of every file below a directory."""
    found = snapshot(directory).items()
    return {path: digest for path, (_, digest) in found if digest}


def read_json(path: Path) -> Any:
    """A JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The records of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@cache
def _directory() -> Path:
    """A temporary directory that lasts as long as the tests."""
    path = Path(tempfile.mkdtemp(prefix="hypermagnetics-programs-", dir=TEMPORARY))
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
def dataset_in(storage_format: StorageFormat, compression: Compression, shard_mb: float) -> Path:
    """The same samples as hm-generate writes them with these options; not to be changed."""
    out = _directory() / f"data-{storage_format}-{compression}-{shard_mb}"
    options = ("--format", storage_format, "--compress", compression)
    size = settings(f"storage.shard_mb={shard_mb}")
    ran = invoke("hm-generate", *DATASET_RECIPE, *size, out, *options)
    assert ran.code == 0, ran
    return out


@cache
def one_split(storage_format: StorageFormat) -> Path:
    """A dataset of ONE_SPLIT_RECIPE made without disturbance; not to be changed."""
    out = _directory() / f"one-split-{storage_format}"
    ran = invoke("hm-generate", *ONE_SPLIT_RECIPE, out, "--format", storage_format)
    assert ran.code == 0, ran
    return out


@cache
def finished_run(storage_format: StorageFormat) -> Made:
    """A run made without disturbance by hm-train on that dataset; not to be changed."""
    run = _directory() / f"run-{storage_format}"
    dataset = finished_dataset(storage_format).path
    ran = run_program("hm-train", dataset, run, *TRAININGS[storage_format])
    assert ran.code == 0, ran
    return Made(run, ran)


def newest_checkpoint(run: Path) -> Path | None:
    """The checkpoint that a run goes on from; None if there is none."""
    steps = RunFiles(run).checkpoint_steps()
    return RunFiles(run).checkpoint(steps[-1]) if steps else None


def copy_of(made: Made, target: Path) -> Path:
    """A copy to be changed."""
    return Path(shutil.copytree(made.path, target, symlinks=True))

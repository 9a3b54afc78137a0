"""Several processes: workers of hm-generate, and readers of one dataset."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from program_runs import (
    FORMATS,
    ONE_SPLIT_RECIPE,
    Ran,
    assert_refused,
    contents,
    finish,
    invoke,
    journal_lines,
    one_split,
    run_program,
    settings,
    snapshot,
    start_program,
    wait_until,
)

from hypermagnetics.data import StorageFormat

SECONDS_TO_END = 10.0
"""Within which processes end that nobody waits for; the machine may be busy."""

SMALL = (
    "demo",
    *settings(
        "grid.num_points=8",
        "samples_per_grid=8",
        "splits={train={num_samples=32, num_sources=1}}",
        "storage.shard_mb=1e-6",
    ),
    "--workers",
    "2",
)


def generation(out: Path, *options: str, workers: int = 2) -> tuple[str, ...]:
    """The command that makes the dataset of `one_split`."""
    return ("hm-generate", *ONE_SPLIT_RECIPE, str(out), *options, "--workers", str(workers))


def workers_of(process: "subprocess.Popen[str]") -> list[int]:
    """Identifiers of the workers of a process."""
    found = []
    for task in Path(f"/proc/{process.pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            if b"--multiprocessing-fork" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(child)
    return found


def has_ended(process: int) -> bool:
    """Whether there is no such process, or only its exit code is left."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in "ZX"


def assert_end_soon(processes: list[int]) -> None:
    """None of them is left after some seconds."""
    start = time.monotonic()
    while not all(map(has_ended, processes)):
        assert time.monotonic() - start < SECONDS_TO_END, processes
        time.sleep(0.02)


def start_in_the_middle(
    command: tuple[str, ...], out: Path
) -> "tuple[subprocess.Popen[str], list[int]]":
    """Start a process, and give it back with its workers once some shards are made."""
    process = start_program(*command)
    wait_until(process, lambda: journal_lines(out) >= 3, "line 3")
    return process, workers_of(process)


def assert_completes(
    command: tuple[str, ...], out: Path, storage_format: StorageFormat = "zarr"
) -> None:
    """The same command ends with the bytes of threads in one process, here with threads too."""
    assert not (out / "manifest.json").exists()
    ran = invoke(*command, "--workers", "1")
    assert (ran.code, ran.complaints) == (0, []), ran
    assert contents(out) == contents(one_split(storage_format))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [2, 9])
@pytest.mark.parametrize("storage_format", FORMATS)
def test_workers_give_the_bytes_of_threads(
    tmp_path: Path, storage_format: StorageFormat, workers: int
) -> None:
    """Packed, with a few shards each; no more workers are started than there are shards."""
    form = (*settings("storage.shard_mb=0.005"), "--compress", "zstd", "--format", storage_format)
    assert invoke(*generation(tmp_path / "threads", *form, workers=1)).code == 0
    ran = run_program(*generation(tmp_path / "workers", *form, workers=workers))
    assert (ran.code, ran.complaints) == (0, [])
    assert "235/235 samples" in ran.stderr
    assert contents(tmp_path / "workers") == contents(tmp_path / "threads")


def test_a_killed_worker_is_reported(tmp_path: Path) -> None:
    """In the middle of a shard; nothing hangs, nothing is left, the same command completes."""
    out = tmp_path / "out"
    process, workers = start_in_the_middle(command := generation(out), out)
    assert len(workers) == 2
    # A worker that is stopped gets a shard and keeps it.
    os.kill(workers[0], signal.SIGSTOP)
    time.sleep(0.1)
    os.kill(workers[0], signal.SIGKILL)
    ran = finish(process)
    assert_refused(ran, "A worker must live", "exit code -9 (SIGKILL)", "lower --workers")
    assert_end_soon(workers)
    assert_completes(command, out)


@pytest.mark.slow
def test_a_worker_that_ends_itself_is_reported(tmp_path: Path) -> None:
    """As one that the system ends before it has begun: with its exit code."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\nif '--multiprocessing-fork' in sys.argv:\n    os._exit(5)\n"
    )
    command = generation(tmp_path / "out")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    ran = run_program(*command, variables={"PYTHONPATH": path})
    assert_refused(ran, "A worker must live", "exit code 5")
    assert_completes(command, tmp_path / "out")


def test_workers_end_with_their_main_process(tmp_path: Path) -> None:
    """Killed, it cannot tell them; the same command goes on at once."""
    out = tmp_path / "out"
    process, workers = start_in_the_middle(command := generation(out, "--format", "hdf5"), out)
    process.kill()
    assert finish(process).code == -signal.SIGKILL
    assert len(workers) == 2
    ran = run_program(*command)
    assert (ran.code, ran.complaints) == (0, [])
    assert contents(out) == contents(one_split("hdf5"))
    assert_end_soon(workers)


def refused_by_a_worker(out: Path, *overrides: str) -> Ran:
    """What a recipe gives that looks sound until its samples are drawn."""
    ran = run_program("hm-generate", *SMALL, *settings(*overrides), out)
    assert not (out / "manifest.json").exists()
    return ran


@pytest.mark.slow
def test_a_value_that_is_not_finite_in_a_worker_is_one_line(tmp_path: Path) -> None:
    """The message names the sample, as without workers."""
    ran = refused_by_a_worker(tmp_path / "out", "sources.moment.std=3e38")
    assert_refused(ran, "sources must be finite; got", "split 'train', sample ", "rule V1")


@pytest.mark.slow
def test_bodies_that_cannot_be_packed_in_a_worker_are_one_line(tmp_path: Path) -> None:
    """The trial of a recipe packs the first samples alone."""
    ran = refused_by_a_worker(
        tmp_path / "out",
        "samples_per_grid=1",
        "splits.train.num_sources=[1, 5]",
        "sources.position={distribution='packed', half_width=3.0, min_gap=0.0, attempts=1}",
    )
    assert_refused(ran, "must fit into the box without overlap; got", "'train'")


READ = """
import sys, time
from pathlib import Path
from hypermagnetics.data import Dataset

def total():
    dataset = Dataset.open(sys.argv[1])
    blocks = (block for name in dataset.splits for block in dataset.split(name).blocks())
    return sum(float(abs(values).sum()) for b in blocks for values in vars(b).values())

expected, count = total(), 0
print("reading", flush=True)
while not Path(sys.argv[2]).exists():
    assert total() == expected
    count += 1
    time.sleep(0.2)
print(expected, count > 0)
"""


@pytest.mark.slow
@pytest.mark.parametrize("storage_format", FORMATS)
def test_eight_readers_do_not_disturb_a_conversion(
    tmp_path: Path, storage_format: StorageFormat
) -> None:
    """Nor it them: all read the same values all the time, and what was written is sound."""
    data, out = one_split(storage_format), tmp_path / "out"
    before, command = snapshot(data), [sys.executable, "-c", READ, str(data), str(tmp_path / "end")]
    readers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(8)]
    for reader in readers:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "reading\n"
    assert run_program("hm-data", "convert", data, out, "--compress", "zstd").code == 0
    (tmp_path / "end").touch()
    said = [reader.communicate(timeout=60)[0] for reader in readers]
    assert [reader.returncode for reader in readers] == [0] * 8
    assert len(set(said)) == 1
    assert said[0].endswith(" True\n")
    assert invoke("hm-data", "verify", out).code == 0
    assert snapshot(data) == before

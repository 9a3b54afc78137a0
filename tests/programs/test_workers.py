"""Several processes: workers of hm-generate, and readers of one dataset."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from faults import Barrier, Fault, assert_end, workers_of
from program_runs import (
    FORMATS,
    NUM_SAMPLES,
    ONE_SPLIT_RECIPE,
    TIMEOUT,
    Process,
    Ran,
    assert_refused,
    contents,
    finish,
    invoke,
    one_split,
    run_program,
    settings,
    snapshot,
    start_program,
)

from hypermagnetics.data import StorageFormat

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


def start_with_workers_held(command: tuple[str, ...], directory: Path) -> tuple[Process, list[int]]:
    """Start a process, and give it back with its workers, each in the middle of a shard."""
    fault = Fault("fsync", "HOLD", 3, in_workers=True)
    process = start_program(*command, variables=fault.variables(directory))
    Barrier(directory).wait(process, 2)
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
    form = (*settings("storage.shard_mb=0.007"), "--compress", "zstd", "--format", storage_format)
    assert invoke(*generation(tmp_path / "threads", *form, workers=1)).code == 0
    ran = run_program(*generation(tmp_path / "workers", *form, workers=workers))
    assert (ran.code, ran.complaints) == (0, [])
    assert f"{NUM_SAMPLES}/{NUM_SAMPLES} samples" in ran.stderr
    assert contents(tmp_path / "workers") == contents(tmp_path / "threads")


@pytest.mark.slow
def test_a_killed_worker_is_reported(tmp_path: Path) -> None:
    """In the middle of a shard; nothing hangs, nothing is left, the same command completes."""
    out = tmp_path / "out"
    process, workers = start_with_workers_held(command := generation(out), tmp_path)
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    ran = finish(process)
    assert_refused(ran, "A worker must run", "exit code -9 (SIGKILL)", "fewer workers")
    assert_end(workers)
    assert_completes(command, out)


@pytest.mark.slow
def test_ctrl_c_while_workers_start(tmp_path: Path) -> None:
    """As on a terminal, where all processes get it: one line, and the same command goes on."""
    modules = tmp_path / "faulty"
    modules.mkdir()
    (modules / "sitecustomize.py").write_text(
        "import os, signal, sys\n"
        "if '--multiprocessing-fork' in sys.argv:\n"
        "    open(os.path.join(os.path.dirname(__file__), f'held-{os.getpid()}'), 'x').close()\n"
        "    signal.pause()\n"
    )
    command = generation(out := tmp_path / "out")
    path = os.pathsep.join([str(modules), os.environ.get("PYTHONPATH", "")])
    process = start_program(*command, variables={"PYTHONPATH": path})
    (barrier := Barrier(tmp_path)).wait(process, 2)
    os.killpg(process.pid, signal.SIGINT)
    ran = finish(process)
    assert (ran.code, ran.stdout) == (130, ""), ran
    (line,) = ran.complaints
    assert "is kept" in line
    assert_end(barrier.held)
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
    assert_refused(ran, "A worker must run", "exit code 5")
    assert_completes(command, tmp_path / "out")


@pytest.mark.slow
def test_workers_end_with_their_main_process(tmp_path: Path) -> None:
    """Killed, it cannot tell them; the same command goes on at once."""
    out = tmp_path / "out"
    command = generation(out, "--format", "hdf5")
    process, workers = start_with_workers_held(command, tmp_path)
    process.kill()
    assert finish(process).code == -signal.SIGKILL
    assert len(workers) == 2
    assert_end(workers)
    ran = run_program(*command)
    assert (ran.code, ran.complaints) == (0, [])
    assert contents(out) == contents(one_split("hdf5"))


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
import sys
from hypermagnetics.data import Dataset
from hypermagnetics.data.layout import SOURCE_ARRAYS

def total():
    dataset = Dataset.open(sys.argv[1])
    blocks = (block for name in dataset.splits for block in dataset.split(name).blocks())
    return sum(float(abs(b.values(array)).sum()) for b in blocks for array in SOURCE_ARRAYS)

expected = total()
print(expected, flush=True)
for _ in sys.stdin:
    assert total() == expected
    print("read", flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("storage_format", FORMATS)
def test_eight_readers_do_not_disturb_a_conversion(
    tmp_path: Path, storage_format: StorageFormat
) -> None:
    """Nor it them: all read the same values before, during and after, and the copy is sound."""
    data, out, barrier = one_split(storage_format), tmp_path / "out", Barrier(tmp_path)
    before, command = snapshot(data), [sys.executable, "-c", READ, str(data)]
    readers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    assert len({line_of(reader) for reader in readers}) == 1
    convert = ("hm-data", "convert", data, out, "--compress", "zstd")
    process = start_program(*convert, variables=Fault("link", "HOLD", 5).variables(tmp_path))
    barrier.wait(process)
    for _ in range(2):
        for reader in readers:
            print("again", file=reader.stdin, flush=True)
        assert {line_of(reader) for reader in readers} == {"read\n"}
        barrier.release()
    assert finish(process).code == 0
    assert [reader.communicate("again\n", timeout=TIMEOUT) for reader in readers] == [
        ("read\n", None)
    ] * 8
    assert [reader.returncode for reader in readers] == [0] * 8
    assert invoke("hm-data", "verify", out).code == 0
    assert snapshot(data) == before


def line_of(process: "subprocess.Popen[str]") -> str:
    """The next line that a process writes."""
    assert process.stdout is not None
    return process.stdout.readline()

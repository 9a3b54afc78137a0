"""Writers that are killed, that meet a full or failing disk, or whose clock is wrong."""

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from program_runs import (
    FORMATS,
    ONE_SPLIT_RECIPE,
    assert_refused,
    contents,
    finish,
    invoke,
    journal_lines,
    one_split,
    run_program,
    snapshot,
    start_program,
    wait_until,
)

from hypermagnetics.data import StorageFormat

FAULT = """
import errno, os, signal, threading, time

call, first, last, fault = os.environ["HM_FAULT"].split(":")
real, lock, count = getattr(os, call), threading.Lock(), 0

def faulty(*arguments, **options):
    global count
    with lock:
        count += 1
        is_due = int(first) <= count <= int(last)
    if is_due and fault == "KILL":
        os.kill(os.getpid(), signal.SIGKILL)
    if is_due:
        raise OSError(getattr(errno, fault), os.strerror(getattr(errno, fault)))
    return real(*arguments, **options)

setattr(os, call, faulty)
start, calls = time.time(), iter(range(10**9))
time.time = lambda: start - 1e4 * next(calls)  # a clock that goes back
"""
"""Calls `first` to `last` of a function of `os` fail in a process that finds this on its path."""
NO_FAULT, MANY, SHARDS = "fsync:0:0:EIO", 10**9, 30


def with_fault(directory: Path, fault: str) -> dict[str, str]:
    """Variables of a process in which a call fails: `name:first:last:error`, or KILL."""
    (directory / "faulty").mkdir(exist_ok=True)
    (directory / "faulty" / "sitecustomize.py").write_text(FAULT)
    path = os.pathsep.join([str(directory / "faulty"), os.environ.get("PYTHONPATH", "")])
    return {"PYTHONPATH": path, "HM_FAULT": fault}


def generation(out: Path, storage_format: StorageFormat, workers: int = 1) -> tuple[str, ...]:
    """The command that makes the dataset of `one_split`."""
    options = ("--format", storage_format, "--workers", str(workers))
    return ("hm-generate", *ONE_SPLIT_RECIPE, str(out), *options)


def conversion(out: Path, storage_format: StorageFormat) -> tuple[str, ...]:
    """The command that makes it from the one in the other format."""
    (other,) = set(FORMATS) - {storage_format}
    source = one_split(other)
    return ("hm-data", "convert", str(source), str(out), "--format", storage_format)


def assert_completes(command: tuple[str, ...], out: Path, storage_format: StorageFormat) -> None:
    """The same command ends with the bytes of an undisturbed run, and nothing besides."""
    assert not (out / "manifest.json").exists()
    ran = invoke(*command)
    assert (ran.code, ran.complaints) == (0, []), ran
    assert contents(out) == contents(one_split(storage_format))


def kill_after(command: tuple[str, ...], out: Path, seconds: float) -> bool:
    """Kill a process some time after its first shard; whether it ended before."""
    # Its clock goes back all the time, as nothing depends on that.
    before = journal_lines(out)
    process = start_program(*command, variables=with_fault(out.parent, NO_FAULT))
    while process.poll() is None and journal_lines(out) <= before:
        time.sleep(0.002)
    time.sleep(seconds)
    process.kill()
    assert finish(process).code in (0, -signal.SIGKILL)
    return (out / "manifest.json").exists()


@pytest.mark.parametrize(
    ("storage_format", "workers"),
    [("zarr", 1), pytest.param("hdf5", 2, marks=pytest.mark.slow)],
)
def test_a_generation_killed_at_any_time_goes_on_to_the_same_bytes(
    tmp_path: Path, storage_format: StorageFormat, workers: int
) -> None:
    """Two instants each; what lies on the disk meanwhile may have any time, or be cut off."""
    out, command = tmp_path / "out", generation(tmp_path / "out", storage_format, workers)
    for seconds in (0.0, 0.02):
        assert not kill_after(command, out, seconds)
    files = [
        p for p in sorted(out.rglob("*")) if p.suffix == ".h5" or (p.name == "0" and p.is_file())
    ]
    for number, path in enumerate(files):
        os.utime(path, (0, 0) if number % 2 else (2**32, 2**32))
    files[-1].write_bytes(files[-1].read_bytes()[:-1])
    files[0].unlink()
    assert_completes(generation(out, storage_format), out, storage_format)


@pytest.mark.slow
@pytest.mark.parametrize("storage_format", FORMATS)
@pytest.mark.parametrize(("workers", "instants"), [(1, 13), (2, 12)])
def test_fifty_kills_change_nothing(
    tmp_path: Path, storage_format: StorageFormat, workers: int, instants: int
) -> None:
    """Each process goes on in the directory that the one before left; when one ends, a new one."""
    chance, number = random.Random(f"{storage_format} {workers}"), 0
    for _ in range(instants):
        out = tmp_path / str(number)
        command = generation(out, storage_format, workers)
        if kill_after(command, out, chance.uniform(0, 0.15)):
            (out / "journal.jsonl").unlink(missing_ok=True)
            assert contents(out) == contents(one_split(storage_format))
            number += 1
    if not (out / "manifest.json").exists():
        assert_completes(generation(out, storage_format), out, storage_format)


def kill_at_call(directory: Path, storage_format: StorageFormat, call: str, number: int) -> None:
    """Kill a conversion at one call, and see that the same command completes it."""
    out = directory / f"{storage_format}-{call}-{number}"
    command = conversion(out, storage_format)
    ran = run_program(*command, variables=with_fault(directory, f"{call}:{number}:{number}:KILL"))
    assert ran.code in (0, -signal.SIGKILL), ran
    if not (out / "manifest.json").exists():
        assert_completes(command, out, storage_format)
    (out / "journal.jsonl").unlink(missing_ok=True)
    assert contents(out) == contents(one_split(storage_format))


@pytest.mark.parametrize(("call", "number"), [("fsync", 1), ("fsync", 40), ("replace", 20)])
def test_a_conversion_killed_at_a_call_goes_on(tmp_path: Path, call: str, number: int) -> None:
    """Before a file is synced, and before it takes its name."""
    kill_at_call(tmp_path, "hdf5", call, number)


@pytest.mark.slow
@pytest.mark.parametrize("storage_format", FORMATS)
def test_a_conversion_killed_at_many_calls_goes_on(
    tmp_path: Path, storage_format: StorageFormat
) -> None:
    """Calls all over the work, and each of the end."""
    files = 5 * SHARDS if storage_format == "zarr" else SHARDS
    for call, end in (("fsync", 2 * files + 43), ("replace", files + 10)):
        for number in {*range(1, end, files // 7), *range(end - 12, end)}:
            kill_at_call(tmp_path, storage_format, call, number)


@pytest.mark.parametrize("call", ["replace:33:33", "unlink:1:1"])
def test_the_manifest_is_the_commit(tmp_path: Path, call: str) -> None:
    """Killed before the manifest takes its name, or before the journal goes."""
    out, command = tmp_path / "out", conversion(tmp_path / "out", "hdf5")
    ran = run_program(*command, variables=with_fault(tmp_path, f"{call}:KILL"))
    assert ran.code == -signal.SIGKILL
    assert (out / "journal.jsonl").exists()
    if call == "replace:33:33":
        assert (out / "manifest-sha256.txt").exists()
        assert_completes(command, out, "hdf5")
    else:
        assert invoke("hm-data", "verify", out).code == 0
        (out / "journal.jsonl").unlink()
        assert contents(out) == contents(one_split("hdf5"))


@pytest.mark.parametrize(
    ("storage_format", "fault", "said"),
    [
        ("zarr", "fsync:30:30:EIO", "Input/output error"),
        ("hdf5", f"fsync:30:{MANY}:ENOSPC", "No space left on device"),
        ("hdf5", f"fsync:2:{MANY}:EIO", "Input/output error"),
        ("zarr", f"replace:20:{MANY}:EROFS", "Read-only file system"),
    ],
)
def test_a_failing_disk_is_reported(
    tmp_path: Path, storage_format: StorageFormat, fault: str, said: str
) -> None:
    """In one line, although several threads meet it; nothing that counts is left."""
    out, command = tmp_path / "out", conversion(tmp_path / "out", storage_format)
    ran = run_program(*command, variables=with_fault(tmp_path, fault))
    assert_refused(ran, said, "give the same command again")
    assert not list(out.rglob("*.part"))
    assert_completes(command, out, storage_format)


@pytest.mark.slow
def test_a_disk_that_fails_in_a_worker_is_reported(tmp_path: Path) -> None:
    """Each process counts calls of its own."""
    command = generation(tmp_path / "out", "hdf5", workers=2)
    ran = run_program(*command, variables=with_fault(tmp_path, "fsync:5:5:EIO"))
    assert_refused(ran, "Input/output error", "give the same command again")
    assert_completes(generation(tmp_path / "out", "hdf5"), tmp_path / "out", "hdf5")


@contextmanager
def mounted(place: Path, *options: str) -> Iterator[Path]:
    """Mount something, or skip the test where this user may not."""
    place.mkdir()
    mount = shutil.which("mount")
    command = [mount or "false", *options, str(place)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mount is not permitted here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize(
    ("make", "storage_format"),
    [
        (generation, "zarr"),
        (conversion, "hdf5"),
        pytest.param(generation, "hdf5", marks=pytest.mark.slow),
        pytest.param(conversion, "zarr", marks=pytest.mark.slow),
    ],
)
def test_a_full_disk_is_reported_and_room_is_enough_to_go_on(
    tmp_path: Path, make: Callable[..., tuple[str, ...]], storage_format: StorageFormat
) -> None:
    """A file system of memory, which is made larger."""
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=160k", "tmpfs") as disk:
        command = make(disk / "out", storage_format)
        ran = run_program(*command)
        assert_refused(ran, "No space left on device", "give the same command again")
        assert journal_lines(disk / "out") > 1
        assert not list(disk.rglob("*.part"))
        assert not (disk / "out" / "manifest.json").exists()
        subprocess.run(["mount", "-o", "remount,size=9m", str(disk)], check=True)
        assert_completes(command, disk / "out", storage_format)


def test_a_place_that_is_read_only_is_refused(tmp_path: Path) -> None:
    """Also in the middle of a dataset; nothing is changed, and writable again it is completed."""
    out = tmp_path / "disk" / "out"
    command = conversion(out, "hdf5")
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=9m", "tmpfs") as disk:
        remount = ["mount", str(disk), "-o"]
        subprocess.run([*remount, "remount,ro"], check=True)
        assert_refused(run_program(*command), "Read-only file system", str(out))
        subprocess.run([*remount, "remount,rw"], check=True)
        fault = with_fault(tmp_path, "replace:9:9:KILL")
        assert run_program(*command, variables=fault).code == -signal.SIGKILL
        subprocess.run([*remount, "remount,ro"], check=True)
        before = snapshot(disk)
        assert_refused(run_program(*command), "Read-only file system", str(out))
        assert_refused(invoke(*generation(disk / "other", "zarr")), "Read-only file system")
        assert snapshot(disk) == before
        subprocess.run([*remount, "remount,rw"], check=True)
        assert_completes(command, out, "hdf5")


def test_two_writers_are_one_too_many(tmp_path: Path) -> None:
    """The second is refused, whatever it wants to write; the first does not notice."""
    out = tmp_path / "out"
    process = start_program(*conversion(out, "zarr"))
    wait_until(process, lambda: journal_lines(out) >= 3, "line 3")
    process.send_signal(signal.SIGSTOP)
    try:
        ran = invoke(*generation(out, "zarr"))
        assert_refused(ran, "must have one writer; got a second", str(out))
    finally:
        process.send_signal(signal.SIGCONT)
    ran = finish(process)
    assert (ran.code, ran.complaints) == (0, [])
    assert contents(out) == contents(one_split("zarr"))


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_ctrl_c_reaches_all_processes_and_ends_in_one_line(tmp_path: Path, workers: int) -> None:
    """As on a terminal, where the signal goes to the whole group."""
    out = tmp_path / "out"
    process = start_program(*generation(out, "zarr", workers))
    wait_until(process, lambda: journal_lines(out) >= 3, "line 3")
    os.killpg(process.pid, signal.SIGINT)
    ran = finish(process)
    assert (ran.code, ran.stdout) == (130, ""), ran
    (line,) = ran.complaints
    assert "is kept" in line
    assert_completes(generation(out, "zarr"), out, "zarr")

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
from faults import Barrier, Fault
from program_runs import (
    FORMATS,
    NUM_SHARDS,
    ONE_SPLIT_RECIPE,
    TIMEOUT,
    assert_refused,
    contents,
    finish,
    invoke,
    num_journal_files,
    one_split,
    run_program,
    snapshot,
    start_program,
)

from hypermagnetics.data import StorageFormat
from hypermagnetics.files import lock_if_free

MANY = 10**9


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


def killed(command: tuple[str, ...], directory: Path, fault: Fault) -> bool:
    """Run a command whose process, or a worker, is killed at a place; whether it came there."""
    ran = run_program(*command, variables=fault.variables(directory))
    lost_a_worker = ran.code == 2 and "A worker must run" in ran.stderr
    assert ran.code in (0, -signal.SIGKILL) or lost_a_worker, ran
    # Workers hold the lock too, until they see that their main process is gone.
    for journal in directory.glob("*/journal.lock"):
        start = time.monotonic()
        while (lock := lock_if_free(journal)) is None:
            assert time.monotonic() - start < TIMEOUT, "workers end with their main process"
            time.sleep(0.02)
        lock.close()
    return ran.code != 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("storage_format", "workers"),
    [("zarr", 1), pytest.param("hdf5", 2, marks=pytest.mark.slow)],
)
def test_a_generation_killed_twice_goes_on_to_the_same_bytes(
    tmp_path: Path, storage_format: StorageFormat, workers: int
) -> None:
    """What lies on the disk meanwhile may have any time, or be cut off."""
    out, command = tmp_path / "out", generation(tmp_path / "out", storage_format, workers)
    for number in (2, 3):
        assert killed(command, tmp_path, Fault("fsync", "KILL", number, file="journal"))
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
@pytest.mark.parametrize(("workers", "kills"), [(1, 21), (2, 4)])
def test_fifty_kills_change_nothing(
    tmp_path: Path, storage_format: StorageFormat, workers: int, kills: int
) -> None:
    """Each process goes on in the directory that the one before left; when one ends, a new one.

    The main process or each worker is killed at some call, the disk is as at any moment before it.
    """
    chance, number = random.Random(f"{storage_format} {workers}"), 0
    while kills:
        out = tmp_path / str(number)
        command = generation(out, storage_format, workers)
        fault = Fault(chance.choice(("fsync", "link")), "KILL", chance.randint(1, 25))
        if killed(command, tmp_path, fault):
            kills -= 1
        else:
            assert contents(out) == contents(one_split(storage_format))
            number += 1
    if not (out / "manifest.json").exists():
        assert_completes(generation(out, storage_format), out, storage_format)


def kill_at_call(directory: Path, storage_format: StorageFormat, call: str, number: int) -> None:
    """Kill a conversion at one call, and see that the same command completes it."""
    out = directory / f"{storage_format}-{call}-{number}"
    command = conversion(out, storage_format)
    killed(command, directory, Fault(call, "KILL", number))
    if not (out / "manifest.json").exists():
        assert_completes(command, out, storage_format)
    (out / "journal.lock").unlink(missing_ok=True)
    assert contents(out) == contents(one_split(storage_format))


@pytest.mark.slow
@pytest.mark.parametrize(("call", "number"), [("fsync", 1), ("fsync", 40), ("link", 8)])
def test_a_conversion_killed_at_a_call_goes_on(tmp_path: Path, call: str, number: int) -> None:
    """Before a file is synced, and before it takes its name."""
    kill_at_call(tmp_path, "hdf5", call, number)


@pytest.mark.slow
@pytest.mark.parametrize("storage_format", FORMATS)
def test_a_conversion_killed_at_many_calls_goes_on(
    tmp_path: Path, storage_format: StorageFormat
) -> None:
    """Calls all over the work, and each of the end."""
    files = 5 * NUM_SHARDS if storage_format == "zarr" else NUM_SHARDS
    for call, end in (("fsync", 2 * files + 43), ("link", files), ("replace", 10)):
        for number in {*range(1, end, max(end // 12, 1)), *range(max(end - 12, 1), end)}:
            kill_at_call(tmp_path, storage_format, call, number)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("call", "file"), [("replace", "manifest.json"), ("unlink", "journal.lock")]
)
def test_the_manifest_is_the_commit(tmp_path: Path, call: str, file: str) -> None:
    """Killed before the manifest takes its name, or before the journal goes."""
    out, command = tmp_path / "out", conversion(tmp_path / "out", "hdf5")
    assert killed(command, tmp_path, Fault(call, "KILL", file=file))
    assert (out / "journal.lock").exists()
    if call == "replace":
        assert (out / "manifest-sha256.txt").exists()
        assert_completes(command, out, "hdf5")
    else:
        assert invoke("hm-data", "verify", out).code == 0
        (out / "journal.lock").unlink()
        assert contents(out) == contents(one_split("hdf5"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("storage_format", "fault", "said"),
    [
        ("zarr", Fault("fsync", "EIO", 30), "Input/output error"),
        ("hdf5", Fault("fsync", "ENOSPC", 30, MANY), "No space left on device"),
        ("hdf5", Fault("fsync", "EIO", 2, MANY), "Input/output error"),
        ("zarr", Fault("link", "EROFS", 20, MANY), "Read-only file system"),
    ],
)
def test_a_failing_disk_is_reported(
    tmp_path: Path, storage_format: StorageFormat, fault: Fault, said: str
) -> None:
    """In one line, although several threads meet it; nothing that counts is left."""
    out, command = tmp_path / "out", conversion(tmp_path / "out", storage_format)
    ran = run_program(*command, variables=fault.variables(tmp_path))
    assert_refused(ran, said, "give the same command again")
    assert not list(out.rglob("*.part*"))
    assert_completes(command, out, storage_format)


@pytest.mark.slow
def test_a_disk_that_fails_in_a_worker_is_reported(tmp_path: Path) -> None:
    """Each process counts calls of its own."""
    command = generation(tmp_path / "out", "hdf5", workers=2)
    ran = run_program(*command, variables=Fault("fsync", "EIO", 5).variables(tmp_path))
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


@pytest.mark.slow_cases
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
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=120k", "tmpfs") as disk:
        command = make(disk / "out", storage_format)
        ran = run_program(*command)
        assert_refused(ran, "No space left on device", "give the same command again")
        assert num_journal_files(disk / "out") > 1
        assert not list(disk.rglob("*.part*"))
        assert not (disk / "out" / "manifest.json").exists()
        subprocess.run(["mount", "-o", "remount,size=9m", str(disk)], check=True)
        assert_completes(command, disk / "out", storage_format)


@pytest.mark.slow
def test_a_place_that_is_read_only_is_refused(tmp_path: Path) -> None:
    """Also in the middle of a dataset; nothing is changed, and writable again it is completed."""
    out = tmp_path / "disk" / "out"
    command = conversion(out, "hdf5")
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=9m", "tmpfs") as disk:
        remount = ["mount", str(disk), "-o"]
        subprocess.run([*remount, "remount,ro"], check=True)
        assert_refused(run_program(*command), "Read-only file system", str(out))
        subprocess.run([*remount, "remount,rw"], check=True)
        assert killed(command, tmp_path, Fault("link", "KILL", 9))
        subprocess.run([*remount, "remount,ro"], check=True)
        before = snapshot(disk)
        assert_refused(run_program(*command), "Read-only file system", str(out))
        assert_refused(invoke(*generation(disk / "other", "zarr")), "Read-only file system")
        assert snapshot(disk) == before
        subprocess.run([*remount, "remount,rw"], check=True)
        assert_completes(command, out, "hdf5")


THIRD_LINE = Fault("fsync", "HOLD", 3, file="journal")
"""Two shards are finished; no other is before this one has been written down."""


@pytest.mark.slow
def test_two_writers_are_one_too_many(tmp_path: Path) -> None:
    """The second is refused, whatever it wants to write; the first does not notice."""
    out, barrier = tmp_path / "out", Barrier(tmp_path)
    process = start_program(*conversion(out, "zarr"), variables=THIRD_LINE.variables(tmp_path))
    barrier.wait(process)
    ran = invoke(*generation(out, "zarr"))
    barrier.release()
    assert_refused(ran, "must have one writer; got a second", str(out))
    ran = finish(process)
    assert (ran.code, ran.complaints) == (0, [])
    assert contents(out) == contents(one_split("zarr"))


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_ctrl_c_reaches_all_processes_and_ends_in_one_line(tmp_path: Path, workers: int) -> None:
    """As on a terminal, where the signal goes to the whole group."""
    out, barrier = tmp_path / "out", Barrier(tmp_path)
    command = generation(out, "zarr", workers)
    process = start_program(*command, variables=THIRD_LINE.variables(tmp_path))
    barrier.wait(process)
    os.killpg(process.pid, signal.SIGINT)
    ran = finish(process)
    assert (ran.code, ran.stdout) == (130, ""), ran
    (line,) = ran.complaints
    assert "is kept" in line
    assert 3 <= num_journal_files(out) < NUM_SHARDS
    assert_completes(generation(out, "zarr"), out, "zarr")

"""The programs on a cluster: workers that are killed, a program that is, and all else that ends."""

import json
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from faults import Barrier, Fault, assert_end, wait_until, workers_of
from program_runs import (
    FORMATS,
    ONE_SPLIT_RECIPE,
    assert_refused,
    contents,
    copy_of,
    finish,
    finished_dataset,
    finished_run,
    invoke,
    num_journal_files,
    one_split,
    run_program,
    start_program,
)
from small_plans import plan_of

from hypermagnetics.cluster import Scheduler, open_cluster
from hypermagnetics.data import StorageFormat
from hypermagnetics.data.in_directory import LOCK_NAME, InDirectory
from hypermagnetics.errors import DatasetError, HypermagneticsError
from hypermagnetics.evaluate import cluster_run
from hypermagnetics.evaluate.cluster_run import Job
from hypermagnetics.evaluate.plan import Plan, open_datasets
from hypermagnetics.evaluate.subjects.arguments import sort_arguments
from hypermagnetics.evaluate.subjects.opening import open_subjects
from hypermagnetics.generate import makers
from hypermagnetics.generate.notebook import generate


def generation(out: Path, cluster: str = "local:2") -> tuple[str, ...]:
    """The command that makes the dataset of `one_split`."""
    return ("hm-generate", *ONE_SPLIT_RECIPE, str(out), "--cluster", cluster)


@pytest.mark.slow
def test_three_killed_workers_change_no_byte(tmp_path: Path) -> None:
    """Each before a file takes its name; the program says nothing of it."""
    fault = Fault(
        "link", "KILL", first=7, last=10**9, in_workers=True, most_kills=3, true_clock=True
    )
    ran = run_program(*generation(out := tmp_path / "out"), variables=fault.variables(tmp_path))
    assert (ran.code, ran.complaints) == (0, []), ran
    assert len(list((tmp_path / "faulty").glob("killed-*"))) == 3
    assert contents(out) == contents(one_split("zarr"))


@pytest.mark.slow
@pytest.mark.parametrize("storage_format", FORMATS)
@pytest.mark.parametrize("call", ["fsync", "link", "unlink"])
def test_workers_killed_at_any_call_change_no_byte(
    tmp_path: Path, storage_format: StorageFormat, call: str
) -> None:
    """Before a file is synced, takes its name, or has lost the name of its part."""
    fault = Fault(call, "KILL", first=2, last=10**9, in_workers=True, most_kills=3, true_clock=True)
    command = (*generation(out := tmp_path / "out"), "--format", storage_format)
    ran = run_program(*command, variables=fault.variables(tmp_path))
    assert (ran.code, ran.complaints) == (0, []), ran
    assert len(list((tmp_path / "faulty").glob("killed-*"))) == 3
    assert contents(out) == contents(one_split(storage_format))


@pytest.mark.slow
def test_a_killed_program_takes_its_workers_along_and_goes_on(tmp_path: Path) -> None:
    """Before a worker enters its fourth shard; the same command ends with the bytes of threads."""
    fault = Fault("fsync", "HOLD", 4, file="journal", true_clock=True).variables(tmp_path)
    process = start_program(*generation(out := tmp_path / "out"), variables=fault)
    Barrier(tmp_path).wait(process)
    workers = workers_of(process)
    assert len(workers) == 2
    process.kill()
    assert finish(process).code == -signal.SIGKILL
    assert_end(workers)
    assert not (out / "manifest.json").exists()
    ran = invoke(*generation(out)[:-2])
    assert (ran.code, ran.complaints) == (0, []), ran
    assert contents(out) == contents(one_split("zarr"))


@pytest.fixture(autouse=True)
def unprepared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards that a test makes itself change nothing of its process."""
    monkeypatch.setattr(makers, "_prepare", lambda: None)


@pytest.mark.slow
def test_ctrl_c_ends_all_in_one_line(tmp_path: Path) -> None:
    """As on a terminal, where all processes get it, each worker in the middle of a shard."""
    fault = Fault("fsync", "HOLD", 3, in_workers=True, true_clock=True).variables(tmp_path)
    process = start_program(*generation(out := tmp_path / "out"), variables=fault)
    (barrier := Barrier(tmp_path)).wait(process, 2)
    os.killpg(process.pid, signal.SIGINT)
    ran = finish(process)
    assert (ran.code, ran.stdout) == (130, ""), ran
    (line,) = ran.complaints
    assert "is kept" in line
    assert_end(barrier.held)
    assert invoke(*generation(out)[:-2]).code == 0
    assert contents(out) == contents(one_split("zarr"))


def is_json(file: Path) -> bool:
    """Whether a file is there, and its text is whole."""
    with suppress(FileNotFoundError, json.JSONDecodeError):
        json.loads(file.read_text())
        return True
    return False


@contextmanager
def scheduler(
    directory: Path, fault: Fault | None = None
) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and a worker, perhaps with a fault, in processes as a user starts them."""
    address = directory / "address.json"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard"]
    words = ["--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(address)]
    started = [subprocess.Popen([*command, *words], stderr=subprocess.DEVNULL)]
    try:
        command = [sys.executable, "-m", "distributed.cli.dask_worker", "--no-dashboard"]
        words = ["--scheduler-file", str(address), "--nthreads", "2", "--no-nanny"]
        faulty = fault.variables(directory) if fault else {}
        variables = {**os.environ, "PWD": str(directory), **faulty}
        started.append(
            subprocess.Popen(
                [*command, *words], stderr=subprocess.DEVNULL, env=variables, cwd=directory
            )
        )
        ready = partial(is_json, address)  # the file is there before its text
        wait_until(started[0], ready, "the address")  # type: ignore[arg-type]
        text = json.loads(address.read_text())["address"]
        with open_cluster(Scheduler(text)) as joined:
            assert list(joined.results(abs, [-1])) == [1]  # its worker has come
        yield text, started
    finally:
        for process in started:
            process.kill()
        for process in started:
            process.wait()


@pytest.mark.slow
def test_a_scheduler_of_a_team_does_the_work_for_two_programs(tmp_path: Path) -> None:
    """One after another, in another directory; its worker stays as it was."""
    with scheduler(tmp_path) as (address, _):
        for out in (tmp_path / "first", tmp_path / "second"):
            ran = run_program(*generation(out, address))
            assert (ran.code, ran.complaints) == (0, []), ran
            assert contents(out) == contents(one_split("zarr"))


@pytest.mark.slow
def test_a_scheduler_that_dies_is_said(tmp_path: Path) -> None:
    """In the middle of the work; finished shards are kept."""
    out = tmp_path / "out"
    fault = Fault("fsync", "HOLD", 4, file="journal", true_clock=True)
    with scheduler(tmp_path, fault) as (address, started):
        process = start_program(*generation(out, address))
        (barrier := Barrier(tmp_path)).wait(process)
        started[0].kill()
        barrier.release()
        assert_refused(finish(process), "must run until all work is done", "work is kept")
    assert num_journal_files(out) >= 4
    assert invoke(*generation(out)[:-2]).code == 0
    assert contents(out) == contents(one_split("zarr"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--workers", "2"), "--workers, --cluster"),
        (("--device", "gpu"), "must find a GPU|on CPUs by the workers of a cluster"),
    ],
)
def test_options_that_contradict_a_cluster_are_refused(
    tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    """Before anything is written."""
    ran = invoke(*generation(tmp_path / "out"), *options)
    assert_refused(ran)
    assert any(part in ran.stderr for part in said.split("|"))
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_cluster_that_is_not_there_deletes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --overwrite."""
    monkeypatch.setattr("hypermagnetics.cluster._SECONDS_TO_CONNECT", 1)
    out = tmp_path / "out"
    assert invoke(*generation(out)[:-2]).code == 0
    before = contents(out)
    assert_refused(invoke(*generation(out, "tcp://127.0.0.1:9"), "--overwrite"), "must answer")
    assert contents(out) == before


def test_a_worker_of_other_versions_or_without_the_directory_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bytes would be others, or lie where nobody looks for them."""
    plan = plan_of()
    with pytest.raises(HypermagneticsError, match=r"must see the unfinished dataset .+ got no jou"):
        makers._make(plan, InDirectory(tmp_path), ("train", 0))
    other = {**plan.identity.software, "jax": "0.1"}
    monkeypatch.setattr(makers, "software", lambda: other)
    with pytest.raises(HypermagneticsError, match=r"got jax 0\.1 on the worker and \d"):
        makers._make(plan, InDirectory(tmp_path), ("train", 0))


def test_files_that_come_late_are_waited_for_and_those_that_never_come_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on NFS, or where OUT is a disk of each machine."""
    (tmp_path / LOCK_NAME).touch()
    record = makers._make(plan_of(), InDirectory(tmp_path), ("train", 0))
    (late := tmp_path / record.files[-1].path).rename(tmp_path / "late")
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            (tmp_path / "late").rename(late)

    monkeypatch.setattr("hypermagnetics.generate.makers.time.sleep", nap)
    makers._refuse_unseen(InDirectory(tmp_path), record)
    assert len(naps) == 3
    monkeypatch.setattr(makers, "_SECONDS_TO_BE_SEEN", 0)
    late.unlink()
    with pytest.raises(DatasetError, match=r"must be seen here; got no whole .+ 0 s after"):
        makers._refuse_unseen(InDirectory(tmp_path), record)


@pytest.mark.slow
def test_a_shard_that_is_made_many_times_at_once_is_made_once(tmp_path: Path) -> None:
    """As after a heartbeat that was lost: all makers end with the same record."""
    plan = plan_of(num_samples=600)
    (tmp_path / LOCK_NAME).touch()
    make = partial(makers._make, plan, InDirectory(tmp_path), ("train", 0))
    with ThreadPoolExecutor(4) as pool:
        first, *others = [one.result() for one in [pool.submit(make) for _ in range(12)]]
    assert others == [first] * 11
    assert all((tmp_path / entry.path).stat().st_size == entry.bytes for entry in first.files)
    assert not list(tmp_path.rglob("*.part*"))


@pytest.mark.slow
def test_a_notebook_has_a_cluster_too(tmp_path: Path) -> None:
    """With the bytes of threads."""
    changes = {"grid": {"num_points": 8}, "storage": {"shard_mb": 0.002}}
    made = [
        generate("demo", tmp_path / name, cluster=cluster, **changes)
        for name, cluster in (("threads", None), ("cluster", "local:1"))
    ]
    assert made[0].sha256 == made[1].sha256


@pytest.mark.slow
@pytest.mark.parametrize("storage_format", [pytest.param("zarr", marks=pytest.mark.slow), "hdf5"])
def test_workers_check_a_dataset_as_one_process_does(
    tmp_path: Path, storage_format: StorageFormat
) -> None:
    """The same problems in the same order, and none of a sound one."""
    sound = finished_dataset(storage_format)
    ran = run_program("hm-data", "verify", sound.path, "--cluster", "local:2")
    assert (ran.code, ran.complaints) == (0, []), ran
    assert "are sound" in ran.stdout
    bad = copy_of(sound, tmp_path / "bad")
    files = [path for path in sorted(bad.glob("*/**/*")) if path.is_file()]
    for path in files[3::7]:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    files[5].unlink()
    ran = run_program("hm-data", "verify", bad, "--cluster", "local:2")
    here = invoke("hm-data", "verify", bad)
    assert ran.code == here.code == 2
    assert ran.complaints == here.complaints
    assert len(here.complaints) == len(files[3::7]) + 1


def without_times(results: Path) -> Any:
    """The content of results.json, but for what depends on the clock and the directory."""
    found = json.loads((results / "results.json").read_text())
    for evaluation in found["evaluations"]:
        del evaluation["seconds"], evaluation["predict_seconds"]
    return {key: value for key, value in found.items() if key not in ("created", "machine")}


@pytest.mark.slow
@pytest.mark.parametrize("storage_format", ["zarr", pytest.param("hdf5", marks=pytest.mark.slow)])
def test_workers_find_the_errors_that_one_process_does(
    tmp_path: Path, storage_format: StorageFormat
) -> None:
    """Of each sample, in files and numbers, whichever worker had which block."""
    words = (finished_run(storage_format).path, finished_dataset(storage_format).path)
    for name, options in (("here", ()), ("there", ("--cluster", "local:2"))):
        ran = run_program("hm-eval", *words, "--metrics-only", "--out", tmp_path / name, *options)
        assert (ran.code, ran.complaints) == (0, []), ran
    assert without_times(tmp_path / "here") == without_times(tmp_path / "there")
    here, there = (contents(tmp_path / name / "samples.zarr") for name in ("here", "there"))
    assert here == there
    assert here


def test_a_worker_that_finds_another_model_refuses(tmp_path: Path) -> None:
    """As on a machine with other files under the same path."""
    run = copy_of(finished_run("zarr"), tmp_path / "run")
    words = (str(run), str(finished_dataset("zarr").path))
    arguments = sort_arguments(words)
    plan = Plan(open_subjects(arguments.subjects), open_datasets(arguments.datasets), tmp_path)
    job = Job.of(arguments, (), None, plan)
    assert pickle.loads(pickle.dumps(job)) == job
    other = replace(job, sha256=("0" * 64, *job.sha256[1:]))
    with pytest.raises(HypermagneticsError, match=r"got another .+run\. Give paths that are"):
        cluster_run._opened(other)

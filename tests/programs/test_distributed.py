"""hm-train in several processes: the numbers of one, and an end of all when one is gone."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from faults import Barrier, Fault, signalled
from object_store import BUCKET, object_store
from program_runs import (
    TRAINING_RECIPE,
    Process,
    Ran,
    assert_refused,
    finish,
    finished_dataset,
    invoke,
    read_lines,
    run_program,
    settings,
    start_program,
)

from hypermagnetics.models.store import read_header
from hypermagnetics.run_files import RunFiles
from hypermagnetics.train.processes import Membership, parse_distributed
from hypermagnetics.train.signals import CANNOT_WRITE, TRY_AGAIN

STEPS = settings("data.blocks_per_batch=4", "schedule.max_steps=60", "validation.every=20")
LOST = 60.0
"""Seconds in which all must end when one is gone."""
ABORTED = -signal.SIGABRT
"""JAX's own end of a process that lost the first one."""


def free_address() -> str:
    """An address that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"


def begin(
    run: Path,
    world: int,
    *options: str,
    variables: dict[int, dict[str, str]] | None = None,
    data: str | Path | None = None,
) -> list[Process]:
    """Start a training of several processes, some with variables of their own."""
    address, data = free_address(), data or finished_dataset("zarr").path
    words = (*TRAINING_RECIPE, *STEPS, *options)
    return [
        start_program(
            "hm-train",
            *(data, run, *words, "--distributed", f"{address},{rank},{world}"),
            variables=(variables or {}).get(rank),
        )
        for rank in range(world)
    ]


def end(processes: list[Process]) -> list[Ran]:
    """Their ends."""
    return [finish(process) for process in processes]


def train(run: Path, world: int, *options: str) -> Ran:
    """A training that all processes finish; what the first said."""
    ran, *others = end(begin(run, world, *options))
    assert [one.code for one in (ran, *others)] == [0] * world, (ran, others)
    for other in others:
        assert (other.stdout, other.complaints) == ("", []), other
    return ran


def losses(run: Path) -> np.ndarray:
    """Of all steps, then of all validations."""
    lines = read_lines(run / "metrics.jsonl")
    of_steps = [line["loss"] for line in lines if "loss" in line]
    errors = [list(line["validation"].values()) for line in lines if "validation" in line]
    return np.array([*of_steps, *np.ravel(errors)], float)


@cache
def undisturbed(directory: Path) -> Path:
    """A run of two processes."""
    run = directory / "undisturbed"
    train(run, 2)
    return run


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two processes that nothing disturbs."""
    return undisturbed(tmp_path_factory.getbasetemp())


def assert_goes_on(run: Path, whole: Path) -> None:
    """The same command with --resume ends with the bits of the undisturbed run."""
    train(run, 2, "--resume")
    for name in ("model.hm", "final.hm"):
        assert (run / name).read_bytes() == (whole / name).read_bytes()


WAYS = {
    "stream": (),
    "device": ("--mode", "device"),
    "points": ("--points", "8"),
    "divided": ("--div-data", *settings("data.div_parts=2")),
    "by phases": settings("compute.chunks=2", "compute.steps_per_dispatch=3"),
    "samples": settings("data.blocks_per_batch=1"),
    "samples on the device": ("--mode", "device", *settings("data.blocks_per_batch=2")),
}
"""With one or two blocks a batch, two or four processes share the samples of a block."""


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_several_processes_make_the_steps_of_one(tmp_path: Path, way: str) -> None:
    """And the validations, to 1e-5; also where others go on than began."""
    data, options = finished_dataset("zarr").path, WAYS[way]
    every = *TRAINING_RECIPE, *STEPS, *options
    ran = invoke("hm-train", data, tmp_path / "one", *every)
    assert ran.code == 0, ran
    assert "cpu (1 device in each of 2 processes)" in train(tmp_path / "two", 2, *options).stderr
    several = tmp_path / "several"
    train(several, 4, *options, *settings("schedule.max_steps=20", "schedule.decay_steps=60"))
    again = "--resume", *settings("schedule.max_steps=60")
    train(several, 2, *options, *again)
    alone = losses(tmp_path / "one")
    for run in (tmp_path / "two", several):
        np.testing.assert_allclose(losses(run), alone, rtol=1e-5 if run.name == "two" else 1e-4)


@pytest.mark.slow
def test_by_block_any_number_of_processes_has_the_bits_of_one(tmp_path: Path) -> None:
    """At a learning rate at which rounding alone grows to 1e-3 in some hundred steps."""
    options = settings(
        'compute.sums="by-block"',
        "data.blocks_per_batch=4",
        "schedule.max_steps=200",
        "validation.every=200",
    )
    data, one = finished_dataset("zarr").path, tmp_path / "one"
    # In a process without float64, as those of several are.
    assert run_program("hm-train", data, one, *TRAINING_RECIPE, *options).code == 0
    alone = losses(one)[:200]
    assert len(alone) == 200
    for world in (2, 4):
        run = tmp_path / str(world)
        train(run, world, *options)
        np.testing.assert_array_equal(losses(run)[:200], alone)
        assert (run / "final.hm").read_bytes() == (one / "final.hm").read_bytes()


PLACES = [(".ckpt", 1), (".ckpt", 2), (".ckpt", 3), ("best", 1), ("best", 2)]
"""Renamings before which the first is held: of checkpoints, and of best models in validations."""
EACH = [(rank, *place) for place in PLACES for rank in (0, 1)]
ASKED = [
    (signal.SIGTERM, 1, ".ckpt", 2),
    (signal.SIGTERM, 0, "best", 1),
    *((signal.SIGUSR1, *place) for place in EACH),
]
FULL = [
    *(("recipe.json", 1), ("metrics.jsonl", 1), *PLACES),
    *(("final.hm", 1), ("model.md", 1), ("model.hm", 1)),
]
"""Renamings for which there is no room."""


def held(run: Path, file: str, number: int) -> tuple[list[Process], Barrier]:
    """Two processes, of which the first waits before it renames such a file."""
    fault = Fault("replace", "HOLD", number, file=file, true_clock=True)
    processes = begin(run, 2, variables={0: fault.variables(run.parent)})
    barrier = Barrier(run.parent)
    barrier.wait(processes[0])
    return processes, barrier


def customised(directory: Path, code: str) -> str:
    """Directory whose code a process runs first, if it is in its PYTHONPATH."""
    directory.mkdir()
    (directory / "sitecustomize.py").write_text(code)
    return str(directory)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "rank", "file", "which"), ASKED)
def test_a_signal_to_one_stops_all_after_the_same_step(
    tmp_path: Path, whole: Path, number: signal.Signals, rank: int, file: str, which: int
) -> None:
    """In a minute, with a checkpoint, from which they go on to the same bits."""
    run = tmp_path / "run"
    processes, barrier = held(run, file, which)
    processes[rank].send_signal(number)
    start = time.monotonic()
    barrier.release()
    ran, other = end(processes)
    assert time.monotonic() - start < LOST
    assert (ran.code, other.code) == (TRY_AGAIN, TRY_AGAIN), (ran, other)
    assert f"got {number.name} after step" in ran.complaints[-1]
    assert other.complaints == []
    assert_goes_on(run, whole)


@pytest.mark.slow
@pytest.mark.parametrize(("rank", "file", "which"), EACH)
def test_a_killed_process_ends_all(
    tmp_path: Path, whole: Path, rank: int, file: str, which: int
) -> None:
    """In a minute, with a sentence or by JAX; the same command goes on to the same bits."""
    run = tmp_path / "run"
    processes, barrier = held(run, file, which)
    processes[rank].send_signal(signal.SIGKILL)
    start = time.monotonic()
    barrier.release()
    ended = end(processes)
    assert time.monotonic() - start < LOST
    assert ended[rank].code == -signal.SIGKILL
    other = ended[1 - rank]
    assert other.code in (TRY_AGAIN, ABORTED), other
    if other.code == TRY_AGAIN:
        assert "Every process of a training must go on to its end" in other.complaints[-1]
    assert_goes_on(run, whole)


MARK_FAILURE = """
import os
from pathlib import Path
replace = os.replace
def marked(*arguments, **options):
    try:
        return replace(*arguments, **options)
    except OSError:
        Path(__file__).with_name("failed").touch(exist_ok=False)
        raise
os.replace = marked
"""


@pytest.mark.slow
@pytest.mark.parametrize(("file", "which"), FULL)
def test_a_full_disk_of_the_first_ends_all(
    tmp_path: Path, whole: Path, file: str, which: int
) -> None:
    """In a minute, with its exit code, and its sentence alone."""
    run, marks = tmp_path / "run", tmp_path / "marks"
    full = Fault("replace", "ENOSPC", which, file=file, true_clock=True).variables(tmp_path)
    full["PYTHONPATH"] += os.pathsep + customised(marks, MARK_FAILURE)
    ran, other = end(begin(run, 2, variables={0: full}))
    assert time.time() - (marks / "failed").stat().st_mtime < LOST
    assert (ran.code, other.code) == (CANNOT_WRITE, CANNOT_WRITE), (ran, other)
    assert "must be writable" in ran.complaints[-1]
    assert other.complaints == []
    if file == "recipe.json":
        train(run, 2)
    assert_goes_on(run, whole)


AHEAD = """
import time
from pathlib import Path
clock, mark = time.monotonic, Path(__file__).with_name("ahead")
time.monotonic = lambda: clock() + 7200 * mark.exists()
"""


@pytest.mark.slow
def test_the_longest_time_of_all_ends_all_after_the_same_step(tmp_path: Path) -> None:
    """The clock of the second goes two hours ahead while the first writes a checkpoint."""
    run, clock = tmp_path / "run", tmp_path / "clock"
    fault = Fault("replace", "HOLD", 1, file=".ckpt", true_clock=True)
    processes = begin(
        run,
        2,
        *settings("schedule.max_minutes=60"),
        variables={
            0: fault.variables(tmp_path),
            1: {"PYTHONPATH": customised(clock, AHEAD)},
        },
    )
    barrier = Barrier(tmp_path)
    barrier.wait(processes[0])
    (clock / "ahead").touch()
    barrier.release()
    ran, other = end(processes)
    assert (ran.code, other.code) == (0, 0), (ran, other)
    assert ran.stdout.count("60 minutes of training were over") == 1
    assert (other.stdout, other.complaints) == ("", [])
    # The word of a step is looked at after the second step behind it.
    assert RunFiles(run).checkpoint_steps() == [10, 13]
    assert read_lines(run / "metrics.jsonl")[-1]["step"] == 13
    header = read_header(RunFiles(run).checkpoint(13), "hypermagnetics checkpoint")
    assert header.training["seconds"] >= 7200
    assert "was finished already" in train(run, 2, "--resume").stdout


@pytest.mark.slow
def test_processes_read_a_dataset_in_a_store(
    tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through one cache, to the bits of the directory."""
    run, url = tmp_path / "run", f"s3://{BUCKET}/data"
    monkeypatch.setenv("HYPERMAGNETICS_CACHE", str(tmp_path / "cache"))
    with object_store():
        assert invoke("hm-data", "upload", finished_dataset("zarr").path, url).code == 0
        ran, other = end(begin(run, 2, data=url))
    assert (ran.code, other.code) == (0, 0), (ran, other)
    assert (ran.complaints, other.stdout, other.complaints) == ([], "", [])
    for name in ("model.hm", "final.hm"):
        assert (run / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.slow
def test_processes_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    """Once, by the first, whoever is at fault."""
    for world, options, fragment in (
        (2, settings("data.blocks_per_batch=3"), "multiple of 2, such as 4"),
        (3, (), "multiple of 3, such as 6"),
    ):
        ran, *others = end(begin(tmp_path / "run", world, *options))
        assert [one.code for one in (ran, *others)] == [2] * world, (ran, others)
        assert fragment in ran.complaints[-1]
        assert [one.complaints for one in others] == [[]] * (world - 1)
    address, data = free_address(), finished_dataset("zarr").path
    ran, other = end(
        [
            start_program(
                *("hm-train", data, tmp_path / "run", *TRAINING_RECIPE, *STEPS),
                *settings(f"seed={rank}"),
                *("--distributed", f"{address},{rank},2"),
            )
            for rank in range(2)
        ]
    )
    assert (ran.code, other.code) == (2, 2), (ran, other)
    assert "must have the same recipe; got another one of process 1" in ran.complaints[-1]
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_the_time_of_earlier_processes_counts_from_the_first_step_on(tmp_path: Path) -> None:
    """Also in checkpoints that are made before the processes have told their times."""
    run = tmp_path / "run"
    every = settings("checkpoint.every=1", "checkpoint.keep=9", "schedule.max_minutes=60")
    train(run, 2, *every, *settings("schedule.max_steps=5", "schedule.decay_steps=60"))
    train(run, 2, "--resume", *every, *settings("schedule.max_steps=7"))
    seconds = [
        read_header(RunFiles(run).checkpoint(step), "hypermagnetics checkpoint").training["seconds"]
        for step in range(1, 8)
    ]
    assert seconds == sorted(seconds), seconds
    assert seconds[4] > 0


@pytest.mark.slow
def test_a_loss_that_is_not_finite_ends_all(tmp_path: Path) -> None:
    """Once said, by the first."""
    bad = settings("schedule.learning_rate=1e30", "optimiser.clip_norm=null")
    ran, other = end(begin(tmp_path / "run", 2, *bad))
    assert (ran.code, other.code) == (2, 2), (ran, other)
    assert "must be finite; got" in ran.complaints[-1]
    assert other.complaints == []


@pytest.mark.parametrize(
    "text", ["", "node1", "node1:4321", "node1:4321,2,2", "node1:0,0,2", "node1:4321,0,0", ",,"]
)
def test_an_odd_place_is_refused(tmp_path: Path, text: str) -> None:
    """With the form that it must have."""
    data = finished_dataset("zarr").path
    ran = invoke("hm-train", data, tmp_path / "run", *TRAINING_RECIPE, "--distributed", text)
    assert_refused(ran, "HOST:PORT,RANK,WORLD", repr(text), "--distributed node1:4321,0,2")


SLURM = {
    "SLURM_PROCID": "3",
    "SLURM_STEP_NUM_TASKS": "8",
    "SLURM_STEP_NODELIST": "node[003-004,9],other",
    "SLURM_JOB_ID": "70001",
}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, Membership("node003:61809", 3, 8)),
        ({"SLURM_STEP_NODELIST": "a-1,b"}, Membership("a-1:61809", 3, 8)),
        ({"SLURM_STEP_NODELIST": "n7", "SLURM_PROCID": "0"}, Membership("n7:61809", 0, 8)),
        (
            {
                "CUDA_VISIBLE_DEVICES": "0,1,2,3",
                "SLURM_LOCALID": "3",
                "SLURM_NTASKS_PER_NODE": "4",
            },
            Membership("node003:61809", 3, 8, (3,)),
        ),
        (
            {"CUDA_VISIBLE_DEVICES": "0,1,2,3", "SLURM_LOCALID": "0", "SLURM_NTASKS_PER_NODE": "1"},
            Membership("node003:61809", 3, 8),
        ),
        (
            {"CUDA_VISIBLE_DEVICES": "2", "SLURM_LOCALID": "1", "SLURM_NTASKS_PER_NODE": "2"},
            Membership("node003:61809", 3, 8),
        ),
    ],
)
def test_slurm_says_the_place(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: Membership
) -> None:
    """The first node of the step, a port of the job, and a GPU where each task has one of many."""
    for name in [name for name in os.environ if name.startswith(("SLURM_", "CUDA_VISIBLE"))]:
        monkeypatch.delenv(name)
    for name, value in {**SLURM, **variables}.items():
        monkeypatch.setenv(name, value)
    assert parse_distributed("slurm") == expected


def test_slurm_that_says_nothing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a shell without srun."""
    monkeypatch.delenv("SLURM_PROCID", raising=False)
    data = finished_dataset("zarr").path
    ran = invoke("hm-train", data, tmp_path / "run", *TRAINING_RECIPE, "--distributed", "slurm")
    assert_refused(ran, "must be started by srun", "Write srun before hm-train")


SCRIPT = Path(__file__).parents[2] / "docs" / "slurm-many.sh"
SRUN = """#!/usr/bin/env bash
[ "$1" = --kill-on-bad-exit=0 ] || exit 98
shift
export SLURM_STEP_NUM_TASKS=2 SLURM_STEP_NODELIST=127.0.0.1
for rank in 0 1; do
  SLURM_PROCID=$rank HM_FAULT="$([ $rank = 0 ] && echo "$HM_FAULT" || echo "$NO_FAULT")" "$@" &
  tasks[rank]=$!
done
trap 'kill -USR1 "${tasks[@]}"' USR1
worst=0
for task in "${tasks[@]}"; do
  while wait "$task"; kill -0 "$task" 2>/dev/null; do :; done
  wait "$task"
  code=$?
  if [ "$code" -gt "$worst" ]; then worst=$code; fi
done
exit "$worst"
"""
NOWHERE = Fault("replace", "HOLD", 1, file="nowhere", true_clock=True)


@pytest.mark.slow
def test_slurm_queues_a_training_of_several_processes_again(tmp_path: Path, whole: Path) -> None:
    """The script, with an srun of two tasks; the second job goes on to the undisturbed bits."""
    programs, queued = tmp_path / "bin", tmp_path / "queued"
    programs.mkdir()
    for name, text in {
        "srun": SRUN,
        "scontrol": f'#!/usr/bin/env bash\necho "$@" >> {queued}\n',
    }.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])
    run, data = tmp_path / "run", finished_dataset("zarr").path
    job = str(free_port_of_slurm())

    def start(fault: Fault) -> Process:
        told = fault.variables(tmp_path)
        return subprocess.Popen(
            ["bash", SCRIPT, data, run, *TRAINING_RECIPE, *STEPS],
            text=True,
            env={
                **os.environ,
                **told,
                "NO_FAULT": NOWHERE.variables(tmp_path)["HM_FAULT"],
                "PATH": path,
                "JAX_PLATFORMS": "cpu",
                "SLURM_JOB_ID": job,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    first = start(Fault("replace", "HOLD", 2, file=".ckpt", true_clock=True))
    ran = signalled(first, Barrier(tmp_path), signal.SIGUSR1)
    assert ran.code == TRY_AGAIN, ran
    assert ran.stderr.count("got SIGUSR1 after step") == 1
    assert queued.read_text() == f"requeue {job}\n"
    assert finish(start(NOWHERE)).code == 0
    for name in ("model.hm", "final.hm"):
        assert (run / name).read_bytes() == (whole / name).read_bytes()


def free_port_of_slurm() -> int:
    """Number of a job whose port nobody listens on."""
    for job in range(4096):
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", 61440 + job))
            return job
    raise AssertionError("a port must be free")

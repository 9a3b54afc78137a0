"""Trainings that a scheduler stops: signals, a full disk, kills at any moment."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from faults import Barrier, Fault, signalled
from program_runs import (
    TRAINING_RECIPE,
    TRAININGS,
    finish,
    finished_dataset,
    finished_run,
    newest_checkpoint,
    run_program,
    settings,
    start_program,
)

TRY_AGAIN, CANNOT_WRITE = 75, 74
SECOND_CHECKPOINT = Fault("replace", "HOLD", 2, file=".ckpt")
"""The first one is made."""
SCRIPT = Path(__file__).parents[2] / "docs" / "slurm.sh"


def assert_same_model(run: Path) -> None:
    """The bytes of the undisturbed run."""
    undisturbed = finished_run("zarr").path
    for name in ("model.hm", "final.hm"):
        assert (run / name).read_bytes() == (undisturbed / name).read_bytes()


TWO_SIGNALS = """
import os, signal, sys
from hypermagnetics.train.signals import stop_on_signals
number = int(sys.argv[1])
with stop_on_signals() as stop:
    os.kill(os.getpid(), number)
    print(stop.signal.name, flush=True)
    os.kill(os.getpid(), number)
    print("still here", flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_second_signal_ends_at_once(number: signal.Signals) -> None:
    """The first one is a wish."""
    command = [sys.executable, "-c", TWO_SIGNALS, str(int(number))]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (-number, f"{number.name}\n"), ran


OUTSIDE = """
import os, signal, sys
from pathlib import Path
from hypermagnetics.errors import InterruptedRunError
from hypermagnetics.train.signals import exit_code
from hypermagnetics.train.signals import end_on_signals, stop_on_signals
number = int(sys.argv[1])
try:
    with end_on_signals(Path("run")):
        with stop_on_signals() as stop:
            os.kill(os.getpid(), number)
        print(stop.signal.name, flush=True)
        os.kill(os.getpid(), number)
        print("still here", flush=True)
except InterruptedRunError as error:
    print(error, flush=True)
    sys.exit(exit_code(error))
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_outside_of_steps_can_be_queued_again(number: signal.Signals) -> None:
    """While the dataset is checked, say, there is nothing to be saved."""
    command = [sys.executable, "-c", OUTSIDE, str(int(number))]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    first, second = ran.stdout.splitlines()
    assert (ran.returncode, first) == (TRY_AGAIN, number.name), ran
    assert second.startswith(f"A run must reach its end; got {number.name} before or after")


@pytest.mark.slow
def test_a_full_disk_at_a_checkpoint_keeps_the_one_before(tmp_path: Path) -> None:
    """It is named; with room again the run ends as if nothing had been."""
    run, dataset = tmp_path / "run", finished_dataset("zarr").path
    variables = SECOND_CHECKPOINT.variables(tmp_path)
    begun = start_program("hm-train", dataset, run, *TRAINING_RECIPE, variables=variables)
    assert signalled(begun, Barrier(tmp_path), signal.SIGTERM).code == TRY_AGAIN
    last = newest_checkpoint(run)
    assert last is not None
    whole = last.read_bytes()
    ran = run_program(
        "hm-train",
        dataset,
        run,
        "--resume",
        max_file_bytes=len(whole) - 100,
        variables={"JAX_ENABLE_COMPILATION_CACHE": "false"},
    )
    assert (ran.code, ran.stdout) == (CANNOT_WRITE, ""), ran
    (line,) = ran.complaints
    assert "must be writable; got File too large" in line
    assert f"the last good checkpoint is {last}" in line
    assert "Make room, then give the same command again with --resume, or if_exists=" in line
    assert last.read_bytes() == whole
    assert not list(run.rglob("*.part*"))
    assert run_program("hm-train", dataset, run, "--resume").code == 0
    assert_same_model(run)


@pytest.mark.slow
def test_the_script_for_slurm_queues_again(tmp_path: Path) -> None:
    """SIGUSR1 reaches hm-train, whose 75 queues the job again; then it is finished."""
    run, dataset = tmp_path / "run", finished_dataset("zarr").path
    programs, queued = tmp_path / "bin", tmp_path / "queued"
    programs.mkdir()
    (programs / "scontrol").write_text(f'#!/bin/sh\necho "$@" >> {queued}\n')
    (programs / "scontrol").chmod(0o755)
    installed = Path(sys.executable).parent
    variables = {
        **os.environ,
        "PATH": os.pathsep.join([str(programs), str(installed), os.environ["PATH"]]),
        "SLURM_JOB_ID": "41",
        "JAX_PLATFORMS": "cpu",
    }

    def start(**others: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["bash", SCRIPT, dataset, run, *TRAINING_RECIPE],
            text=True,
            env={**variables, **others},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    first = start(**SECOND_CHECKPOINT.variables(tmp_path))
    ran = signalled(first, Barrier(tmp_path), signal.SIGUSR1)
    assert ran.code == TRY_AGAIN, ran
    assert "got SIGUSR1 after step" in ran.stderr
    assert queued.read_text() == "requeue 41\n"
    assert finish(start()).code == 0
    assert queued.read_text() == "requeue 41\n"
    assert_same_model(run)


@pytest.mark.slow
def test_a_run_killed_twenty_times_is_the_undisturbed_run(tmp_path: Path) -> None:
    """At some call that changes a file, with an average, chunks, and some of the points."""
    options = (
        *TRAININGS["hdf5"],
        *settings(
            "optimiser.ema_decay=0.99",
            "compute.chunks=3",
            "schedule.max_steps=1500",
            "checkpoint.every=5",
        ),
    )
    dataset = finished_dataset("zarr").path
    run, whole = tmp_path / "run", tmp_path / "whole"
    assert run_program("hm-train", dataset, whole, *options).code == 0
    chance, resume = random.Random(1), False
    for _ in range(20):
        call, number = chance.choice(("fsync", "replace", "unlink")), chance.randint(1, 40)
        fault = Fault(call, "KILL", number).variables(tmp_path)
        again = ("--resume",) if resume else ()
        ran = run_program("hm-train", dataset, run, *options, *again, variables=fault)
        assert ran.code == -signal.SIGKILL, ran
        resume = (run / "recipe.json").exists()
    assert run_program("hm-train", dataset, run, *options, "--resume").code == 0
    for name in ("model.hm", "final.hm"):
        assert (run / name).read_bytes() == (whole / name).read_bytes()

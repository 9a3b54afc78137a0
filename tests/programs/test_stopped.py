"""Trainings that a scheduler stops: signals, a full disk, kills at any moment."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from program_runs import (
    TRAINING_RECIPE,
    TRAININGS,
    finished_dataset,
    finished_run,
    newest_checkpoint,
    run_program,
    settings,
    signal_when,
    start_program,
)

TRY_AGAIN, CANNOT_WRITE = 75, 74
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
from hypermagnetics.train.exit_codes import exit_code
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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_outside_of_steps_can_be_queued_again(number: signal.Signals) -> None:
    """While the dataset is checked, say, there is nothing to be saved."""
    command = [sys.executable, "-c", OUTSIDE, str(int(number))]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    first, second = ran.stdout.splitlines()
    assert (ran.returncode, first) == (TRY_AGAIN, number.name), ran
    assert second.startswith(f"A run must be left to finish; got {number.name} before or after")


def test_a_full_disk_at_a_checkpoint_keeps_the_one_before(tmp_path: Path) -> None:
    """It is named; with room again the run ends as if nothing had been."""
    run, dataset = tmp_path / "run", finished_dataset("zarr").path
    begun = start_program("hm-train", dataset, run, *TRAINING_RECIPE)
    signal_when(begun, signal.SIGTERM, lambda: newest_checkpoint(run) is not None, "a checkpoint")
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
    assert "must take what is written; got File too large" in line
    assert f"the last good checkpoint is {last}" in line
    assert line.endswith("Make room, then give the same command again with --resume.")
    assert last.read_bytes() == whole
    assert not list(run.rglob("*.part"))
    assert run_program("hm-train", dataset, run, "--resume").code == 0
    assert_same_model(run)


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

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["bash", SCRIPT, dataset, run, *TRAINING_RECIPE],
            text=True,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    first = start()
    while newest_checkpoint(run) is None and first.poll() is None:
        time.sleep(0.01)
    first.send_signal(signal.SIGUSR1)
    _, said = first.communicate(timeout=300)
    assert first.returncode == TRY_AGAIN, said
    assert "got SIGUSR1 after step" in said
    assert queued.read_text() == "requeue 41\n"
    second = start()
    second.communicate(timeout=300)
    assert second.returncode == 0
    assert queued.read_text() == "requeue 41\n"
    assert_same_model(run)


@pytest.mark.slow
def test_a_run_killed_twenty_times_is_the_undisturbed_run(tmp_path: Path) -> None:
    """At random instants, with an average, chunks, and some of the points."""
    options = (
        *TRAININGS["hdf5"],
        *settings("optimiser.ema_decay=0.99", "compute.chunks=3", "schedule.max_steps=20000"),
    )
    dataset = finished_dataset("zarr").path
    run, whole = tmp_path / "run", tmp_path / "whole"
    start = time.monotonic()
    assert run_program("hm-train", dataset, whole, *options).code == 0
    seconds, instants, kills = time.monotonic() - start, random.Random(1), 0
    resume: tuple[str, ...] = ()
    while kills < 20:
        process = start_program("hm-train", dataset, run, *options, *resume)
        # Short enough to be killed twenty times before the end, long enough to get there.
        time.sleep(instants.uniform(0.02, 0.12) * seconds)
        process.kill()
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
        if process.returncode == 0:
            break
        resume = ("--resume",) if (run / "recipe.json").exists() else ()
    assert run_program("hm-train", dataset, run, *options, *resume).code == 0
    assert kills == 20
    for name in ("model.hm", "final.hm"):
        assert (run / name).read_bytes() == (whole / name).read_bytes()

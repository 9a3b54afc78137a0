"""Processes that programs start, after a kill of the program that it cannot handle."""

import os
import signal
from pathlib import Path

import pytest
from faults import Barrier, Fault, assert_end
from program_runs import (
    ONE_SPLIT_RECIPE,
    OWN_INTERPRETER,
    TRAINING_RECIPE,
    finish,
    finished_dataset,
    finished_run,
    start_program,
)

from hypermagnetics.machine import num_cores
from hypermagnetics.train.sweep.sweep_files import SweepFiles

HELD_WHILE_DRAWING = """
import os, signal, sys

def hold(event, arguments):
    if event == "open" and str(arguments[0]).endswith(".svg"):
        open(os.path.join(os.path.dirname(__file__), f"held-{os.getpid()}"), "x").close()
        signal.pause()

if "--multiprocessing-fork" not in sys.orig_argv:
    sys.addaudithook(hold)
"""


def variables_of(program: str, directory: Path) -> dict[str, str]:
    """Variables with which a program or its children wait, each in the middle of its work."""
    if program == "hm-generate":
        return Fault("fsync", "HOLD", 3, in_workers=True).variables(directory)
    if program == "hm-train":
        second = SweepFiles(directory / "out").trial(0).checkpoint(20)
        return Fault("replace", "HOLD", file=str(second)).variables(directory)
    (modules := directory / "faulty").mkdir()
    (modules / "sitecustomize.py").write_text(HELD_WHILE_DRAWING)
    path = os.pathsep.join([str(modules), os.environ.get("PYTHONPATH", "")])
    # Reports of forked programs are drawn by one process.
    return {"PYTHONPATH": path, **OWN_INTERPRETER}


def command_of(program: str, directory: Path) -> tuple[str | Path, ...]:
    """A command that starts processes, and writes into `out`."""
    out, data = directory / "out", finished_dataset("zarr").path
    if program == "hm-generate":
        return (*ONE_SPLIT_RECIPE, out, "--workers", "2")
    if program == "hm-train":
        file = directory / "sweep.toml"
        file.write_text('[sweep]\nmethod = "grid"\n[keys]\nseed = [0]\n')
        return ("sweep", "demo", file, out, "--data", data, *TRAINING_RECIPE)
    splits = ("valid", "test_single", "test_multi")
    options = [word for split in splits for word in ("--split", split)]
    return (finished_run("zarr").path, data, *options, "--out", out)


def children_of(process: int) -> list[int]:
    """The processes that a process has started and that go on."""
    return [
        int(child)
        for task in Path(f"/proc/{process}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    "program",
    [
        "hm-generate",
        "hm-train",
        pytest.param(
            "hm-eval",
            marks=pytest.mark.skipif(num_cores() < 2, reason="one core draws without children"),
        ),
    ],
)
def test_no_process_outlives_its_program(tmp_path: Path, program: str) -> None:
    """Killed, a program cannot tell its children."""
    command = command_of(program, tmp_path)
    process = start_program(program, *command, variables=variables_of(program, tmp_path))
    Barrier(tmp_path).wait(process)
    children = children_of(process.pid)
    assert children
    process.kill()
    assert finish(process).code == -signal.SIGKILL
    assert_end(children)

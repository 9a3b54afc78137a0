"""Streams of programs: messages are a courtesy, and no text of a file steers a terminal."""

import json
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from mending import edit_manifest
from program_runs import (
    NUM_SAMPLES,
    ONE_SPLIT_RECIPE,
    TIMEOUT,
    TRAINING_RECIPE,
    contents,
    copy_of,
    finished_dataset,
    finished_run,
    invoke,
    run_program,
)
from user_modules import user_module

from hypermagnetics.data import Dataset

CONDITIONS = {
    "closed": '"$@" 2>&-',
    "full": '"$@" 2>/dev/full',
    # The reader is gone before the first line, so that no clock decides.
    "without a reader": 'exec 3> >(:); wait $!; "$@" 2>&3',
}
ESCAPE = "\x1b]0;title\x07\x1b[2J\u202e\u2028"

FUNCTIONS = """
import sys
import numpy as np

print("imported")

def prints(sources, points):
    print("called")
    sys.stdout.write("too")
    return np.zeros((len(sources), len(points))), np.zeros((len(sources), *points.shape))

def exits(sources, points):
    sys.exit(0)
"""


def output(condition: str, name: str, *arguments: str | Path) -> str:
    """Output of a program that must end well."""
    program = Path(sysconfig.get_path("scripts")) / name
    command = ["bash", "-c", CONDITIONS[condition], "bash", program, *arguments]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=TIMEOUT, check=True)
    return ran.stdout


@pytest.mark.slow
@pytest.mark.parametrize("condition", CONDITIONS)
def test_without_messages_data_are_made_and_checked(tmp_path: Path, condition: str) -> None:
    """Whatever has become of stderr."""
    out = tmp_path / "data"
    arguments = (*ONE_SPLIT_RECIPE, out, "--workers", "2")
    assert "Wrote" in output(condition, "hm-generate", *arguments)
    assert len(Dataset.open(out).split("train")) == NUM_SAMPLES
    assert "in all files are sound" in output(condition, "hm-data", "verify", out)


@pytest.mark.slow
@pytest.mark.parametrize("condition", CONDITIONS)
def test_without_messages_models_are_trained_and_evaluated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, condition: str
) -> None:
    """Also a function that prints."""
    data, run = finished_dataset("zarr").path, tmp_path / "run"
    assert "Finished: " in output(condition, "hm-train", data, run, *TRAINING_RECIPE)
    with user_module(FUNCTIONS, tmp_path, monkeypatch) as module:
        subjects = (run, f"{module}:prints")
        assert "test_multi" in output(condition, "hm-eval", *subjects, data, "--metrics-only")


def change_title(manifest: Any) -> None:
    manifest["title"] = ESCAPE


def add_key(manifest: Any) -> None:
    manifest[ESCAPE] = 1


@pytest.mark.parametrize("edit", [change_title, add_key])
@pytest.mark.parametrize("command", [("hm-data", "info"), ("hm-data", "verify")], ids=" ".join)
def test_text_of_a_dataset_is_escaped(tmp_path: Path, edit: Any, command: tuple[str, str]) -> None:
    data = copy_of(finished_dataset("zarr"), tmp_path / "data")
    edit_manifest(data, edit)
    ran = invoke(*command, data)
    shown = ran.stdout + ran.stderr
    assert not set(ESCAPE) & set(shown) - set("]0;title[2J")
    assert ran.code == (2 if edit is add_key else 0)
    if edit is add_key or command[1] == "info":
        assert r"\x1b]0;title\x07\x1b[2J\u202e\u2028" in shown


@pytest.mark.slow
def test_names_of_subjects_are_escaped(tmp_path: Path) -> None:
    """In the table, and in the lines below it."""
    run = tmp_path / f"run{ESCAPE}"
    shutil.copytree(finished_run("zarr").path, run)
    ran = invoke("hm-eval", run, finished_dataset("zarr").path, "--metrics-only")
    assert ran.code == 0, ran
    assert r"run\x1b]0;title" in ran.stdout
    assert "\x1b" not in ran.stdout + ran.stderr


def test_prints_of_a_user_do_not_spoil_the_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They go to stderr."""
    with user_module(FUNCTIONS, tmp_path, monkeypatch) as module:
        data = finished_dataset("zarr").path
        options = ("--metrics-only", "--format", "json", "--out", tmp_path / "out")
        ran = invoke("hm-eval", f"{module}:prints", data, *options)
        assert ran.code == 0, ran
        assert json.loads(ran.stdout)["subjects"][0]["name"] == f"{module}:prints"
        assert "called" in ran.stderr


def test_a_user_function_does_not_decide_the_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with user_module(FUNCTIONS, tmp_path, monkeypatch) as module:
        ran = invoke("hm-eval", f"{module}:exits", finished_dataset("zarr").path)
        assert (ran.code, ran.stdout) == (2, "")
        assert "got SystemExit: 0 at " in ran.complaints[-1]


@pytest.mark.slow_cases
@pytest.mark.parametrize(
    "command",
    [
        ("hm-generate", *ONE_SPLIT_RECIPE, "out"),
        ("hm-data", "verify", "DATA", "--recompute", "0.1"),
        ("hm-train", "DATA", "out"),
        ("hm-train", "export", "RUN", "out"),
        ("hm-eval", "RUN", "DATA", "--out", "out"),
    ],
    ids=" ".join,
)
def test_a_platform_without_a_device_is_named(tmp_path: Path, command: tuple[str, ...]) -> None:
    places = {"DATA": finished_dataset("zarr").path, "RUN": finished_run("zarr").path}
    places["out"] = tmp_path / "out"
    name, *words = command
    ran = run_program(
        name, *(places.get(word, word) for word in words), variables={"JAX_PLATFORMS": "nowhere"}
    )
    assert (ran.code, len(ran.complaints)) == (2, 1), ran
    assert (
        "JAX must find a device of a platform in JAX_PLATFORMS; got none of 'nowhere'"
        in (ran.complaints[0])
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_without_a_platform_nothing_is_overwritten(tmp_path: Path) -> None:
    data = copy_of(finished_dataset("zarr"), tmp_path / "data")
    before = contents(data)
    program = Path(sysconfig.get_path("scripts")) / "hm-generate"
    ran = subprocess.run(
        [program, *ONE_SPLIT_RECIPE, data, "--overwrite"],
        capture_output=True,
        text=True,
        # Read by JAX itself while it is imported.
        env={**os.environ, "JAX_PLATFORMS": "nowhere"},
        timeout=TIMEOUT,
    )
    assert ran.returncode == 2, ran
    assert "JAX must find a device of a platform in JAX_PLATFORMS" in ran.stderr
    assert contents(data) == before

"""Programs that are killed or stopped in the middle, and go on as if nothing had happened."""

import re
import shutil
import signal
from pathlib import Path

import jax
import numpy as np
import pytest
from faults import Barrier, Fault, signalled
from program_runs import (
    DATASET_RECIPE,
    FORMATS,
    TRAININGS,
    Ran,
    assert_refused,
    finished_dataset,
    finished_run,
    invoke,
    newest_checkpoint,
    num_journal_files,
    read_lines,
    run_program,
    settings,
    start_program,
)

from hypermagnetics import models
from hypermagnetics.data import StorageFormat
from hypermagnetics.log import Progress
from hypermagnetics.models.store import Header
from hypermagnetics.run_files import RunFiles

KILLED = -signal.SIGKILL
TRY_AGAIN = 75


def kill_generation(out: Path, storage_format: StorageFormat, line: int) -> None:
    """Start or continue a dataset, and kill the process at a file that it adds to the journal."""
    fault = Fault("fsync", "KILL", line, file="journal").variables(out.parent)
    command = ("hm-generate", *DATASET_RECIPE, out, "--format", storage_format)
    assert run_program(*command, variables=fault).code == KILLED
    assert not (out / "manifest.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("storage_format", FORMATS)
def test_a_killed_generation_goes_on_to_the_same_bytes(
    tmp_path: Path, storage_format: StorageFormat
) -> None:
    """Killed at the first shard and again later, with a torn record on top."""
    out = tmp_path / "data"
    kill_generation(out, storage_format, 2)
    assert num_journal_files(out) == 1
    kill_generation(out, storage_format, 12)
    assert num_journal_files(out) in (11, 12)  # another thread may be about to enter one
    (out / "journal/test_multi-00002.json").write_bytes(b'{"crc32": "')
    assert_refused(
        invoke("hm-train", out, tmp_path / "run"), "manifest.json", "give its command again"
    )
    ran = run_program("hm-generate", *DATASET_RECIPE, out, "--format", storage_format)
    assert ran.code == 0, ran
    undisturbed = finished_dataset(storage_format).path
    for name in ("manifest-sha256.txt", "README.md"):
        assert (out / name).read_bytes() == (undisturbed / name).read_bytes()
    paths = [sorted(p.relative_to(d) for p in d.rglob("*")) for d in (out, undisturbed)]
    assert paths[0] == paths[1]


def test_ctrl_c_ends_a_generation_in_one_line(tmp_path: Path) -> None:
    """Shards in the making leave no trace, finished ones stay, and the same command goes on."""
    out = tmp_path / "data"
    fault = Fault("fsync", "HOLD", 3, file="journal").variables(tmp_path)
    process = start_program("hm-generate", *DATASET_RECIPE, out, variables=fault)
    ran = signalled(process, Barrier(tmp_path), signal.SIGINT)
    assert ran.code == 130
    assert len(ran.complaints) == 1
    assert "finished work is kept" in ran.complaints[0]
    assert not (out / "manifest.json").exists()
    assert not list(out.rglob("*.part*"))
    assert run_program("hm-generate", *DATASET_RECIPE, out).code == 0
    undisturbed = finished_dataset("zarr").path
    name = "manifest-sha256.txt"
    assert (out / name).read_bytes() == (undisturbed / name).read_bytes()


def checkpoint_step(run: Path) -> int:
    """Steps done at the newest checkpoint; 0 if there is none."""
    return (RunFiles(run).checkpoint_steps() or [0])[-1]


def header(file: Path) -> Header:
    """The first line of a model or checkpoint."""
    with file.open("rb") as opened:
        return Header.model_validate_json(opened.readline())


def interrupt_training(
    run: Path, storage_format: StorageFormat, number: signal.Signals, *resume: str
) -> Ran:
    """Start or continue a run, and send a signal when it is at its second checkpoint."""
    directory = run.with_name(f"{run.name}-{number}")
    directory.mkdir()
    fault = Fault("replace", "HOLD", 2, file=".ckpt").variables(directory)
    command = ("hm-train", finished_dataset(storage_format).path, run, *TRAININGS[storage_format])
    process = start_program(*command, *resume, variables=fault)
    return signalled(process, Barrier(directory), number)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("storage_format", "number"),
    [("zarr", signal.SIGTERM), pytest.param("hdf5", signal.SIGINT, marks=pytest.mark.slow)],
)
def test_a_disturbed_training_ends_with_the_same_bits(
    tmp_path: Path, storage_format: StorageFormat, number: signal.Signals
) -> None:
    """Killed, continued, stopped by a signal and continued, against an undisturbed run."""
    run, dataset = tmp_path / "run", finished_dataset(storage_format).path
    assert interrupt_training(run, storage_format, signal.SIGKILL).code == KILLED
    assert checkpoint_step(run) == 10
    assert not (run / "model.hm").exists()
    assert_stopped(interrupt_training(run, storage_format, number, "--resume"), run, number)
    ran = run_program("hm-train", dataset, run, "--resume")
    assert (ran.code, ran.complaints) == (0, []), ran
    assert_same_run(run, finished_run(storage_format).path)


@pytest.mark.slow
def test_a_signal_at_the_end_of_a_step_is_obeyed_after_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step that the message names has its checkpoint also if the signal comes after saving."""
    advance, signals = Progress.advance, iter([signal.SIGTERM])

    def advance_and_signal(self: Progress, count: int, note: str = "") -> None:
        advance(self, count, note)
        if "loss" in note and (number := next(signals, None)):
            signal.raise_signal(number)

    monkeypatch.setattr(Progress, "advance", advance_and_signal)
    run = tmp_path / "run"
    ran = invoke("hm-train", finished_dataset("zarr").path, run, *TRAININGS["zarr"])
    assert_stopped(ran, run, signal.SIGTERM)


def assert_stopped(ran: Ran, run: Path, number: signal.Signals) -> None:
    """One line that names the signal and the step, of which there is a checkpoint."""
    assert (ran.code, ran.stdout) == (TRY_AGAIN, ""), ran
    (line,) = ran.complaints
    found = re.search(rf"must reach step 300 .*; got {number.name} after step (\d+)", line)
    assert found, line
    assert "--resume" in line
    assert checkpoint_step(run) == int(found[1])
    assert not (run / "model.hm").exists()


def assert_same_run(run: Path, undisturbed: Path) -> None:
    """Parameters, the line before them and the losses of all steps are equal to the last bit."""
    ours, theirs = (models.load(directory / "model.hm") for directory in (run, undisturbed))
    leaves = [jax.tree.leaves(model) for model in (ours, theirs)]
    assert len(leaves[0]) == len(leaves[1]) > 0
    for a, b in zip(*leaves, strict=True):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()
    assert header(run / "model.hm") == header(undisturbed / "model.hm")
    files = (RunFiles(run), RunFiles(undisturbed))
    assert files[0].checkpoint_steps() == files[1].checkpoint_steps()
    for step in files[0].checkpoint_steps():
        assert header(files[0].checkpoint(step)) == header(files[1].checkpoint(step))
    assert what_is_learned(run) == what_is_learned(undisturbed)


def what_is_learned(run: Path) -> list[dict[str, object]]:
    """The lines of metrics.jsonl without what belongs to a process: times and compiling."""
    times = ("seconds_per_step", "samples_per_second", "wait_share", "compiles")
    return [
        {key: value for key, value in record.items() if key not in times}
        for record in read_lines(run / "metrics.jsonl")
    ]


@pytest.mark.slow
def test_a_run_of_the_earlier_form_goes_on(tmp_path: Path) -> None:
    """Its files are named; what is written from now on is of the present form."""
    kept = Path(__file__).parents[1] / "reference"
    run = Path(shutil.copytree(kept / "run-1", tmp_path / "run"))
    dataset = kept / "format-1" / "zarr-none"
    more = settings("schedule.max_steps=6")
    ran = invoke("hm-train", dataset, run, "--resume", *more)
    assert ran.code == 0, ran
    assert "Finished: the last step, 6, was reached." in ran.stdout
    assert "step-000000004.ckpt is of an earlier form (version 1)" in ran.complaints[0]
    newest = newest_checkpoint(run)
    assert newest is not None
    assert b'"version":2,' in newest.read_bytes()
    ran = invoke("hm-train", dataset, run, "--resume")
    assert (ran.code, ran.complaints) == (0, [])


@pytest.mark.slow
@pytest.mark.parametrize("storage_format", FORMATS)
def test_a_killed_import_of_arrays_goes_on_to_the_same_bytes(
    tmp_path: Path, storage_format: StorageFormat
) -> None:
    """Killed at the second shard, and at another one later."""
    random, options = np.random.default_rng(0), []
    for name, shape in (("inputs", (3,)), ("targets", (5,)), ("jacobian", (5, 3))):
        np.save(tmp_path / f"{name}.npy", random.normal(size=(60, *shape)))
        options += [f"--{name}", tmp_path / f"{name}.npy"]
    options += ["--format", storage_format, "--samples-per-block", "4", "--shard-mb", "0.001"]
    out, undisturbed = tmp_path / "killed/out", tmp_path / "undisturbed"
    out.parent.mkdir()
    for line in (3, 2):
        fault = Fault("fsync", "KILL", line, file="journal").variables(tmp_path)
        ran = run_program("hm-data", "import-arrays", out, *options, variables=fault)
        assert ran.code == KILLED
        assert not (out / "manifest.json").exists()
    assert num_journal_files(out) == 3
    for directory in (out, undisturbed):
        assert run_program("hm-data", "import-arrays", directory, *options).code == 0
    name = "manifest-sha256.txt"
    assert (out / name).read_bytes() == (undisturbed / name).read_bytes()
    paths = [sorted(p.relative_to(d) for p in d.rglob("*")) for d in (out, undisturbed)]
    assert paths[0] == paths[1]

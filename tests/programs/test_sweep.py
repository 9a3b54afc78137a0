"""hm-train sweep, in processes of its own: shared, killed, stopped, given again, refused."""

import csv
import shutil
import signal
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from exchanges import exchange
from faults import Barrier, Fault, signalled, wait_until
from mending import edit_manifest
from program_runs import (
    TRAINING_RECIPE,
    Made,
    Ran,
    assert_refused,
    copy_of,
    finish,
    finished_dataset,
    finished_run,
    invoke,
    read_lines,
    run_program,
    settings,
    snapshot,
    start_program,
)

from hypermagnetics import models
from hypermagnetics.run_files import RunFiles
from hypermagnetics.train.directory import open_run
from hypermagnetics.train.sweep import trial
from hypermagnetics.train.sweep.ledger import Result
from hypermagnetics.train.sweep.plan import Plan
from hypermagnetics.train.sweep.sweep_files import SweepFiles

SHORT = (*TRAINING_RECIPE, *settings("schedule.max_steps=20", "validation.every=10"))


def write_sweep(directory: Path, keys: str, method: str = 'method = "grid"') -> Path:
    """A SWEEP.toml beside a link to a dataset."""
    data = directory / "data"
    if not data.exists():
        data.symlink_to(finished_dataset("zarr").path)
    file = directory / "sweep.toml"
    text = f'dataset = "data"\n[sweep]\n{method}\n[keys]\n{keys}\n'
    file.write_text(text, encoding="utf-8")
    return file


def rows(out: Path) -> list[dict[str, str]]:
    """The rows of table.csv."""
    with SweepFiles(out).csv.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def held_in_trial(number: int, directory: Path) -> dict[str, str]:
    """Variables of a sweep whose trial waits, with one checkpoint, before its second."""
    second = SweepFiles(directory / "out").trial(number).checkpoint(20)
    return Fault("replace", "HOLD", file=str(second)).variables(directory)


def times_finished(files: SweepFiles, number: int) -> int:
    """How often a process has brought a trial to its end."""
    return files.log(number).read_text(encoding="utf-8").count("the best model, of step")


@pytest.mark.slow
def test_two_processes_share_a_sweep_and_one_that_is_killed_is_replaced(tmp_path: Path) -> None:
    """Each trial is brought to its end once; that of the dead goes on to the bits undisturbed."""
    file, out = write_sweep(tmp_path, "seed = [0, 1, 2]"), tmp_path / "out"
    files, command = SweepFiles(out), ("sweep", "demo", file, out, *TRAINING_RECIPE)
    barrier = Barrier(tmp_path)
    first = start_program("hm-train", *command, variables=held_in_trial(0, tmp_path))
    barrier.wait(first)
    second = start_program("hm-train", *command)
    wait_until(second, files.trial(1).model.exists, "the end of the trial after it")
    first.kill()
    assert finish(first).code == -signal.SIGKILL
    assert not files.trial(0).model.exists()
    ran = finish(second)
    assert ran.code == 0, ran
    assert [times_finished(files, number) for number in range(3)] == [1, 1, 1]
    found = rows(out)
    assert sorted(row["seed"] for row in found) == ["0", "1", "2"]
    losses = [float(row["loss"]) for row in found]
    assert losses == sorted(losses)
    for row in found:
        check_row(row, files.trial(int(row["trial"])))
    undisturbed = models.load(finished_run("zarr").path / "model.hm")
    ours = models.load(files.trial(0).model)
    for a, b in zip(*map(jax.tree.leaves, (ours, undisturbed)), strict=True):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()
    assert_same_again(invoke("hm-train", *command), ran, out)


def check_row(row: dict[str, str], run: RunFiles) -> None:
    """A row says what the run has found by itself."""
    found = [line for line in read_lines(run.metrics) if "validation" in line]
    best = min(found, key=lambda line: float(line["validation"]["loss"]))
    assert int(row["step"]) == best["step"]
    for name in ("loss", "potential_median_relative_error", "field_median_relative_error"):
        assert float(row[name]) == best["validation"][name]


def assert_same_again(again: Ran, ran: Ran, out: Path) -> None:
    """A sweep that is over says the same again, and leads to where hm-eval and hm-train go on."""
    assert (again.code, again.stdout) == (0, ran.stdout)
    best = SweepFiles(out).trial(int(rows(out)[0]["trial"]))
    assert f"--recipe {best.recipe}" in again.stdout
    assert f"Next: hm-eval {best.directory}" in again.stdout
    assert SweepFiles(out).picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_sweep_that_is_stopped_goes_on_and_outlives_a_failure(tmp_path: Path) -> None:
    """A signal makes a checkpoint; what diverges is told and not run again unless asked for."""
    file = write_sweep(tmp_path, "schedule.learning_rate = [0.001, 1e30]")
    out = tmp_path / "out"
    files, command = SweepFiles(out), ("sweep", "demo", file, out, *TRAINING_RECIPE)
    process = start_program("hm-train", *command, variables=held_in_trial(0, tmp_path))
    ran = signalled(process, Barrier(tmp_path), signal.SIGTERM)
    assert (ran.code, ran.stdout) == (75, ""), ran
    assert "must end its 2 trials to be finished; got SIGTERM after 0" in ran.complaints[-1]
    assert not files.trial(0).model.exists()
    ran = run_program("hm-train", *command)
    assert ran.code == 0, ran
    assert [row["state"] for row in rows(out)] == ["finished", "failed"]
    assert rows(out)[1]["message"].startswith("The loss must be finite; got ")
    assert "trial 1 failed: The loss must be finite" in ran.stdout
    before = snapshot(files.trial(0).directory), snapshot(files.trial(1).directory)
    assert_same_again(invoke("hm-train", *command), ran, out)
    assert (snapshot(files.trial(0).directory), snapshot(files.trial(1).directory)) == before
    assert invoke("hm-train", *command, "--retry-failed").code == 0
    assert snapshot(files.trial(0).directory) == before[0]
    assert snapshot(files.trial(1).directory) != before[1]
    assert rows(out)[1]["state"] == "failed"


@pytest.mark.slow
def test_optuna_goes_on_with_more_trials(tmp_path: Path) -> None:
    """Values in the ranges, in runs whose recipes say so."""
    keys = "schedule.learning_rate = {low = 1e-4, high = 1e-2, log = true}"
    out = tmp_path / "out"
    files = SweepFiles(out)
    for trials in (1, 2):
        file = write_sweep(tmp_path, keys, f'method = "optuna"\ntrials = {trials}')
        ran = invoke("hm-train", "sweep", "demo", file, out, *SHORT)
        assert ran.code == 0, ran
        assert len(rows(out)) == trials
    rates = {float(row["schedule.learning_rate"]) for row in rows(out)}
    assert len(rates) == 2
    assert all(1e-4 <= rate <= 1e-2 for rate in rates)
    assert [times_finished(files, number) for number in range(2)] == [1, 1]


@pytest.mark.slow
def test_a_sweep_without_a_result_says_why_and_stays_what_it_is(tmp_path: Path) -> None:
    """Another one in its directory is refused: what differs is named, and nothing changes."""
    same = "schedule.learning_rate = [1e30]"
    out = tmp_path / "out"

    def again(file: Path, *options: str | Path) -> Ran:
        return invoke("hm-train", "sweep", "demo", file, out, *SHORT, *options)

    ran = again(write_sweep(tmp_path, same))
    assert (ran.code, ran.stdout) == (2, ""), ran
    assert "trial 0 failed: The loss must be finite" in ran.stderr
    assert "must have a finished trial; got none among 1" in ran.complaints[-1]
    before = snapshot(out)
    assert_refused(again(write_sweep(tmp_path, "seed = [0]")), "[keys]", "sweep.json")
    by_field = 'method = "grid"\nmetric = "field"'
    assert_refused(again(write_sweep(tmp_path, same, by_field)), "[sweep]", "sweep.json")
    file = write_sweep(tmp_path, same)
    assert_refused(again(file, "--set", "seed=3"), "another recipe", "sweep.json")
    assert_refused(again(file, "--data", tmp_path / "nowhere"), "nowhere")
    other = finished_dataset("hdf5").path
    assert_refused(again(file, "--data", other), "another dataset", "sweep.json")
    assert snapshot(out) == before


@pytest.mark.slow
@pytest.mark.parametrize("begun", ["by nobody", "with run.json", "without run.json"])
def test_a_dataset_that_is_replaced_ends_the_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: str
) -> None:
    """Between its opening and the start of a trial, new or begun by another member of a team.

    Nothing is trained on the other one, and the sweep goes on when its own is back.
    """
    file, out = write_sweep(tmp_path, "seed = [1]"), tmp_path / "out"
    (tmp_path / "data").unlink()
    copy_of(finished_dataset("zarr"), tmp_path / "data")
    copy_of(finished_dataset("zarr"), tmp_path / "other")
    edit_manifest(tmp_path / "other", lambda manifest: manifest.update(title="Other magnets"))
    files, command = SweepFiles(out), ("sweep", "demo", file, out, *SHORT)
    trained = trial.run_trial

    def exchange_first(plan: Plan, *arguments: Any) -> Result:
        run = files.trial(0)
        if begun != "by nobody":
            with open_run(run, plan.recipe_of({"seed": 1}), plan.dataset, "refuse"):
                pass
        if begun == "without run.json":
            run.provenance.unlink()
        exchange(tmp_path)
        return trained(plan, *arguments)

    monkeypatch.setattr("hypermagnetics.train.sweep.run.run_trial", exchange_first)
    ran = invoke("hm-train", *command)
    assert (ran.code, ran.stdout) == (2, ""), ran
    assert ran.complaints[-1].startswith("hm-train: A sweep must keep its dataset, sha256 ")
    assert (begun == "by nobody") == (not files.trial(0).directory.exists())
    assert not files.trial(0).checkpoint_steps()
    assert "must be that of sha256" in files.log(0).read_text(encoding="utf-8")
    assert_refused(invoke("hm-train", *command), "another dataset", "sweep.json")
    monkeypatch.undo()
    shutil.rmtree(tmp_path / "data")
    (tmp_path / "old").rename(tmp_path / "data")
    if begun == "with run.json":
        assert invoke("hm-train", *command).code == 0
        assert [row["state"] for row in rows(out)] == ["finished"]


def test_hm_train_refuses_another_dataset_than_it_was_told(tmp_path: Path) -> None:
    data, out = finished_dataset("zarr").path, tmp_path / "run"
    ran = invoke("hm-train", data, out, "--dataset-sha256", 64 * "0")
    assert_refused(ran, "must be that of sha256 000000000000...", str(data))
    assert not out.exists()


def test_what_is_no_sweep_is_left_alone(tmp_path: Path) -> None:
    file = write_sweep(tmp_path, "seed = [0]")
    out = copy_of(Made(finished_run("zarr").path, finished_run("zarr").ran), tmp_path / "run")
    before = snapshot(out)
    assert_refused(invoke("hm-train", "sweep", "demo", file, out), "DIR must be a sweep", "run")
    assert_refused(invoke("hm-train", "sweep", "demo", file, file), "DIR must be a sweep")
    assert snapshot(out) == before


def test_nothing_is_begun_with_a_wrong_file(tmp_path: Path) -> None:
    """Errors of SWEEP.toml, of the recipe and of the dataset come before DIR is made."""
    out = tmp_path / "out"
    file = write_sweep(tmp_path, "model.widht = [8]")
    assert_refused(invoke("hm-train", "sweep", "demo", file, out), "Did you mean 'width'?")
    assert_refused(invoke("hm-train", "sweep", "dem", file, out), "Did you mean 'demo'?")
    assert_refused(invoke("hm-train", "sweep", "demo", tmp_path / "no.toml", out), "no.toml")
    file.write_text('[sweep]\nmethod = "grid"\n[keys]\nseed = [1]\n', encoding="utf-8")
    assert_refused(invoke("hm-train", "sweep", "demo", file, out), "must have a dataset")
    assert_refused(invoke("hm-train", "sweep", "demo", file, out, "--data", "no"), "no")
    assert not out.exists()

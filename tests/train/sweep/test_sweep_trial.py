"""What becomes of a trial whose process ends in this way or that."""

import json
import shutil
import signal
from contextlib import nullcontext
from pathlib import Path

import pytest
from sweep_plans import GRID, plan_of
from tiny_datasets import small_dataset

from hypermagnetics.data import Dataset
from hypermagnetics.errors import RunError, RunWriteError
from hypermagnetics.log import SILENT
from hypermagnetics.train.signals import StopRequest
from hypermagnetics.train.sweep import trial
from hypermagnetics.train.sweep.definition import open_sweep
from hypermagnetics.train.sweep.ledger import Result, open_ledger
from hypermagnetics.train.sweep.run import sweep
from hypermagnetics.train.sweep.search import search_of
from hypermagnetics.train.sweep.sweep_files import SweepFiles

_SAY = "import sys; print({text!r}, file=sys.stderr); sys.exit({code})"
_NOTES = "import sys; e = MemoryError('1 TB'); e.add_note('Try less.'); raise e"
_WRONG = """
import pathlib, sys
run = pathlib.Path(sys.argv[-1])
run.mkdir(parents=True)
(run / "metrics.jsonl").write_text('{"step": 1, "validation": {"loss": "low"}}\\n')
"""
_KILL = "import os; os.kill(os.getpid(), 9)"


def result_of(
    code: str, directory: Path, dataset: Dataset, monkeypatch: pytest.MonkeyPatch, stop: StopRequest
) -> Result:
    """The result of a trial whose process runs some other code than hm-train."""
    monkeypatch.setattr(trial, "_HM_TRAIN", code)
    plan, files = plan_of(f"{GRID}[keys]\nseed = [0]", directory, dataset), SweepFiles(directory)
    files.log(0).parent.mkdir()
    files.log(0).write_text("hm-train: an error of an earlier process\n", encoding="utf-8")
    with open_ledger(plan, files) as ledger:
        taken = ledger.take(search_of(plan))
        assert taken is not None
        with taken.lock:
            return trial.run_trial(plan, files, taken, stop)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            _SAY.format(text="hm-train: The loss must be finite.", code=2),
            "The loss must be finite.",
        ),
        (_SAY.format(text="hm-train: 5/9 steps, 1 steps/s, 4 s left", code=2), "hm-train: 5/9"),
        (_NOTES, "MemoryError: 1 TB"),
        (_KILL, "Ended by SIGKILL, as if memory had run out."),
        ("import sys; sys.exit(3)", "Exit code 3."),
        ("", "A finished run must log its validations; got none ("),
        (_WRONG, "A finished run must log its validations; got none ("),
    ],
)
def test_a_failure_is_kept_with_what_it_said(
    code: str, message: str, tmp_path: Path, tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = result_of(code, tmp_path, tiny, monkeypatch, StopRequest())
    assert found.state == "failed"
    assert found.message.startswith(message)
    assert found.seconds > 0


def test_a_trial_that_is_stopped_stays_open(
    tmp_path: Path, tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the signal comes before hm-train can make a checkpoint."""
    stop = StopRequest()
    stop.signal = signal.SIGINT
    found = result_of("import signal; signal.pause()", tmp_path, tiny, monkeypatch, stop)
    assert found.state == "open"


def test_a_full_disk_ends_the_sweep(
    tmp_path: Path, tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All other trials would meet it, too."""
    code = _SAY.format(text="hm-train: The directory of a run must take it.", code=74)
    with pytest.raises(RunWriteError, match=r"^The directory of a run must take it\.$"):
        result_of(code, tmp_path, tiny, monkeypatch, StopRequest())


@pytest.mark.parametrize("is_there", [True, False])
def test_another_dataset_ends_the_sweep(
    tmp_path: Path, tiny: Dataset, monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    """And none: all other trials would meet it, too, and this one can go on when it is back."""
    place = tmp_path / "data"
    shutil.copytree(tiny.directory, place)
    dataset = Dataset.open(place)
    place.rename(tmp_path / "old")
    if is_there:
        small_dataset(place, "seed=1")
    code = "import sys; print(sys.argv, file=sys.stderr); sys.exit(2)"
    with pytest.raises(RunError, match=r"^A sweep must keep its dataset, .* Put it back"):
        result_of(code, tmp_path, dataset, monkeypatch, StopRequest())
    with open_ledger(
        plan_of(f"{GRID}[keys]\nseed = [0]", tmp_path, dataset), SweepFiles(tmp_path)
    ) as ledger:
        assert [trial.state for trial in ledger.trials()] == ["open"]
    words = SweepFiles(tmp_path).log(0).read_text(encoding="utf-8")
    assert f"'--dataset-sha256', '{dataset.sha256}'" in words


@pytest.mark.parametrize("sha256", ["ours", "another", "none"])
def test_finished_trials_of_another_dataset_are_refused(
    tmp_path: Path, tiny: Dataset, sha256: str
) -> None:
    """Earlier releases trained on whatever lay there; a run whose directory is gone is no harm."""
    plan, files = plan_of(f"{GRID}[keys]\nseed = [0]", tmp_path, tiny), SweepFiles(tmp_path / "s")
    open_sweep(plan, files)
    with open_ledger(plan, files) as ledger:
        taken = ledger.take(search_of(plan))
        assert taken is not None
        with taken.lock:
            ledger.record(taken.trial, Result(state="finished", step=1, loss=1.0))
    if sha256 != "none":
        run = files.trial(0)
        run.directory.mkdir()
        said = tiny.sha256 if sha256 == "ours" else 64 * "0"
        run.provenance.write_text(json.dumps({"dataset_sha256": said}), encoding="utf-8")
    refusal = pytest.raises(RunError, match=r"must have its dataset, .* 000000000000.* trial 0")
    with refusal if sha256 == "another" else nullcontext():
        found = sweep(plan, search_of(plan), files, SILENT, retry_failed=False)
        assert [trial.state for trial in found] == ["finished"]


def test_values_that_fit_only_alone_fail_alone(tmp_path: Path, tiny: Dataset) -> None:
    """Optuna may propose what only together breaks a rule of the recipe."""
    plan = plan_of(f"{GRID}[keys]\nseed = [0]", tmp_path, tiny)
    files = SweepFiles(tmp_path)
    with open_ledger(plan, files) as ledger:
        taken = ledger.take(search_of(plan))
        assert taken is not None
        with taken.lock:
            wrong = taken._replace(trial=taken.trial.model_copy(update={"values": {"seed": -1}}))
            found = trial.run_trial(plan, files, wrong, StopRequest())
    assert found.state == "failed"
    assert (
        "'seed' must be greater than or equal to 0; got -1 (a trial with seed=-1)" in found.message
    )

"""wandb and MLflow, which come with the extra `tracking` and keep a run in its directory."""

import os
from pathlib import Path

import pytest
from recording import Recording
from tracked_runs import logged, run_killed_and_resumed, run_tracked

from hypermagnetics.data import Dataset

KEY = "a-key-that-no-file-may-hold-0123456789ab"

VALIDATIONS = [5, 10, 15, 20]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of this machine, and nothing kept on it."""
    for name in list(os.environ):
        if name.startswith(("WANDB_", "MLFLOW_")):
            monkeypatch.delenv(name)
    # What a tracker settles is forgotten with it.
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.mark.filterwarnings("default")
def test_wandb_keeps_a_run_in_its_directory(tmp_path: Path, tiny: Dataset) -> None:
    pytest.importorskip("wandb", reason="needs the extra `tracking`")
    listener = Recording()
    run_tracked(tmp_path / "r", tiny, "wandb", listener=listener)
    assert listener.told == []
    kept = tmp_path / "r" / "tracking" / "wandb"
    (run,) = kept.glob("offline-run-*")
    assert list(run.glob("*.wandb"))
    steps = sorted(
        int(path.name.split("_")[1]) for path in run.glob("files/media/images/sample_*.png")
    )
    assert steps == VALIDATIONS


@pytest.mark.filterwarnings("default")
def test_wandb_goes_on_with_the_same_run(tmp_path: Path, tiny: Dataset) -> None:
    pytest.importorskip("wandb", reason="needs the extra `tracking`")
    run_killed_and_resumed(tmp_path / "r", tiny, "wandb")
    number = (tmp_path / "r" / "tracking" / "wandb-run.txt").read_text().strip()
    files = (tmp_path / "r" / "tracking" / "wandb").glob("offline-run-*/*.wandb")
    assert {file.name for file in files} == {f"run-{number}.wandb"}


@pytest.mark.filterwarnings("default")
def test_mlflow_has_each_number_once(tmp_path: Path, tiny: Dataset) -> None:
    """Though the steps after the checkpoint were made twice."""
    mlflow = pytest.importorskip("mlflow", reason="needs the extra `tracking`")
    run_killed_and_resumed(tmp_path / "r", tiny, "mlflow")
    kept = tmp_path / "r" / "tracking" / "mlflow"
    client = mlflow.MlflowClient(f"sqlite:///{kept / 'mlflow.db'}")
    number = (tmp_path / "r" / "tracking" / "mlflow-run.txt").read_text().strip()
    assert client.get_run(number).info.status == "FINISHED"
    assert client.get_run(number).data.params["model.width"] == "8"
    for name, values in logged(tmp_path / "r").items():
        history = client.get_metric_history(number, name)
        steps = [point.step for point in history]
        assert sorted(steps) == sorted(values), name
        if name == "loss":
            assert {point.step: point.value for point in history} == values
    pictures = sorted(int(path.name.split("+")[2]) for path in kept.rglob("sample+*.png"))
    assert pictures == VALIDATIONS


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    "tracker", [pytest.param("tensorboard", marks=pytest.mark.slow), "wandb", "mlflow"]
)
def test_keys_reach_no_file(
    tracker: str, tmp_path: Path, tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are read from the environment, by the trackers alone."""
    package = "tensorboardX" if tracker == "tensorboard" else tracker
    pytest.importorskip(package, reason="needs the extra `tracking`")
    for name in ("WANDB_API_KEY", "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, KEY)
    run_tracked(tmp_path / "r", tiny, tracker)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any("tracking" in path.parts for path in files)
    assert not [path for path in files if KEY.encode() in path.read_bytes()]

"""A training of no steps: the model as it is fitted, validated and kept."""

import json
from pathlib import Path

import pytest
from program_runs import finished_dataset, invoke, settings
from pydantic import ValidationError

from hypermagnetics.models import GridSplit, load
from hypermagnetics.run_files import RunFiles, read_metrics
from hypermagnetics.train.config import ScheduleConfig

_RECIPE = ("--recipe", "split", *settings("model.accuracy=0.03"))
_RATE = settings("schedule.learning_rate=1e-6")


@pytest.mark.slow
def test_a_fit_is_validated_and_kept(tmp_path: Path) -> None:
    """In few seconds; the run is finished, and gives a report of its errors."""
    data, run = finished_dataset("zarr").path, tmp_path / "run"
    done = invoke("hm-train", data, run, *_RECIPE)
    assert done.code == 0
    assert "the best model, of step 0" in done.stdout
    assert "No step was made" in done.stdout
    model = load(run / "model.hm")
    assert isinstance(model, GridSplit)
    assert model.waves.coefficients.any()
    (line,) = read_metrics(RunFiles(run).metrics)
    assert line["step"] == 0
    assert line["validation"]["field_median_relative_error"] < 0.03
    again = invoke("hm-train", data, run, "--resume")
    assert again.code == 0
    assert "finished already" in again.stdout
    assert invoke("hm-eval", run, data, "--metrics-only", "--out", tmp_path / "report").code == 0
    kept = json.loads((run / "recipe.json").read_text())
    assert kept["schedule"]["max_steps"] == 0
    assert kept["model"]["factors"] == "grid"


@pytest.mark.slow
def test_steps_need_a_learning_rate(tmp_path: Path) -> None:
    """No steps need none, and a run without one does not go on."""
    assert ScheduleConfig(max_steps=0).num_steps == 0
    with pytest.raises(ValidationError, match="max_steps and learning_rate"):
        ScheduleConfig(max_steps=1)
    data, run = finished_dataset("zarr").path, tmp_path / "run"
    assert invoke("hm-train", data, run, *_RECIPE).code == 0
    more = invoke("hm-train", data, run, "--resume", *settings("schedule.max_steps=2"))
    assert more.code == 2
    assert "learning_rate" in more.stderr
    # Of a schedule that has one nothing but its end may change, and its decay was of no steps.
    assert invoke("hm-train", data, run, *_RECIPE, *_RATE, "--overwrite").code == 0
    more = invoke("hm-train", data, run, "--resume", *settings("schedule.max_steps=2"))
    assert more.code == 2
    assert "schedule.decay_steps" in more.stderr

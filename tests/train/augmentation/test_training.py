"""Trainings with augmentation and normalisation: resumed equals undisturbed, and the programs."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest
from program_runs import invoke, settings
from recording import Killed, Recording

from hypermagnetics.config import load_recipe
from hypermagnetics.data import Dataset
from hypermagnetics.models import load
from hypermagnetics.run_files import RunFiles
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.run import train
from hypermagnetics.train.setup import make_setup

_SMALL = (
    "model={name='hyper_mlp', width=4, depth=1, hwidth=0.5, hdepth=1}",
    "normalisation={scales='median', values='asinh', moment='sample'}",
    "schedule.max_steps=20",
    "validation.every=5",
    "checkpoint.every=10",
    "tracking.log_every=4",
    "data.points_per_step=7",
    "data.blocks_per_batch=2",
)
_AUGMENTED = "data.augment=['rotation', 'reflection', 'time-reversal', 'moment-scaling']"


def run(dataset: Dataset, directory: Path, *overrides: str, kill_at: int | None = None) -> None:
    """Train, or go on."""
    recipe = load_recipe(TrainingRecipe, "training", "demo", (*_SMALL, *overrides))
    setup = make_setup(recipe, dataset)
    directory.mkdir(exist_ok=True)
    train(setup, RunFiles(directory), {"seed": 0}, Recording(kill_at))


def losses(directory: Path) -> list[object]:
    """Of the windows of steps."""
    lines = (directory / "metrics.jsonl").read_text().splitlines()
    return [record["loss"] for record in map(json.loads, lines) if "loss" in record]


@pytest.mark.parametrize("dispatch", [1, 4])
@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_bits(
    tmp_path: Path, tiny: Dataset, dispatch: int
) -> None:
    """Parameters and losses, however steps fall into groups and where the process died."""
    grouped = f"compute.steps_per_dispatch={dispatch}"
    run(tiny, tmp_path / "undisturbed", _AUGMENTED, grouped)
    with pytest.raises(Killed):
        run(tiny, tmp_path / "killed", _AUGMENTED, grouped, kill_at=13)
    assert not (tmp_path / "killed" / "model.hm").exists()
    run(tiny, tmp_path / "killed", _AUGMENTED, grouped)
    one, other = (tmp_path / name for name in ("undisturbed", "killed"))
    assert (one / "model.hm").read_bytes() == (other / "model.hm").read_bytes()
    assert losses(one) == losses(other)


@pytest.mark.slow
def test_augmentation_changes_what_is_learned(tmp_path: Path, tiny: Dataset) -> None:
    """But nothing of what the model is told about the dataset."""
    run(tiny, tmp_path / "plain")
    run(tiny, tmp_path / "augmented", _AUGMENTED)
    plain, augmented = (load(tmp_path / name / "model.hm") for name in ("plain", "augmented"))
    assert plain.inputs == augmented.inputs
    pairs = zip(jax.tree.leaves(plain), jax.tree.leaves(augmented), strict=True)
    assert not all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.slow
def test_the_programs_train_and_evaluate_it(tmp_path: Path, tiny: Dataset) -> None:
    """What the model file says is undone by hm-eval too."""
    run_directory, options = tmp_path / "run", settings(*_SMALL, _AUGMENTED)
    ran = invoke("hm-train", tiny.directory, run_directory, *options)
    assert ran.code == 0, ran
    ran = invoke(
        "hm-eval", run_directory, tiny.directory, "--out", tmp_path / "report", "--metrics-only"
    )
    assert ran.code == 0, ran
    model = load(run_directory / "model.hm")
    assert (model.inputs.values, model.inputs.moment) == ("asinh", "sample")
    assert (tmp_path / "report" / "results.json").is_file()


def test_the_programs_refuse_what_cannot_be(tmp_path: Path, tiny: Dataset) -> None:
    """The discs of the demo have one radius, which cannot be scaled."""
    given = settings("data.augment=['scaling']")
    ran = invoke("hm-train", tiny.directory, tmp_path / "run", *given)
    assert (ran.code, ran.stdout) == (2, "")
    assert "got 'scaling', which needs a column of its own for radius" in ran.stderr

"""Runs: resumed equals undisturbed, schedules, and what a divergence says."""

import json
from collections.abc import Callable
from pathlib import Path

import equinox as eqx
import jax
import numpy as np
import pytest
from mending import edit_header
from recording import Recording
from refused import refused
from small_trainings import Killed, metrics, run, small_recipe

from hypermagnetics.data import Dataset
from hypermagnetics.errors import (
    DamagedFileError,
    DivergenceError,
    ModelFileError,
    RecipeError,
    RunError,
)
from hypermagnetics.models import load, save_model
from hypermagnetics.run_files import RunFiles
from hypermagnetics.train.checkpoint import Reached, load_newest, save_checkpoint
from hypermagnetics.train.config import PhaseConfig, TrainingRecipe, changed_keys
from hypermagnetics.train.directory import open_run
from hypermagnetics.train.optimiser import learning_rate
from hypermagnetics.train.setup import Setup, make_setup
from hypermagnetics.train.validation import Validator


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        (),
        pytest.param(
            ("data.points_per_step=null", "objective.loss=mse", "optimiser.clip_norm=0.1"),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ("optimiser.ema_decay=0.9", "compute.chunks=3", "compute.steps_per_dispatch=4"),
            marks=pytest.mark.slow,
        ),
        (
            "objective.terms={slopes={of='potential', by='sources'}}",
            "data.augment=['rotation']",
        ),
    ],
    ids=["some points", "all points", "averaged, in chunks and groups", "derivatives"],
)
def test_twenty_steps_are_ten_and_ten_resumed(
    tmp_path: Path, tiny: Dataset, overrides: tuple[str, ...]
) -> None:
    """Bit for bit: parameters and every logged loss, killed three steps past the checkpoint."""
    recipe = small_recipe(*overrides)
    run(recipe, tiny, tmp_path / "undisturbed")
    with pytest.raises(Killed):
        run(recipe, tiny, tmp_path / "killed", kill_at=13)
    assert not (tmp_path / "killed" / "model.hm").exists()
    run(recipe, tiny, tmp_path / "killed")
    one, other = (tmp_path / name / "model.hm" for name in ("undisturbed", "killed"))
    assert one.read_bytes() == other.read_bytes()
    assert metrics(tmp_path / "undisturbed") == metrics(tmp_path / "killed")
    for a, b in zip(*(jax.tree.leaves(load(path)) for path in (one, other)), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_zarr_and_hdf5_train_the_same_model(
    tmp_path: Path, tiny: Dataset, tiny_hdf5: Dataset
) -> None:
    """The format of the files does not reach the parameters."""
    for name, dataset in (("zarr", tiny), ("hdf5", tiny_hdf5)):
        run(small_recipe(), dataset, tmp_path / name)
    files = [(tmp_path / name / "model.hm").read_bytes() for name in ("zarr", "hdf5")]
    assert files[0] == files[1]


def test_training_lowers_the_loss(tmp_path: Path, tiny: Dataset) -> None:
    """And the model file is the best model on the validation split, not the last."""
    larger = ("model.width=64", "model.hwidth=1.0", "schedule.learning_rate=0.01")
    longer = small_recipe("schedule.max_steps=200", *larger)
    outcome = run(longer, tiny, tmp_path / "r")
    lines = metrics(tmp_path / "r")
    losses = [line["loss"] for line in lines if "loss" in line]
    assert losses[-1] < 0.7 * losses[0]  # type: ignore[operator]
    found = [line["validation"]["loss"] for line in lines if "validation" in line]  # type: ignore[index]
    assert outcome.progress.best_loss == min(found)


@pytest.mark.slow
def test_a_loss_that_diverges_names_step_and_checkpoint(tmp_path: Path, tiny: Dataset) -> None:
    """Nothing non-finite is ever written; the step before the wrong phase is the last good one."""
    phases = "schedule={phases=[{steps=1, learning_rate=1e-6}, {steps=9, learning_rate=1e30}]}"
    recipe = small_recipe(phases, "checkpoint.every=1", "tracking.log_every=1")
    with pytest.raises(
        DivergenceError, match=r"must be finite; got .* step \d+ .*-000000001\.ckpt"
    ):
        run(recipe, tiny, tmp_path / "r")
    assert all(np.isfinite(line.get("loss", 0.0)) for line in metrics(tmp_path / "r"))
    assert not (tmp_path / "r" / "model.hm").exists()
    assert good_checkpoint(recipe, tiny, tmp_path / "r") == 1


def good_checkpoint(recipe: TrainingRecipe, dataset: Dataset, directory: Path) -> int | None:
    """The step of the checkpoint, whose parameters and loss must be finite; None without one."""
    files, setup = RunFiles(directory), make_setup(recipe, dataset)
    found = load_newest(files, setup)
    if found is None:
        return None
    state, reached = found
    for leaf in jax.tree.leaves(eqx.filter(state, eqx.is_array)):
        assert np.isfinite(leaf).all()
    assert Validator(setup.valid, setup.objective, setup.devices)(state.model).loss is not None
    return reached.step


@pytest.mark.slow
def test_no_checkpoint_is_of_spoilt_parameters(tmp_path: Path, tiny: Dataset) -> None:
    """Without a warm-up the first update spoils everything already."""
    far = ("schedule.learning_rate=1e30", "schedule.warmup_fraction=0.0", "checkpoint.every=1")
    recipe = small_recipe(*far)
    with pytest.raises(DivergenceError, match=r"after step 1 .*no checkpoint had been made"):
        run(recipe, tiny, tmp_path / "r")
    assert good_checkpoint(recipe, tiny, tmp_path / "r") is None


def test_a_learning_rate_rises_falls_and_stays() -> None:
    """Warm-up to the peak, a cosine to the end, and its last value ever after."""
    phase = PhaseConfig(steps=100, learning_rate=0.5, warmup_fraction=0.1, final_fraction=0.1)
    values = [float(learning_rate(phase)(step)) for step in (0, 5, 9, 10, 55, 100, 300)]
    np.testing.assert_allclose(values, [0.05, 0.3, 0.5, 0.5, 0.275, 0.05, 0.05], rtol=1e-6)
    simple = {"learning_rate": 1.0, "final_fraction": 0.0}
    single = learning_rate(PhaseConfig(steps=2, warmup_fraction=0.5, **simple))
    assert [float(single(step)) for step in (0, 1, 2)] == [1, 1, 0]
    for steps in (1, 4):
        nearly = learning_rate(PhaseConfig(steps=steps, warmup_fraction=0.9, **simple))
        assert all(float(nearly(step)) > 0 for step in range(steps))
        assert float(nearly(steps)) == 0
    rounded = PhaseConfig(steps=100, learning_rate=1.0, warmup_fraction=0.29)
    assert float(learning_rate(rounded)(0)) == pytest.approx(1 / 29)
    constant = learning_rate(PhaseConfig(steps=10, learning_rate=1.0))
    np.testing.assert_allclose([float(constant(step)) for step in (0, 9, 99)], 1.0)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("schedule.phases=[{steps=5, learning_rate=1.0}]", "not both"),
        ("schedule.warmup_fraction=1.0", "warmup_fraction' must be less than 1"),
        ("objective.terms={x={of='field', weight=0.0}}", "one term of positive weight"),
        ("model.widht=3", "Did you mean 'width'"),
        ("model.name='hyper_lyer'", "hyper_layer"),
        ("optimizer.b1=0.5", "Did you mean 'optimiser'"),
    ],
)
def test_recipes_that_make_no_sense_are_refused(override: str, message: str) -> None:
    """With the rule, or with the nearest name."""
    with pytest.raises(RecipeError, match=message):
        small_recipe(override)


def test_changed_keys_are_the_innermost_that_differ() -> None:
    """Those of the machine, of tracking and of the end do not count."""
    before = small_recipe()
    same = small_recipe("data.mode=device", "tracking.log_every=1", "validation.patience=3")
    assert changed_keys(before.resolved, same.resolved) == ()
    other = small_recipe("seed=5", "data.points_per_step=6", "objective.terms.field.weight=2.0")
    expected = ("seed", "data.points_per_step", "objective.terms.field.weight")
    assert changed_keys(before.resolved, other.resolved) == expected
    null = small_recipe("optimiser.arguments.clipping_threshold=null")
    assert changed_keys(before, null) == ("optimiser.arguments.clipping_threshold",)
    another = small_recipe("model={name='linear', width=8, depth=1}")
    assert "model.name" in changed_keys(before.resolved, another.resolved)


@pytest.mark.slow
def test_a_run_is_resumed_only_as_itself(tmp_path: Path, tiny: Dataset, tiny_hdf5: Dataset) -> None:
    """The same recipe, the same dataset, one writer."""
    files, recipe = RunFiles(tmp_path / "r"), small_recipe()
    with open_run(files, recipe, tiny, "refuse"):
        with (
            pytest.raises(RunError, match="must not exist"),
            open_run(files, recipe, tiny, "refuse"),
        ):
            pass
        with (
            pytest.raises(ValueError, match="must have one writer"),
            open_run(files, recipe, tiny, "resume"),
        ):
            pass
    with open_run(files, recipe, tiny, "resume"):
        pass
    with pytest.raises(RunError, match=r"keep its recipe, .*; got another seed than"):
        open_run(files, small_recipe("seed=5"), tiny, "resume").__enter__()
    with pytest.raises(RunError, match="keep its dataset"):
        open_run(files, recipe, tiny_hdf5, "resume").__enter__()
    with pytest.raises(RunError, match="to be overwritten must be a run"):
        open_run(RunFiles(tiny.directory), recipe, tiny, "overwrite").__enter__()


def of_another_seed(files: RunFiles, tiny: Dataset, other: Dataset) -> None:
    """As if copied from another run of the dataset."""
    checkpointed(files, make_setup(small_recipe("seed=5"), tiny), 2)


def of_another_dataset(files: RunFiles, tiny: Dataset, other: Dataset) -> None:
    """As if copied from a run of another one."""
    checkpointed(files, make_setup(small_recipe(), other), 2)


def of_another_step(files: RunFiles, tiny: Dataset, other: Dataset) -> None:
    """Another one of the run, renamed."""
    files.checkpoint(2).write_bytes(files.checkpoint(1).read_bytes())


def with_a_flipped_bit(files: RunFiles, tiny: Dataset, other: Dataset) -> None:
    """Step 2 becomes step 3."""
    checkpointed(files, make_setup(small_recipe(), tiny), 2)
    whole = files.checkpoint(2).read_bytes()
    files.checkpoint(2).write_bytes(whole.replace(b'"step":2', b'"step":3', 1))


def without_its_best(files: RunFiles, tiny: Dataset, other: Dataset) -> None:
    """The result of the run might be missing in the end."""
    checkpointed(files, make_setup(small_recipe(), tiny), 2)
    files.best(2).unlink()


def with_another_best(files: RunFiles, tiny: Dataset, other: Dataset) -> None:
    """The result of the run would be another's."""
    setup = make_setup(small_recipe(), tiny)
    checkpointed(files, setup, 2)
    save_model(files.best(2), setup.new_model(), {"seed": 5})


PASSED_OVER: dict[str, tuple[Callable[[RunFiles, Dataset, Dataset], None], str]] = {
    "another seed": (of_another_seed, "of the recipe and dataset of its run; got another seed"),
    "another dataset": (of_another_dataset, "; got another dataset"),
    "another step": (of_another_step, "; got another step, 1"),
    "a flipped bit": (with_a_flipped_bit, "bytes of another sha256"),
    "no best model": (without_its_best, "must exist; got"),
    "another best model": (with_another_best, "must be the one that its checkpoint names"),
}


def checkpointed(files: RunFiles, setup: Setup, step: int) -> None:
    """Save a checkpoint of a run that has just had its best validation."""
    model = setup.new_model()
    sha256 = save_model(files.best(step), model, {"seed": setup.recipe.seed})
    reached = Reached(step=step, best_step=step, best_loss=1.0 / step, best_sha256=sha256)
    save_checkpoint(files, setup.phases[0].method.begin(model), reached, setup, {})


@pytest.mark.slow
@pytest.mark.parametrize("case", PASSED_OVER)
def test_a_checkpoint_that_is_not_of_the_run_is_passed_over(
    tmp_path: Path, tiny: Dataset, tiny_hdf5: Dataset, case: str
) -> None:
    """With a line; alone it is refused. The run keeps its own checkpoints beside it."""
    files, setup, told = RunFiles(tmp_path), make_setup(small_recipe(), tiny), Recording()
    files.checkpoints.mkdir()
    checkpointed(files, setup, 1)
    spoil, message = PASSED_OVER[case]
    spoil(files, tiny, tiny_hdf5)
    found = load_newest(files, setup, told)
    assert found is not None
    assert found[1].step == 1
    (line,) = told.told
    assert message in line
    assert line.endswith("The checkpoint before it is used.")
    files.checkpoint(1).unlink()
    with refused(DamagedFileError, "must have a sound checkpoint of its own", message):
        load_newest(files, setup)
    checkpointed(files, make_setup(small_recipe("checkpoint.keep=1"), tiny), 1)
    assert files.checkpoint_steps() == [1, 2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"best_step": "7"}, "'best_step' must be a valid integer; got '7' (first line of "),
        ({"step": -1.5}, "'step' must be a valid integer"),
    ],
)
def test_a_checkpoint_of_wrong_progress_is_refused(
    tmp_path: Path, tiny: Dataset, changes: dict[str, object], message: str
) -> None:
    """Its arrays are sound, so no checksum tells."""
    files, setup = RunFiles(tmp_path), make_setup(small_recipe(), tiny)
    files.checkpoints.mkdir()
    state = setup.phases[0].method.begin(setup.new_model())
    save_checkpoint(files, state, Reached(step=1), setup, {})
    training = json.loads(files.checkpoint(1).read_bytes().split(b"\n")[0])["training"]
    edit_header(files.checkpoint(1), training=training | changes)
    with refused(ModelFileError, message, "Start the run again (--overwrite, or "):
        load_newest(files, setup)

"""Trainings by rollouts: their windows, runs, physics and refusals."""

import json
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from recording import Killed
from small_trainings import metrics
from small_trainings import run as run_small
from small_trajectories import (
    CONVOLUTION,
    DIRECT,
    STEPS,
    rollout_recipe,
    small_lorenz,
    small_moments,
    small_states,
)

from hypermagnetics.config import load_recipe
from hypermagnetics.data import Dataset
from hypermagnetics.data.array_import import import_arrays
from hypermagnetics.data.array_view import ArrayView, names_of_trajectories, read_array_batch
from hypermagnetics.data.schedule import Windows, WindowStarts
from hypermagnetics.data.state_import import trajectories_of_states
from hypermagnetics.errors import ExtensionError, HypermagneticsError
from hypermagnetics.generate import generate
from hypermagnetics.generate.config import DatasetRecipe
from hypermagnetics.models import ArrayScales, Stepper, load, rollout
from hypermagnetics.run_files import RunFiles
from hypermagnetics.train.aggregation import loss_and_gradient
from hypermagnetics.train.devices import ArrayDeviceBatch, Devices
from hypermagnetics.train.objective import SumOfTerms
from hypermagnetics.train.phases import trainable
from hypermagnetics.train.setup import Setup, make_setup
from hypermagnetics.train.terms.trajectory import TrajectoryTerm

ROLLOUT = "objective.terms.rollout"


@pytest.fixture(scope="module")
def moments(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return small_moments(tmp_path_factory.mktemp("moments") / "data")


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return small_states(tmp_path_factory.mktemp("states") / "data")


def direct(dataset: Dataset, *overrides: str) -> Setup:
    return make_setup(rollout_recipe("precession", *DIRECT, *overrides), dataset)


def convolution(dataset: Dataset, *overrides: str) -> Setup:
    return make_setup(rollout_recipe("advection-1d", *CONVOLUTION, *overrides), dataset)


def test_all_windows_are_equally_probable() -> None:
    """The first and the last like all others."""
    windows = Windows(num_states=7, length=3, samples_per_block=100)
    first = np.concatenate([windows.starts(0, 2, step).first.ravel() for step in range(100)])
    counts = np.bincount(first, minlength=5)
    assert len(counts) == 5
    np.testing.assert_allclose(counts / len(first), 0.2, atol=0.01)


def test_windows_are_those_of_the_stored_trajectories(states: Dataset) -> None:
    """Each a sample of the batch; those behind the last sample are empty."""
    split = states.any_split("train")
    view = ArrayView(split, names_of_trajectories(split))
    starts = WindowStarts(np.array([[[0, 4], [2, 1], [3, 3]], [[1, 2], [0, 0], [0, 0]]]), 3)
    batch = read_array_batch(view, (0, 2), windows=starts)
    found = batch.arrays["states"]
    assert found.shape == (2, 6, 3, 1, 8)
    np.testing.assert_array_equal(batch.num_samples, [6, 2])
    stored = split.block(0).values("states")
    np.testing.assert_array_equal(found[0, 1], stored[0, 4:7])
    np.testing.assert_array_equal(found[0, 2], stored[1, 2:5])
    np.testing.assert_array_equal(found[1, 0], split.block(2).values("states")[0, 1:4])
    assert not found[1, 2:].any()


@pytest.mark.slow
def test_batches_are_the_same_in_both_modes(moments: Dataset, tmp_path: Path) -> None:
    """On the device and streamed, in several windows of a sample, by dispatches of some steps."""
    lines = []
    for mode in ("device", "stream"):
        some = (f"data.mode={mode}", "data.windows_per_sample=2", "data.blocks_per_batch=2")
        recipe = rollout_recipe("precession", *DIRECT, *some, "compute.steps_per_dispatch=2")
        run_small(recipe, moments, tmp_path / mode)
        lines.append(metrics(tmp_path / mode))
    assert lines[0] == lines[1]


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_bytes(moments: Dataset, tmp_path: Path) -> None:
    """With its windows drawn as they would have been."""
    recipe = rollout_recipe("precession", *DIRECT, f"{ROLLOUT}.rollout_steps=3")
    run_small(recipe, moments, tmp_path / "whole")
    with pytest.raises(Killed):
        run_small(recipe, moments, tmp_path / "killed", kill_at=5)
    run_small(recipe, moments, tmp_path / "killed")
    for name in ("model.hm", "final.hm"):
        whole, again = (tmp_path / one / name for one in ("whole", "killed"))
        assert_same_arrays(whole, again)
    assert metrics(tmp_path / "whole") == metrics(tmp_path / "killed")


def assert_same_arrays(first: Path, second: Path) -> None:
    pair = zip(*(jax.tree.leaves(load(path)) for path in (first, second)), strict=True)
    for one, other in pair:
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


@pytest.mark.slow
def test_chunks_give_the_gradient_of_the_whole(moments: Dataset) -> None:
    """Of a batch with a block that is not full."""
    setup = direct(moments, f"{ROLLOUT}.rollout_steps=2")
    model, view = setup.new_model(), setup.train
    assert isinstance(view, ArrayView)
    assert setup.schedule.windows is not None
    starts = setup.schedule.windows.starts(0, 3, 0)
    batch = read_array_batch(view, (0, 1, 2), windows=starts)
    whole = _gradient(setup, model, Devices.local(1).take(batch), 1)
    parts = _gradient(setup, model, Devices.local(1).take(batch), 2)
    for one, other in zip(*map(jax.tree.leaves, (whole, parts)), strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=1e-6)


def _gradient(setup: Setup, model: Any, batch: Any, chunks: int) -> Any:
    @eqx.filter_jit
    def found(model: Any, batch: Any) -> Any:
        return loss_and_gradient(setup.objective, model, batch, trainable(model, ()), chunks)

    return found(model, batch)


@pytest.mark.slow
def test_a_field_that_is_known_makes_the_steps_of_the_dataset(
    moments: Dataset, tmp_path: Path
) -> None:
    """A split by waves on a grid, without any training: 1e-3 of the moments after all steps."""
    setup = direct(moments, 'model={name="stepper",field={name="split"}}', "schedule.max_steps=0")
    stepper = setup.new_model()
    assert isinstance(stepper, Stepper)
    split = moments.split("test")
    block = split.block(0)
    found = np.asarray(rollout(stepper, block.sources, STEPS))
    assert found.shape == block.values("moments").shape
    assert np.abs(found - block.values("moments")).max() < 1e-3
    # The own field is left out: with it, that of the others would be a tenth of the whole.
    table = jnp.asarray(block.sources[0])
    linear = stepper.field_of_others(table)
    alone = [stepper.part.field(table[i : i + 1], table[i : i + 1, 3:6])[0] for i in range(3)]
    whole = stepper.part.field(table, table[:, 3:6])
    np.testing.assert_allclose(linear, whole - jnp.stack(alone), atol=2e-6)
    assert np.linalg.norm(np.stack(alone)) > 5 * np.linalg.norm(np.asarray(linear))


@pytest.mark.slow
def test_magnitudes_stay_by_a_network(moments: Dataset) -> None:
    """Its last layer is as long as the moments before."""
    stepper = direct(moments).new_model()
    sources = moments.split("test").block(0).sources
    found = np.asarray(rollout(stepper, sources, 3))
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), 1.0, atol=1e-6)


@pytest.mark.slow
def test_soft_bodies_keep_their_remanent_moments(tmp_path: Path) -> None:
    """Behind the source table that a stepper reads."""
    dataset = small_moments(
        tmp_path / "soft", f'dynamics={{kind="soft",susceptibility=3.0,num_steps={STEPS}}}'
    )
    setup = direct(dataset, 'model={name="stepper",field={name="split"}}', "schedule.max_steps=0")
    stepper = setup.new_model()
    assert stepper.inputs.input.shape == (3, 9)
    block = dataset.split("test").block(0)
    found = np.asarray(rollout(stepper, block.sources, STEPS))
    assert np.abs(found - block.values("moments")).max() < 1e-3


@pytest.mark.slow
def test_states_learn_their_stencil(states: Dataset, tmp_path: Path) -> None:
    """A kernel of two numbers of one step, close to [0.25, 0.75]."""
    recipe = rollout_recipe(
        "advection-1d",
        f"{ROLLOUT}.rollout_steps=1",
        "schedule.max_steps=300",
        "schedule.learning_rate=0.03",
        "validation.every=100",
    )
    run_small(recipe, states, tmp_path / "run")
    (kernel,) = jax.tree.leaves(load(tmp_path / "run/model.hm"))
    assert np.linalg.norm(np.asarray(kernel).ravel() - np.array([0.25, 0.75])) < 0.2
    line = json.loads((tmp_path / "run/metrics.jsonl").read_text().splitlines()[-1])
    assert line["validation"]["step_median_relative_error"] < 0.4
    assert line["validation"]["rollout_steps"] == 1


def test_channels_keep_their_proportions(tmp_path: Path) -> None:
    """States of several channels on a grid have one scale, and their zero."""
    values = np.random.default_rng(0).normal(size=(10, 3, 2, 8)) * np.array([[1.0], [5.0]])
    np.save(tmp_path / "x.npy", values)
    files = trajectories_of_states(tmp_path / "x.npy", 0.5, "periodic")
    import_arrays(files, tmp_path / "data", samples_per_block=4)
    setup = convolution(Dataset.open(tmp_path / "data"), f"{ROLLOUT}.rollout_steps=1")
    scales = setup.new_model().inputs.input
    assert isinstance(scales, ArrayScales)
    assert scales.shift == (0.0, 0.0)
    assert scales.scale[0] == scales.scale[1]


@pytest.mark.slow
def test_norms_are_logged_on_request(states: Dataset, tmp_path: Path) -> None:
    """Of gradient and parameters, before the last step of a line."""
    recipe = rollout_recipe("advection-1d", *CONVOLUTION, "tracking.norms=true")
    run_small(recipe, states, tmp_path / "run")
    lines = [line for line in metrics(tmp_path / "run") if "norms" in line]
    assert [line["step"] for line in lines] == [2, 3, 4, 6]
    assert all(line["norms"].keys() == {"gradient", "parameters"} for line in lines)  # type: ignore[attr-defined]
    kernel = np.asarray(jax.tree.leaves(load(tmp_path / "run/model.hm"))[0])
    assert lines[-1]["norms"]["parameters"] == pytest.approx(np.linalg.norm(kernel), rel=0.1)  # type: ignore[index]


@pytest.mark.slow
def test_a_model_file_keeps_its_steps(moments: Dataset, tmp_path: Path) -> None:
    """Time step, dynamics and source table; and its card says so."""
    recipe = rollout_recipe("precession", *DIRECT)
    run_small(recipe, moments, tmp_path / "run")
    found = load(tmp_path / "run/model.hm")
    setup = make_setup(recipe, moments)
    assert found.inputs == setup.inputs
    card = RunFiles(tmp_path / "run").card.read_text()
    assert "| time step | 1e-05 s |" in card
    assert "| dynamics: damping | 0.1 |" in card
    assert "hypermagnetics.models.rollout(model, start, 20)" in card


@pytest.mark.slow
def test_physics_of_a_user(states: Dataset, tmp_path: Path, monkeypatch: Any) -> None:
    """Of one state, by name: the kernel of a diverted chain and of residuals makes half."""
    module = tmp_path / "my_physics.py"
    module.write_text(
        "def half(state):\n    return state / 2\n\n"
        "def shrinks(after, before):\n    return after - before / 2\n\n"
        "def wrong(state):\n    return state[:, :3]\n\n"
        "def whole(state):\n    return state.astype(int)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    terms = {
        "diverted": '{of="trajectory",method="diverted-chain",physics="my_physics:half"}',
        "residual": '{of="residual",rollout_steps=2,physics="my_physics:shrinks"}',
    }
    for name, term in terms.items():
        recipe = rollout_recipe(
            "advection-1d",
            f"{ROLLOUT}={term}",
            "schedule.max_steps=200",
            "schedule.learning_rate=0.05",
        )
        run_small(recipe, states, tmp_path / name)
        (kernel,) = jax.tree.leaves(load(tmp_path / name / "model.hm"))
        np.testing.assert_allclose(np.asarray(kernel).ravel(), [0.5, 0.0], atol=0.02)
    with pytest.raises(ExtensionError, match=r"must give an array of floats of shape \(1, 8\)"):
        convolution(
            states,
            f"{ROLLOUT}.method=mix-chain",
            f"{ROLLOUT}.post_physics_steps=1",
            f'{ROLLOUT}.physics="my_physics:wrong"',
        )
    with pytest.raises(ExtensionError, match="must give an array of floats"):
        convolution(states, *DIVERTED, f'{ROLLOUT}.physics="my_physics:whole"')


DIVERTED = (f"{ROLLOUT}.method=diverted-chain",)
REFUSED = {
    f"{ROLLOUT}.rollout_steps=7": r"at most the 6 steps of the stored trajectories; got 7",
    f"{ROLLOUT}.branch_steps=3": r"branch_steps' must be at most rollout_steps, 2",
    f"{ROLLOUT}.branch_steps=2": r"be left out unless method is \"diverted-chain\"",
    f"{ROLLOUT}.post_physics_steps=1": r"be left out unless method is \"mix-chain\"",
    f"{ROLLOUT}.method=mix-chain": r"be at least 1 with method \"mix-chain\"",
    f"{ROLLOUT}.cut.every=0": r"greater than or equal to 1",
    f"{ROLLOUT}.cut.every=2": r"be left out unless chain is true",
    f"{ROLLOUT}.cut.diverted=true": r"be false unless method is",
    f"{ROLLOUT}.level_weights=[1.0]": r"have 2 numbers, one for each level",
    f"{ROLLOUT}.level_weights=[0.0,0.0]": r"have a number above 0",
    f"{ROLLOUT}.level_weights=decaying": r"exponential:0.9",
    f"{ROLLOUT}.level_weights=exponential:1e300": r"add up to a number above 0 and below 3.4e\+38",
    f"{ROLLOUT}.level_weights=exponential:1e999": r"add up to a number above 0 and below 3.4e\+38",
    f"{ROLLOUT}.physics=lorenz": r"be a table with its kind, or module:function of yours",
    f"{ROLLOUT}.physics={{kind='advection-1d',num_points=8,waves=3}}": r"be left out unless method",
    f"{ROLLOUT}.loss=spectral": r"spectral term must have the points of a regular grid",
    f"{ROLLOUT}.of=residual": r"cut|method",
    "data.augment=['reflection']": r"data.augment must be left out",
    "data.points_per_step=3": r"data.points_per_step must be left out",
    "data.input=states": r"data.input must be left out for a training by rollouts",
    "model={name='hyper_layer'}": r"must have a network that gives the next state",
    "model={name='stepper',network={name='mlp'}}": r"'stepper' must have moments that move",
    "model={name='conv',kernel=2}": r"model.kernel must be odd",
}


@pytest.mark.parametrize("override", REFUSED)
def test_what_does_not_fit_is_refused(states: Dataset, override: str) -> None:
    """In one line, with the key."""
    with pytest.raises(HypermagneticsError, match=REFUSED[override]) as error:
        convolution(states, override)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_more_refusals(states: Dataset, tmp_path: Path) -> None:
    """Of datasets and keys that belong to other trainings."""
    with pytest.raises(HypermagneticsError, match=r"'trajectory' or 'residual' alone; got one of"):
        convolution(states, 'objective.terms.potential={of="potential"}')
    counts = [f"splits.{name}={{num_samples=2,num_sources=1}}" for name in ("train", "valid")]
    recipe = load_recipe(DatasetRecipe, "dataset", "demo", ("grid.num_points=4", *counts))
    fields = generate(recipe, tmp_path / "fields")
    with pytest.raises(HypermagneticsError, match=r"must have trajectories, 'moments' or 'states'"):
        convolution(fields)
    lorenz = small_lorenz(tmp_path / "lorenz")
    with pytest.raises(HypermagneticsError, match=r"'conv' must have states on a grid"):
        convolution(lorenz)
    with pytest.raises(HypermagneticsError, match=r"Reference physics must be of the states"):
        convolution(states, f"{ROLLOUT}.physics={{kind='lorenz'}}", *DIVERTED)
    imported = rollout_recipe("mlp", "data.windows_per_sample=2", "data.input=states")
    data = imported.data.model_copy(update={"target": "states"})
    with pytest.raises(HypermagneticsError, match=r"data.windows_per_sample must be left out"):
        make_setup(imported.model_copy(update={"data": data}), states)


def test_settings_of_the_start_mean_nothing_in_a_reference(states: Dataset) -> None:
    """As trajectories begin at states of the network."""
    kind = "physics={kind='advection-1d',num_points=8,waves=3}"
    with pytest.raises(HypermagneticsError, match="must leave out waves, which is of the start"):
        convolution(states, *DIVERTED, f"{ROLLOUT}.{kind}")


def test_moments_take_a_stepper_alone(moments: Dataset) -> None:
    """An mlp would move rows that are no bodies."""
    with pytest.raises(HypermagneticsError, match="must have a model 'stepper'; got 'mlp'"):
        direct(moments, "model={name='mlp'}")
    with pytest.raises(HypermagneticsError, match=r"normalisation.moment must be left out"):
        direct(moments, "normalisation.moment=sample")


def test_units_are_of_bodies_alone(tmp_path: Path) -> None:
    """Not of the rows that fill up the tables of samples with fewer sources."""
    counts = "{num_samples=9,num_sources=[1,3]}"
    dataset = small_moments(tmp_path / "some", f"splits.train={counts}", f"splits.valid={counts}")
    setup = direct(dataset)
    assert isinstance(setup.objective, SumOfTerms)
    (term,) = setup.objective.terms.values()
    assert isinstance(term, TrajectoryTerm)
    assert term.rms == pytest.approx(1.0, rel=1e-5)
    split = dataset.split("train")
    block = split.block(0)
    states = np.asarray(rollout(setup.new_model(), block.sources, 2))
    for row, used in enumerate(block.num_sources):
        assert not states[row, :, used:].any()


@pytest.mark.slow
def test_steppers_of_dipoles_leave_out_their_own_field(tmp_path: Path) -> None:
    """Which is infinite where they are."""
    dataset = small_moments(tmp_path / "dipoles", "sources.body={kind='dipole',dim=3}")
    setup = direct(dataset, 'model={name="stepper",field={name="split"}}', "schedule.max_steps=0")
    block = dataset.split("test").block(0)
    found = np.asarray(rollout(setup.new_model(), block.sources, STEPS))
    assert np.abs(found - block.values("moments")).max() < 1e-2
    with pytest.raises(HypermagneticsError, match="must be of a model that is linear"):
        direct(dataset, 'model={name="stepper",field={name="hyper_mlp"}}').new_model()


def test_a_rollout_refuses_other_shapes(states: Dataset) -> None:
    """Of states, and numbers of steps."""
    network = convolution(states).new_model()
    assert np.asarray(rollout(network, np.zeros((2, 1, 8)), 0)).shape == (2, 1, 1, 8)
    with pytest.raises(HypermagneticsError, match=r"must have shape \[1, 8\]"):
        rollout(network, np.zeros((1, 7)), 2)
    assert np.asarray(rollout(network, jnp.zeros((1, 8), int), np.int64(2))).shape == (3, 1, 8)
    with pytest.raises(HypermagneticsError, match="at least 0 steps; got -1"):
        rollout(network, np.zeros((1, 8)), -1)


def test_padding_of_a_batch_changes_no_gradient(moments: Dataset) -> None:
    """Samples that fill up a block are zeros, of which no gradient is NaN."""
    setup = direct(moments, f"{ROLLOUT}.rollout_steps=2", f"{ROLLOUT}.remat=true")
    batch = ArrayDeviceBatch(
        {"states": jnp.zeros((1, 3, 3, 3, 3)), "sources": jnp.zeros((1, 3, 3, 6))},
        *(jnp.zeros(1, jnp.int32),) * 3,
    )
    _, gradient = _gradient(setup, setup.new_model(), batch, 1)
    assert all(not np.any(np.asarray(leaf)) for leaf in jax.tree.leaves(gradient))

"""Errors of rollouts and laws along them, of networks that are known in closed form."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from exact_model import Exact
from known_steppers import (
    convolution,
    imported,
    inputs_of_moments,
    inputs_of_states,
    staying,
)
from program_runs import invoke
from small_trajectories import small_moments, small_states

from hypermagnetics.data import Dataset
from hypermagnetics.evaluate.results.array_records import (
    ArrayDataset,
    ArraySubject,
)
from hypermagnetics.evaluate.rollouts.evaluation import RolloutSplit
from hypermagnetics.evaluate.rollouts.laws import violations
from hypermagnetics.evaluate.rollouts.measurement import (
    STORED,
    half_exceed_step,
    shown_steps,
)
from hypermagnetics.evaluate.rollouts.records import RolloutScores
from hypermagnetics.evaluate.rollouts.trajectories import StoredTrajectories
from hypermagnetics.models import ArrayModel, StepperConfig
from hypermagnetics.models.stepper import Stepper
from hypermagnetics.models.store import save_model

RECORD = ArraySubject("net", "net.hm", "", 0, "", "")


@pytest.fixture(scope="module")
def precessing(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Three spheres each, in 7 samples of 7 states; not to be changed."""
    return small_moments(tmp_path_factory.mktemp("llg") / "data")


@pytest.fixture(scope="module")
def advected(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Waves that move by one point a step; not to be changed."""
    out = tmp_path_factory.mktemp("advected") / "data"
    return small_states(out, "states.num_steps=10", "states.cfl=1.0")


def evaluated(dataset: Dataset, model: ArrayModel, **options: bool) -> dict[str, RolloutScores]:
    """Scores of all subjects on the split for tests."""
    split = RolloutSplit(ArrayDataset("data", "data", "", ""), dataset, "test", **options)
    found = split.evaluate(RECORD, model)
    return {one.subject: one.rollout for one in found if one.rollout is not None}


def medians(scores: RolloutScores) -> list[float]:
    return [one.errors.median_relative_error for one in scores.errors]


@pytest.mark.slow
def test_exact_moments_make_no_error_and_keep_the_laws(precessing: Dataset) -> None:
    """The others are ordered by their order; all project on the magnitude."""
    found = evaluated(precessing, staying(inputs_of_moments(precessing)))
    subjects = ["net", "state stays", "one Heun step", "one RK4 step", "exact", STORED]
    assert [*found] == subjects
    assert [one.step for one in found["exact"].errors] == [1, 2, 5, 6]
    assert [one.time for one in found["exact"].errors] == pytest.approx([1e-5, 2e-5, 5e-5, 6e-5])
    assert max(one.errors.p99_relative_error for one in found["exact"].errors) < 1e-6
    ordered = [medians(found[name])[0] for name in subjects[1:-1]]
    assert ordered == sorted(ordered, reverse=True)
    for name in subjects[2:]:
        drift, rise = found[name].magnitude_drift, found[name].energy_rise
        assert drift is not None
        assert rise is not None
        assert drift.largest < 1e-6
        assert rise.largest < 1e-6
        assert found[name].residual is None
    assert found[STORED].errors == ()
    assert found["exact"].half_exceed_step is None
    assert found["state stays"].half_exceed_step == 1


@pytest.mark.slow
def test_a_network_that_stays_equals_the_baseline(precessing: Dataset) -> None:
    found = evaluated(precessing, staying(inputs_of_moments(precessing)))
    own, baseline = found["net"], found["state stays"]
    np.testing.assert_allclose(medians(own), medians(baseline), rtol=1e-6)
    assert own.half_exceed_step == baseline.half_exceed_step
    assert own.num_steps == 6


@pytest.mark.slow
def test_physics_in_the_exact_field_equals_the_baseline(precessing: Dataset) -> None:
    """A stepper of one substep, but for rounding to float32."""
    config = StepperConfig.model_construct(field=None, network=None, substeps=1, method="heun")
    model = Stepper(config, inputs_of_moments(precessing), Exact(precessing.columns))
    found = evaluated(precessing, model)
    np.testing.assert_allclose(medians(found["net"]), medians(found["one Heun step"]), rtol=1e-3)
    rise = found["net"].energy_rise
    assert rise is not None
    assert rise.largest < 1e-5


def test_a_lossless_precession_has_no_law_of_energy(precessing: Dataset) -> None:
    """It keeps the energy, whose rounding would be its largest rise."""
    stored = StoredTrajectories.of(precessing, "test")
    assert stored.moments is not None
    lossless = stored.moments.dynamics.model_copy(update={"damping": 0.0})
    block = stored.block(0)
    found = violations(replace(stored.moments, dynamics=lossless), block, block.states)
    assert found.energy_rise is None
    assert found.magnitude_drift is not None
    assert found.magnitude_drift.shape == (3,)


def test_soft_bodies_have_a_residual(tmp_path: Path) -> None:
    """That of the remanent moments is what the first iterate changes."""
    dataset = small_moments(
        tmp_path / "soft", 'dynamics={kind="soft",susceptibility=2.0,num_steps=6}'
    )
    found = evaluated(dataset, staying(inputs_of_moments(dataset)))
    assert [*found] == ["net", "state stays", "exact", STORED]
    assert all(one.magnitude_drift is one.energy_rise is None for one in found.values())
    stored, stays = found[STORED].residual, found["state stays"].residual
    assert stored is not None
    assert stays is not None
    assert stored.largest < 1e-3
    states = dataset.any_split("test").entries("moments", range(7))
    change = np.linalg.norm((states[:, 1] - states[:, 0]).reshape(7, -1), axis=1)
    change /= np.linalg.norm(states[:, 0].reshape(7, -1), axis=1)
    assert stays.median == pytest.approx(np.median(change), rel=1e-5)
    assert stays.largest == pytest.approx(change.max(), rel=1e-5)
    assert all(one.time is None for one in found["exact"].errors)


def test_a_network_that_is_exact_equals_the_physics(advected: Dataset) -> None:
    """A step of one point is a convolution; one that is late has the error of a state that was."""
    inputs = inputs_of_states(advected, 1.0)
    found = evaluated(advected, convolution(inputs, np.array([1.0, 0.0, 0.0])))
    assert [*found] == ["net", "state stays", "exact"]
    assert max(medians(found["net"])) < 1e-5
    assert max(medians(found["exact"])) < 1e-6
    stays = evaluated(advected, convolution(inputs, np.array([0.0, 1.0, 0.0])))
    np.testing.assert_allclose(medians(stays["net"]), medians(stays["state stays"]), rtol=1e-6)
    # Eight points further the waves are where they were.
    at = {one.step: one.errors.median_relative_error for one in found["state stays"].errors}
    assert [*at] == [1, 2, 5, 10]
    assert at[10] == pytest.approx(at[2], rel=1e-5)


def test_what_is_not_finite_is_an_infinite_error(advected: Dataset) -> None:
    inputs = inputs_of_states(advected, 1.0)
    found = evaluated(advected, convolution(inputs, np.array([0.0, 1e30, 0.0])), metrics_only=True)
    assert [*found] == ["net"]
    first, second, *_ = found["net"].errors
    assert first.errors.nonfinite_fraction == 0
    assert second.errors.nonfinite_fraction == 1
    assert second.errors.median_relative_error == np.inf


def test_imported_states_have_no_exact_baseline(tmp_path: Path) -> None:
    """Their physics is not known."""
    random = np.random.default_rng(0)
    dataset = imported(
        tmp_path / "data", random.normal(size=(20, 4, 1, 5)), "--boundary", "periodic"
    )
    inputs = inputs_of_states(dataset, 0.5)
    found = evaluated(dataset, convolution(inputs, np.array([0.0, 1.0, 0.0])))
    assert [*found] == ["net", "state stays"]
    assert [one.time for one in found["net"].errors] == [0.5, 1.0, 1.5]


def test_half_exceed_step() -> None:
    """The first step at which half of the samples are above 10 %; zero truths are not."""
    low, high = 0.1, 0.11
    errors = np.array(
        [[0, low, high, low, high], [0, low, low, high, high], [0, np.nan, low, low, low]]
    )
    assert half_exceed_step(errors.astype(np.float32) * np.float32(0.999)) == 4
    assert half_exceed_step(errors[:2].astype(np.float32) * np.float32(0.999)) == 2
    assert half_exceed_step(np.full((2, 3), 0.05, np.float32)) is None
    assert half_exceed_step(np.array([[0, np.inf]], np.float32)) == 1


def test_shown_steps() -> None:
    assert shown_steps(1) == (1,)
    assert shown_steps(2) == (1, 2)
    assert shown_steps(40) == (1, 2, 5, 10, 20, 40)
    assert shown_steps(100) == (1, 2, 5, 10, 20, 50, 100)
    assert shown_steps(2500)[-4:] == (500, 1000, 2000, 2500)


def test_results_are_read_again(precessing: Dataset, tmp_path: Path) -> None:
    """As JSON they are the numbers that were measured; formats of tables agree."""
    model = staying(inputs_of_moments(precessing))
    save_model(tmp_path / "net.hm", model, {})
    words = (tmp_path / "net.hm", precessing.directory, "--out", tmp_path / "out", "--metrics-only")
    ran = invoke("hm-eval", *words)
    assert ran.code == 0, ran
    assert "Errors of rollouts in per cent of the state" in ran.stdout
    assert "half above 10 % at step" in ran.stdout
    assert "exact" not in ran.stdout
    assert not (tmp_path / "out" / "index.html").exists()
    assert "In Python: hypermagnetics.models.rollout(hypermagnetics.load(" in ran.stdout
    (written,) = json.loads((tmp_path / "out" / "results.json").read_text())["evaluations"]
    found = evaluated(precessing, model, metrics_only=True)["net"]
    rollout = written["rollout"]
    assert [one["step"] for one in rollout["errors"]] == [1, 2, 5, 6]
    assert [one["errors"]["median_relative_error"] for one in rollout["errors"]] == medians(found)
    assert rollout["half_exceed_step"] == found.half_exceed_step
    assert found.magnitude_drift is not None
    assert rollout["magnitude_drift"] == vars(found.magnitude_drift)
    assert rollout["residual"] is None
    as_json = invoke("hm-eval", *words, "--format", "json")
    assert json.loads(as_json.stdout)["evaluations"] == [written]
    assert r"\begin{tabular}" in invoke("hm-eval", *words, "--format", "latex").stdout
    assert "| test | 1 | net.hm | 7 |" in invoke("hm-eval", *words, "--format", "markdown").stdout

"""Networks that do not fit the trajectories of a dataset are refused in a line."""

from pathlib import Path

import numpy as np
import pytest
from known_steppers import (
    convolution,
    imported,
    inputs_of_moments,
    inputs_of_states,
    staying,
)
from program_runs import assert_refused, invoke
from small_trajectories import small_moments, small_states

from hypermagnetics.data import Dataset
from hypermagnetics.dynamics import dynamics_of
from hypermagnetics.dynamics.soft import Soft
from hypermagnetics.models import ArrayModel
from hypermagnetics.models.store import save_model
from hypermagnetics.table import SourceColumns

STAYS = np.array([0.0, 1.0, 0.0])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Datasets of moments and of states, with a network of each; not to be changed."""
    directory = tmp_path_factory.mktemp("fit")
    save_model(
        directory / "moments.hm",
        staying(inputs_of_moments(small_moments(directory / "moments"))),
        {},
    )
    of_states = small_states(directory / "states")
    save_model(directory / "states.hm", on_line(of_states), {})
    return directory


def on_line(dataset: Dataset, time_step: float = 1.0) -> ArrayModel:
    """A network of states on a periodic line."""
    return convolution(inputs_of_states(dataset, time_step), STAYS)


def refused(place: Path, network: str, dataset: Path, *fragments: str) -> None:
    ran = invoke("hm-eval", place / network, dataset, "--out", place / "out")
    assert_refused(ran, *fragments)
    assert not (place / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        ({"damping": 0.2}, "as in the training, with dynamics.damping 0.2; got 0.1"),
        ({"time_step": 2e-5}, "with dynamics.time_step 2e-05; got 1e-05"),
        ({"applied_field": None}, "with dynamics.applied_field none; got 0"),
        ({"applied_field": (0.0, 0.0, 0.3)}, "with dynamics.applied_field 0, 0, 0.3; got 0"),
    ],
)
def test_other_dynamics_are_refused(
    place: Path, tmp_path: Path, change: dict[str, object], fragment: str
) -> None:
    """Than those of the training, of which the file knows."""
    dataset = Dataset.open(place / "moments")
    dynamics = dynamics_of(dataset.manifest.recipe)
    assert dynamics is not None
    inputs = inputs_of_moments(dataset, dynamics=dynamics.model_copy(update=change))
    save_model(tmp_path / "net.hm", staying(inputs), {})
    refused(tmp_path, "net.hm", place / "moments", fragment, "net.hm, split 'test' of")


@pytest.mark.slow
def test_another_kind_of_dynamics_is_refused(place: Path, tmp_path: Path) -> None:
    soft = Soft(kind="soft", susceptibility=1.0)
    inputs = inputs_of_moments(Dataset.open(place / "moments"), dynamics=soft)
    save_model(tmp_path / "net.hm", staying(inputs), {})
    refused(tmp_path, "net.hm", place / "moments", "with dynamics.kind soft; got llg")


def test_other_sources_are_refused(place: Path, tmp_path: Path) -> None:
    """Of other columns or constants, or too many of them."""
    dataset = Dataset.open(place / "moments")
    for columns, fragment in (
        (SourceColumns.of("sphere", constants={"radius": 0.3}), "training, radius 0.3; got radius"),
        (SourceColumns.of("sphere", varying=("radius",)), "the columns of the training, "),
        (SourceColumns.of("dipole", dim=3), "the bodies of the training, dipole; got sphere"),
    ):
        inputs = inputs_of_moments(dataset, columns=columns)
        save_model(tmp_path / "net.hm", staying(inputs), {})
        refused(tmp_path, "net.hm", place / "moments", fragment)
    save_model(tmp_path / "net.hm", staying(inputs_of_moments(dataset, max_sources=2)), {})
    refused(tmp_path, "net.hm", place / "moments", "at most 2 sources", "got up to 3", "--split")


def test_longer_trajectories_of_fewer_sources_are_taken(place: Path, tmp_path: Path) -> None:
    """Rows of zeros are padding, as in the training; the tolerance is one of the dataset alone."""
    dataset = Dataset.open(place / "moments")
    dynamics = dynamics_of(dataset.manifest.recipe)
    assert dynamics is not None
    shorter = dynamics.model_copy(update={"num_steps": 4, "tolerance": 1e-4})
    inputs = inputs_of_moments(dataset, dynamics=shorter, max_sources=5)
    save_model(tmp_path / "net.hm", staying(inputs), {})
    words = (tmp_path / "net.hm", dataset.directory, "--out", tmp_path / "out", "--metrics-only")
    ran = invoke("hm-eval", *words)
    assert ran.code == 0, ran
    assert "test   6     net.hm" in ran.stdout


def test_other_states_are_refused(place: Path, tmp_path: Path) -> None:
    """Of another shape, time step or boundary."""
    small_states(tmp_path / "longer", "states.num_points=10")
    refused(place, "states.hm", tmp_path / "longer", "shape [1, 8], as in", "got [1, 10]")
    values = np.random.default_rng(0).normal(size=(20, 4, 1, 8))
    periodic = imported(tmp_path / "other", values, "--boundary", "periodic")
    refused(place, "states.hm", tmp_path / "other", "must be 1 apart in time", "got 0.5")
    imported(tmp_path / "open", values)
    save_model(tmp_path / "half.hm", on_line(periodic, 0.5), {})
    refused(tmp_path, "half.hm", tmp_path / "open", "evaluated on periodic states; got open ones")


def test_trajectories_of_another_kind_are_refused(place: Path, tmp_path: Path) -> None:
    refused(place, "moments.hm", place / "states", "trajectories of moments of sources; got states")
    refused(place, "states.hm", place / "moments", "of states without sources; got moments")
    words = ("demo", tmp_path / "data", "--set", "grid.num_points=4", "--set")
    splits = "splits={test={num_samples=2,num_sources=1}}"
    assert invoke("hm-generate", *words, splits).code == 0
    refused(place, "states.hm", tmp_path / "data", "must have trajectories, 'moments' or 'states'")


def test_networks_of_steps_are_evaluated_apart(place: Path, tmp_path: Path) -> None:
    """From those of maps on the same arrays, for one."""
    dataset = Dataset.open(place / "states")
    inputs = inputs_of_states(dataset, 1.0).model_copy(update={"steps": None})
    save_model(tmp_path / "maps.hm", convolution(inputs, STAYS), {})
    words = (place / "states.hm", tmp_path / "maps.hm", place / "states", "--out", tmp_path / "out")
    assert_refused(invoke("hm-eval", *words), "or none; got", "states.hm beside", "apart")

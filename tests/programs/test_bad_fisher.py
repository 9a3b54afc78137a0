"""Trainings of summaries that make no sense: one line of the agreed form, before any file."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from program_runs import assert_refused, invoke, settings
from small_readings import SHORT, files_of_readings, small_readings

IMPORTED = ("--parameter", "mean=0.5", "--parameter", "variance=2.0")
SENSORS = settings(
    "splits.train={num_samples=40, num_sources=1}",
    "splits.valid={num_samples=40, num_sources=1}",
    "splits.test={num_samples=40, num_sources=1}",
    "samples_per_grid=16",
)
"""A few samples of a shipped recipe, all alike."""
NOISE = "data.noise={std=0.01}"


class Case(NamedTuple):
    """Data, changes of a recipe, and what the message has."""

    data: str
    changes: tuple[str, ...]
    said: tuple[str, ...]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A dataset by name, made when it is asked for first."""
    root = tmp_path_factory.mktemp("data")

    def imported(name: str, x: np.ndarray, d: np.ndarray | None, *options: str) -> Path:
        words = ["hm-data", "import-arrays", str(root / name)]
        for option, values in (("--readings", x), ("--derivatives", d)):
            if values is not None:
                np.save(root / f"{name}{option}.npy", values)
                words += [option, str(root / f"{name}{option}.npy")]
        ran = invoke(*words, *options)
        assert ran.code == 0, ran
        return root / name

    def generated(name: str, *changes: str) -> Path:
        ran = invoke("hm-generate", "fisher-sensors", root / name, *SENSORS, *settings(*changes))
        assert ran.code == 0, ran
        return root / name

    def arrays(samples: int, complete: int) -> tuple[np.ndarray, np.ndarray]:
        x, d = files_of_readings(root, samples, complete)
        return np.load(x), np.load(d)

    def make(name: str) -> Path:
        match name:
            case "readings":
                return small_readings(root / name).directory
            case "few":
                x, d = arrays(30, 30)
                return imported(name, x, d, *IMPORTED, "--shares", "0.9,0.1,0")
            case "zero":
                x, d = arrays(100, 100)
                d[..., 1] = 0
                return imported(name, x, d, *IMPORTED)
            case "doubled":
                x, d = arrays(100, 100)
                return imported(name, x, 3 * d[..., [0, 0]], *IMPORTED)
            case "without":
                return imported(name, arrays(100, 100)[0], None)
            case "sensors":
                return generated(name)
            case "random":
                normal = 'sources.position={distribution="normal", std=0.1}'
                return generated(name, normal)
            case "several":
                two = "splits.other={num_samples=40, num_sources=2}"
                placed = 'sources.position={distribution="normal", std=0.1}'
                return generated(name, two, placed, 'derivatives.columns=["moment"]')
            case _:
                return generated(name, "derivatives=null")

    return cache(make)


CASES = {
    "fewer summaries than parameters": Case(
        "readings",
        ("model.outputs=1",),
        ("Summaries must be at least 2, the parameters mean 0.5, variance 2; got 1 (model.outp",),
    ),
    "too few samples": Case(
        "few",
        (),
        ("covariance of 2 summaries must come from at least 5 samples; got ", "split 'valid'"),
    ),
    "constant readings": Case(
        "sensors",
        (),
        ("must vary from sample to sample", "got 16 of 16", "Add the noise of the sensors"),
    ),
    "no noise": Case(
        "sensors",
        ("data.noise={std=0.0}",),
        ("'data.noise.std' must be greater than 0; got 0.0",),
    ),
    "noise below rounding": Case(
        "sensors",
        ("data.noise={std=1e-12}",),
        ("Noise must be at least 100 roundings of the readings in float32", "got 1e-12"),
    ),
    "a parameter without effect": Case(
        "zero",
        (),
        ("by each parameter must differ from zero somewhere", "got zeros only for variance"),
    ),
    "parameters that are one": Case(
        "doubled",
        (),
        ("must be linearly independent", "got dependent ones by mean, variance (split 'train'"),
    ),
    "no derivatives": Case(
        "without",
        (),
        ("must have readings and their derivatives by parameters; got readings (split 'train'",),
    ),
    "sources without derivatives": Case(
        "plain",
        (),
        ("must have readings and their derivatives by parameters; got ",),
    ),
    "a model of sources": Case(
        "sensors",
        (NOISE, "model={name='hyper_layer'}"),
        ("must have a network from arrays to arrays", "got 'hyper_layer' (model.name)"),
    ),
    "kinks": Case(
        "readings",
        ("model.activation=relu",),
        ("must have a network of smooth functions", "got relu. Take a smooth one"),
    ),
    "a target": Case(
        "readings",
        ("data.target=readings",),
        ("data.target must be left out for objective 'fisher'",),
    ),
    "points": Case(
        "sensors",
        (NOISE, "data.points_per_step=3"),
        ("data.points_per_step must be left out",),
    ),
    "symmetries": Case(
        "sensors",
        (NOISE, 'data.augment=["reflection"]'),
        ("data.augment must be left out",),
    ),
    "some blocks": Case(
        "readings",
        ("data.blocks_per_batch=1",),
        ("must have all samples of the split in each step", "got 1 of 13 blocks"),
    ),
    "noise of terms": Case(
        "readings",
        ("objective={kind='terms', terms={targets={of='targets'}}}", NOISE),
        ("data.noise must be left out unless objective.kind is 'fisher'", "got one of std 0.01"),
    ),
    "noise of a model of sources": Case(
        "sensors",
        (
            "objective={kind='terms'}",
            NOISE,
            "model={name='hyper_layer'}",
            "data.blocks_per_batch=1",
        ),
        ("data.noise must be left out unless objective.kind is 'fisher', as labels are exact",),
    ),
    "two parameters of one name": Case(
        "readings",
        ("data.noise={std=1.0, parameter='variance'}",),
        ("must have a name of its own among the parameters; got 'variance' (data.noise.param",),
    ),
    "parameters that vary": Case(
        "random",
        (NOISE,),
        ("Parameters must be the same in all samples", "got another position_x in some"),
    ),
    "a validation at other parameters": Case(
        "several",
        (NOISE, "data.valid=other"),
        (
            "must be at the same values of the parameters",
            "got moment_x of source 1 1, moment_y of source 1 0, ",
        ),
    ),
    "a validation on the same readings": Case(
        "readings",
        ("data.valid=train",),
        ("validation must be on other readings than the training; got the same ones",),
    ),
    "weights of phases": Case(
        "readings",
        ("schedule={phases=[{steps=3, learning_rate=0.1, weights={information=2.0}}]}",),
        ("'schedule.phases.0.weights' must be left out with an objective of kind 'fisher'",),
    ),
    "terms": Case(
        "readings",
        ("objective.terms={targets={of='targets'}}",),
        ("'objective.terms' must be a known key",),
    ),
    "an unknown scale": Case(
        "readings",
        ("objective.scale=logdet",),
        ("'objective.scale.kind' must be one of 'log-det', 'imnn'; got 'logdet'",),
    ),
    "an unknown kind": Case(
        "readings",
        ("objective.kind=fischer",),
        ("'objective.kind' must be 'terms' or 'fisher'; got 'fischer'", "Did you mean 'fisher'?"),
    ),
    "an unknown rate": Case(
        "readings",
        ("objective.scale={kind='imnn', strength=0.5}",),
        ("must be such that epsilon (strength - 1)", "got 0.5 (", "Raise it"),
    ),
    "another array": Case(
        "sensors",
        (NOISE, "data.input=potential"),
        ("Derivatives of potential by parameters must have shape [8, parameters] each",),
    ),
}


@pytest.mark.slow_cases
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_has_no_fisher_information(
    places: Callable[[str], Path], tmp_path: Path, case: Case
) -> None:
    """With the key or the split, and what to do."""
    data = places(case.data)
    words = ("--recipe", "fisher-gaussian", *settings(*SHORT, *case.changes))
    ran = invoke("hm-train", data, tmp_path / "run", *words)
    assert_refused(ran, *case.said)
    assert not (tmp_path / "run").exists()


def test_readings_have_no_recipe_by_default(places: Callable[[str], Path], tmp_path: Path) -> None:
    """Their noise is not known; a recipe that is named goes on."""
    data = places("readings")
    ran = invoke("hm-train", data, tmp_path / "run")
    assert (ran.code, ran.stdout) == (2, "")
    assert "must have a recipe, which knows whether the readings have" in ran.complaints[-1]
    assert "--recipe fisher-gaussian with data.noise=null" in ran.complaints[-1]


@pytest.mark.slow
def test_summaries_that_depend_on_each_other_have_a_remedy_of_their_own(
    places: Callable[[str], Path], tmp_path: Path
) -> None:
    """Sixteen of one number: their covariance has no inverse, at any learning rate."""
    changes = settings(*SHORT, "model.outputs=16", "model.width=1", "model.depth=1")
    words = ("--recipe", "fisher-gaussian", *changes)
    ran = invoke("hm-train", places("readings"), tmp_path / "run", *words)
    assert ran.code != 0
    assert "with fewer summaries (model.outputs) or more samples" in ran.complaints[-1]


@pytest.mark.slow
def test_kinks_are_those_of_the_method_that_is_compared_with(
    places: Callable[[str], Path], tmp_path: Path
) -> None:
    """With a warning, once."""
    kinked = settings(*SHORT, "model.activation=leaky_relu", "objective.scale=imnn")
    words = ("--recipe", "fisher-gaussian", *kinked)
    ran = invoke("hm-train", places("readings"), tmp_path / "run", *words)
    assert ran.code == 0, ran
    assert ran.stderr.count("The network has kinks (leaky_relu)") == 1


def test_derivatives_that_do_not_fit_are_not_imported(tmp_path: Path) -> None:
    """More than readings, or with the parameters first."""
    x, d = files_of_readings(tmp_path, 20, 20)
    values, slopes = np.load(x), np.load(d)
    command = ("hm-data", "import-arrays", tmp_path / "data", "--readings", x, "--derivatives", d)
    np.save(x, values[:19])
    ran = invoke(*command, *IMPORTED)
    assert_refused(ran, "at most as many samples as there are readings; got 20 and 19")
    np.save(x, values)
    np.save(d, np.moveaxis(slopes, -1, 1))
    ran = invoke(*command, *IMPORTED)
    assert_refused(ran, "must have shape (samples, 10, parameters), the parameters last; got [20,")
    np.save(d, slopes)
    assert_refused(invoke(*command, *IMPORTED[:2]), "Each of the 2 parameters of derivatives must")
    assert not (tmp_path / "data").exists()

"""The three programs on readings of sensors: generated, summarised, evaluated, refused."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest
from linear_summaries import readings_of
from program_runs import assert_refused, invoke, settings

import hypermagnetics
from hypermagnetics.data import Dataset
from hypermagnetics.errors import RunError
from hypermagnetics.evaluate.array_run import array_plan
from hypermagnetics.evaluate.subjects.arguments import sort_arguments
from hypermagnetics.models import ArrayModel

SPLITS = "splits={train={num_samples=40, num_sources=1}, test={num_samples=40, num_sources=1}}"
SHORT = settings(
    "model.width=8",
    "model.depth=1",
    "schedule.max_steps=100",
    "schedule.learning_rate=0.02",
    "validation.every=50",
    "data.valid=test",
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a small dataset of sensors, and a run on it."""
    directory = tmp_path_factory.mktemp("fisher")
    data, run = directory / "data", directory / "run"
    assert invoke("hm-generate", "fisher-sensors", data, "--set", SPLITS).code == 0
    made = invoke("hm-train", data, run, "--recipe", "fisher-sensors", *SHORT)
    assert made.code == 0, made
    assert "Last validation, det F " in made.stdout
    return directory


def evaluated(place: Path, out: Path, *words: str) -> dict[str, object]:
    """Fisher information in the results."""
    ran = invoke("hm-eval", place / "run", place / "data", "--out", out, *words)
    assert ran.code == 0, ran
    table = json.loads((out / "results.json").read_text())
    found: dict[str, object] = table["evaluations"][0]["fisher"]
    return found


@pytest.mark.slow
def test_results_hold_the_information_its_interval_and_the_bound(
    place: Path, tmp_path: Path
) -> None:
    """On as many fresh samples as asked for."""
    found = evaluated(place, tmp_path / "out", "--samples", "3000")
    assert found["num_samples"] == 3000
    low, high = found["ci95"]  # type: ignore[misc]
    assert low < found["determinant"] < high
    # 45.688 of a noise of 0.05, an outside number.
    assert found["analytic"]["determinant"] == pytest.approx(45.688e4, rel=1e-4)  # type: ignore[index]
    assert 0.3 < found["analytic"]["share"] < 1.05  # type: ignore[index]
    names = [one["name"] for one in found["parameters"]]  # type: ignore[attr-defined]
    assert names == ["position_x", "position_y"]


@pytest.mark.slow
def test_the_estimator_of_the_results_estimates(place: Path, tmp_path: Path) -> None:
    """As docs/fisher.md shows it."""
    estimator = evaluated(place, tmp_path / "out")["estimator"]
    model = hypermagnetics.load(place / "run" / "model.hm")
    assert isinstance(model, ArrayModel)
    split = Dataset.open(place / "data").split("test")
    readings = split.block(0).field[:1]
    summaries = np.asarray(model(readings))
    estimates = np.array(estimator["offset"]) + summaries @ np.array(estimator["matrix"]).T  # type: ignore[index]
    np.testing.assert_allclose(estimates, [[0.3, -0.2]], atol=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["table", "markdown", "latex", "json"])
def test_every_format_has_the_numbers(place: Path, tmp_path: Path, form: str) -> None:
    """Of the information and of the parameters."""
    words = ("--out", tmp_path / "out", "--samples", "200", "--format", form)
    ran = invoke("hm-eval", place / "run", place / "data", *words)
    assert ran.code == 0, ran
    for text in ("det F", "position") if form != "json" else ("determinant", "position_x"):
        assert text in ran.stdout.replace("\\_", "_")


@pytest.mark.slow
def test_the_card_says_what_the_summaries_tell(place: Path) -> None:
    """Parameters, noise, and det F."""
    card = (place / "run" / "model.md").read_text()
    for text in ("position_x | 0.3", "standard deviation 0.005", "det F, validation split"):
        assert text in card


@pytest.mark.slow
def test_the_export_gives_the_same_summaries(place: Path, tmp_path: Path) -> None:
    """As a program of JAX, which knows nothing of hypermagnetics."""
    out = tmp_path / "export"
    assert invoke("hm-train", "export", place / "run", out).code == 0
    (file,) = out.glob("targets.jaxexport")
    program = jax.export.deserialize(bytearray(file.read_bytes()))
    readings = Dataset.open(place / "data").split("test").block(0).field[:3]
    model = hypermagnetics.load(place / "run" / "model.hm")
    assert isinstance(model, ArrayModel)
    np.testing.assert_allclose(program.call(readings), model(readings), rtol=1e-6, atol=1e-6)


@pytest.mark.slow
def test_summaries_are_evaluated_at_the_parameters_of_their_training_alone(
    place: Path, tmp_path: Path
) -> None:
    """Fisher information is of one point; readings without derivatives have none."""
    moved, bare, many = (tmp_path / name for name in ("moved", "bare", "many"))
    made = ("hm-generate", "fisher-sensors")
    value = "sources.position.value=[0.4, -0.2]"
    assert invoke(*made, moved, "--set", SPLITS, "--set", value).code == 0
    assert invoke(*made, bare, "--set", SPLITS, "--set", "derivatives=null").code == 0
    eight = SPLITS.replace("40", "6")
    assert invoke(*made, many, "--set", eight).code == 0
    for data, refusal in (
        (moved, "at the parameters of their training, position_x 0.3, position_y -0.2; got"),
        (bare, "'derivatives'"),
        (many, "at least 30 samples"),
    ):
        assert_refused(invoke("hm-eval", place / "run", data, "--out", tmp_path / "o"), refusal)
    other = readings_of(tmp_path / "lines", "added").directory
    assert_refused(invoke("hm-eval", place / "run", other, "--out", tmp_path / "o"), "'field'")


@pytest.mark.slow
def test_fresh_samples_are_of_summaries_with_noise(place: Path, tmp_path: Path) -> None:
    """As many as their covariance needs; others have none, and no derivatives by sources."""
    run, data, out = place / "run", place / "data", ("--out", tmp_path / "out")
    assert invoke("hm-eval", run, data, "--samples", "99", *out).code == 2
    arguments = sort_arguments([str(run), str(data)])
    with pytest.raises(RunError, match="--samples of 2 summaries must be at least 30"):
        array_plan(arguments, ("test",), tmp_path / "out", num_fresh=29)
    by_sources = ("--by-sources", "position")
    assert_refused(invoke("hm-eval", run, data, *by_sources, *out), "--by-sources")
    own, lines = tmp_path / "own", readings_of(tmp_path / "lines", "added").directory
    words = (*SHORT, *settings("data.train=test", "data.noise=null", "schedule.max_steps=2"))
    split = settings("data.valid=valid")
    recipe = ("--recipe", "fisher-sensors")
    assert invoke("hm-train", lines, own, *recipe, *words, *split).code == 0
    refused = invoke("hm-eval", own, lines, "--split", "test", "--samples", "500", *out)
    assert_refused(refused, "--samples must be of a network that summarises readings with noise")


@pytest.mark.slow
def test_each_split_has_noise_of_its_own(place: Path, tmp_path: Path) -> None:
    """Else three equal rows would look like three confirmations."""
    words = ("--split", "train", "--split", "test", "--samples", "500", "--out", tmp_path / "out")
    assert invoke("hm-eval", place / "run", place / "data", *words).code == 0
    table = json.loads((tmp_path / "out" / "results.json").read_text())
    first, second = (one["fisher"]["determinant"] for one in table["evaluations"])
    assert first != second
    assert first == pytest.approx(second, rel=0.5)

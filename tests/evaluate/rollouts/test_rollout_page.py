"""The page of networks that give the next state: its figures, tables and files."""

import csv
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import equinox as eqx
import jax.random as jr
import numpy as np
import pytest
from known_steppers import (
    convolution,
    imported,
    inputs_of_moments,
    inputs_of_states,
    staying,
)
from page_reading import Element, elements, rows
from program_runs import invoke
from small_trajectories import small_moments, small_states

from hypermagnetics.data import Dataset
from hypermagnetics.models import MLP, MLPConfig
from hypermagnetics.models.array_conv import Conv, ConvConfig
from hypermagnetics.models.store import save_model

STAYS = np.array([0.0, 1.0, 0.0])


@dataclass(frozen=True)
class Page:
    """The files and the words of an evaluation."""

    out: Path
    stdout: str

    @property
    def text(self) -> str:
        """The text of index.html."""
        return (self.out / "index.html").read_text(encoding="utf-8")

    @property
    def figures(self) -> list[Element]:
        """Elements that stand for pictures."""
        return [one for one in elements(self.text) if one.attributes.get("role") == "img"]

    @property
    def captions(self) -> list[str]:
        """Captions of all figures, without the links to files."""
        found = [one.text for one in elements(self.text) if one.tag == "figcaption"]
        return [text.removesuffix("PNGSVGCSV") for text in found]

    def rows_of(self, name: str) -> list[dict[str, str]]:
        """Rows of figures/NAME.csv."""
        with (self.out / "figures" / f"{name}.csv").open(encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def columns(self, name: str) -> dict[str, np.ndarray]:
        """Columns of figures/NAME.csv, all of numbers."""
        table = self.rows_of(name)
        return {key: np.array([float(row[key]) for row in table]) for key in table[0]}


def evaluated(out: Path, *words: object) -> Page:
    """Run hm-eval."""
    ran = invoke("hm-eval", *map(str, words), "--out", str(out))
    assert ran.code == 0, ran
    return Page(out, ran.stdout)


def figures(kinds: Sequence[str]) -> set[str]:
    return {f"{name}.{end}" for name in kinds for end in ("png", "svg", "csv")}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Moments that precess, and a network; not to be changed."""
    directory = tmp_path_factory.mktemp("page")
    save_model(
        directory / "net.hm", staying(inputs_of_moments(small_moments(directory / "data"))), {}
    )
    return directory


@pytest.fixture(scope="module")
def page(place: Path) -> Page:
    """The page of a network of moments; not to be changed."""
    return evaluated(place / "out", place / "net.hm", place / "data")


@pytest.mark.slow
def test_moments_are_drawn_source_by_source(place: Path, page: Page) -> None:
    """In units of their magnitude, against time; the CSV file has the numbers."""
    expected = ["errors-data-test", "energy-data-test"]
    expected += [f"rollout-{rank}-net-hm-data-test" for rank in ("median", "worst")]
    assert {file.name for file in (page.out / "figures").iterdir()} == figures(expected)
    assert len(page.figures) == 4
    assert "Source 3: true (solid), predicted (dashed)" in page.text
    found = page.columns("rollout-worst-net-hm-data-test")
    assert [*found][:4] == ["step", "time_us", "true_source_1_mx", "predicted_source_1_mx"]
    np.testing.assert_allclose(found["time_us"], 10 * np.arange(7), rtol=1e-6)
    truth = np.stack([found[f"true_source_2_m{axis}"] for axis in "xyz"])
    np.testing.assert_allclose(np.linalg.norm(truth, axis=0), 1, rtol=1e-5)
    stays = found["predicted_source_2_mx"]
    np.testing.assert_allclose(stays, found["true_source_2_mx"][0], rtol=1e-5)
    # The sample of the caption is the one with the largest error at the last step.
    moments = Dataset.open(place / "data").any_split("test").entries("moments", range(7))
    change = np.linalg.norm((moments[:, -1] - moments[:, 0]).reshape(7, -1), axis=1)
    change /= np.linalg.norm(moments[:, -1].reshape(7, -1), axis=1)
    (caption,) = (text for text in page.captions if "(worst at the last step)" in text)
    assert f"test[{np.argmax(change)}]" in caption
    said = float(caption.partition("6 steps: ")[2].partition(" %")[0])
    assert said == pytest.approx(100 * change.max(), rel=6e-3)


@pytest.mark.slow
def test_errors_are_drawn_against_time(page: Page) -> None:
    """Of the network and of all baselines; quantiles are ordered."""
    found = page.rows_of("errors-data-test")
    assert [*found[0]] == ["subject", "step", "time_us", "p10", "median", "p90"]
    subjects = ["net.hm", "state stays", "one Heun step", "one RK4 step", "exact"]
    assert list(dict.fromkeys(row["subject"] for row in found)) == subjects
    assert [row["step"] for row in found[:6]] == list("123456")
    assert all(float(row["p10"]) <= float(row["median"]) <= float(row["p90"]) for row in found)
    own, stays = ([row["median"] for row in found[first : first + 6]] for first in (0, 6))
    np.testing.assert_allclose(np.float64(own), np.float64(stays), rtol=1e-5)


@pytest.mark.slow
def test_the_energy_is_drawn_against_time(page: Page) -> None:
    """It falls in the exact physics, and stays where the state does."""
    found = page.rows_of("energy-data-test")
    assert [row["step"] for row in found[:7]] == list("0123456")
    by_subject: dict[str, list[float]] = {}
    for row in found:
        by_subject.setdefault(row["subject"], []).append(float(row["median"]))
    assert by_subject["exact"] == sorted(by_subject["exact"], reverse=True)
    assert by_subject["exact"][-1] < -1e-3
    assert set(by_subject["state stays"]) == {0.0}


@pytest.mark.slow
def test_lone_sources_have_no_energy(tmp_path: Path) -> None:
    """Without an applied field nothing moves them; of other samples the energy is drawn."""
    chart = "energy-data-test.csv"
    for counts, has_chart in (("1", False), ("[1,3]", True)):
        sources = f"splits.test={{num_samples=7,num_sources={counts}}}"
        dataset = small_moments(tmp_path / "data", "dynamics.applied_field=null", sources)
        save_model(tmp_path / "net.hm", staying(inputs_of_moments(dataset)), {})
        out = evaluated(tmp_path / "out", tmp_path / "net.hm", tmp_path / "data").out
        assert (out / "figures" / chart).exists() == has_chart
        shutil.rmtree(out)
        shutil.rmtree(dataset.directory)


@pytest.mark.slow
def test_tables_have_all_subjects(page: Page) -> None:
    """Laws with the stored truth, errors by step without it."""
    whole = rows(page.text, "Rollouts as a whole")
    assert whole[0][2] == "Half above 10 % at step"
    assert [row[0] for row in whole[1:]][-2:] == ["exact", "stored truth"]
    assert {row[2] for row in whole[1:] if row[0] in ("exact", "stored truth")} == {"> 6"}
    table = rows(page.text, "Errors by step")
    assert len(table) == 1 + 4 * 5
    assert [row[2] for row in table[1:7]] == ["1"] * 5 + ["2"]
    assert "://" not in page.text
    assert "Next: look at" in page.stdout


def test_metrics_only_makes_no_page(place: Path, page: Page, tmp_path: Path) -> None:
    """It removes an earlier page, which would contradict the new numbers."""
    shutil.copytree(page.out, tmp_path / "out")
    found = evaluated(tmp_path / "out", place / "net.hm", place / "data", "--metrics-only")
    assert not (tmp_path / "out" / "index.html").exists()
    assert "exact" not in found.stdout


@pytest.mark.slow
def test_states_along_a_line_are_drawn_against_time(tmp_path: Path) -> None:
    """Of two networks, one of which leaves the range of numbers."""
    dataset = small_states(tmp_path / "data")
    inputs = inputs_of_states(dataset, 1.0)
    for name, kernel in (("stays", STAYS), ("grows", 1e8 * STAYS)):
        save_model(tmp_path / f"{name}.hm", convolution(inputs, kernel), {})
    words = (tmp_path / "stays.hm", tmp_path / "grows.hm", tmp_path / "data")
    found = evaluated(tmp_path / "out", *words)
    expected = [
        f"rollout-{rank}-{name}-hm-data-test"
        for rank in ("median", "worst")
        for name in ("stays", "grows")
    ]
    expected.append("errors-data-test")
    assert {file.name for file in (found.out / "figures").iterdir()} == figures(expected)
    columns = found.columns("rollout-worst-stays-hm-data-test")
    assert [*columns] == ["step", "point", "true", "predicted", "error"]
    assert (columns["step"].max(), columns["point"].max()) == (6, 7)
    predicted = columns["predicted"].reshape(7, 8)
    np.testing.assert_array_equal(predicted, np.broadcast_to(predicted[0], (7, 8)))
    captions = [text for text in found.captions if text.startswith("grows.hm")]
    assert all("Grey, " in text and "no finite prediction." in text for text in captions)
    # Baselines stand beside the first network alone.
    table = rows(found.text, "Rollouts as a whole")[1:]
    assert [row[0] for row in table] == ["stays.hm", "state stays", "exact", "grows.hm"]


@pytest.mark.slow
def test_states_in_the_plane_are_shown_at_the_last_step(tmp_path: Path) -> None:
    """Channel by channel; of those in space the middle of the last axis."""
    values = np.random.default_rng(0).normal(size=(20, 3, 2, 5, 4, 3))
    for name, one in (("plane", values[..., 0]), ("space", values)):
        dataset = imported(tmp_path / name, one, "--boundary", "periodic")
        config = ConvConfig(channels=(), kernel=3, padding="same")
        model = Conv(config, inputs_of_states(dataset, 0.5), jr.key(0))
        save_model(tmp_path / f"{name}.hm", model, {})
        found = evaluated(tmp_path / "out" / name, tmp_path / f"{name}.hm", tmp_path / name)
        columns = found.columns(f"rollout-median-{name}-hm-{name}-test")
        assert [*columns][:4] == ["axis_1", "axis_2", "true_1", "predicted_1"]
        (caption,) = (text for text in found.captions if "(median error at" in text)
        assert "Shown is the state after 2 steps" in caption
        assert ("axis 3 at 1" in caption) == (name == "space")
        sample = int(caption.partition("[")[2].partition("]")[0])
        (truth,) = dataset.any_split("test").entries("states", np.array([sample]))
        plane = truth[-1, 1] if name == "plane" else truth[-1, 1, ..., 1]
        np.testing.assert_allclose(columns["true_2"], plane.ravel(), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_few_components_are_drawn_as_lines(tmp_path: Path) -> None:
    """At most four of them, beside an error that is not finite."""
    values = np.random.default_rng(0).normal(size=(20, 500, 6))
    dataset = imported(tmp_path / "data", values)
    model = MLP(MLPConfig(depth=0), inputs_of_states(dataset, 0.5), jr.key(0))
    large = eqx.tree_at(lambda one: one.layers[0][0], model, replace_fn=lambda weight: 1e9 * weight)
    save_model(tmp_path / "net.hm", large, {})
    found = evaluated(tmp_path / "out", tmp_path / "net.hm", tmp_path / "data")
    (caption,) = (text for text in found.captions if "(worst at the last step)" in text)
    assert "after 499 steps: ∞ %. The first 4 of 6 components are shown." in caption
    columns = found.columns("rollout-worst-net-hm-data-test")
    assert [*columns][:4] == ["step", "time", "true_component_1", "predicted_component_1"]
    # Every other state is shown of many.
    assert columns["step"][:3].tolist() == [0, 2, 4]
    assert len(columns) == 2 + 2 * 6

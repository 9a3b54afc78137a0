"""The three programs on files of numpy: imported, trained on, evaluated, exported, refused."""

import json
import re
from functools import cache
from pathlib import Path

import jax
import numpy as np
import pytest
from program_runs import Ran, assert_refused, finished_run, invoke, settings
from small_networks import files_of_arrays
from tiny_datasets import small_dataset

import hypermagnetics
from hypermagnetics.data import Dataset
from hypermagnetics.models import MLP

SHORT = settings("model.width=8", "model.depth=2", "schedule.max_steps=20", "validation.every=10")
BY_INPUTS = ("--set", 'objective.terms.by-inputs={of="targets", by="inputs"}')


@cache
def trained(directory: Path) -> tuple[Path, Path, Ran]:
    """A dataset, a run, and the words of its training."""
    directory.mkdir()
    m, q, j = files_of_arrays(directory)
    data, run = directory / "data", directory / "run"
    imported = invoke(
        *("hm-data", "import-arrays", data, "--inputs", m, "--targets", q, "--jacobian", j)
    )
    assert imported.code == 0, imported
    made = invoke("hm-train", data, run, *SHORT, *BY_INPUTS)
    assert made.code == 0, made
    return data, run, made


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where they lie."""
    return tmp_path_factory.mktemp("arrays") / "all"


@pytest.mark.slow
def test_a_training_says_its_recipe_and_its_errors(place: Path) -> None:
    """With no recipe named, the one of arrays."""
    _, run, made = trained(place)
    assert (
        "recipe mlp, as the dataset is of arrays alone, inputs, targets, jacobian." in made.stderr
    )
    assert "median relative error: targets" in made.stdout
    assert "jacobian" in made.stdout
    card = (run / "model.md").read_text()
    assert "| inputs | 3 |" in card
    assert "median relative error of the jacobian, validation split" in card


@pytest.mark.slow
def test_hm_eval_gives_the_errors_of_both(place: Path) -> None:
    """Those that follow from the model and the test split, and from no other samples."""
    data, run, _ = trained(place)
    ran = invoke("hm-eval", run, data)
    assert ran.code == 0, ran
    assert re.search(r"^test +targets +run +9 ", ran.stdout, re.MULTILINE)
    results = json.loads((run / "eval/results.json").read_text())
    assert results["content"] == "arrays"
    (one,) = results["evaluations"]
    split = Dataset.open(data).array_split("test")
    m, q, j = (
        split.entries(name, range(len(split))).astype(np.float64)
        for name in ("inputs", "targets", "jacobian")
    )
    model = hypermagnetics.load(run / "model.hm")
    assert isinstance(model, MLP)
    e = np.asarray(model(m.astype(np.float32)), np.float64) - q
    relative = np.abs(e) / np.abs(q)
    assert one["targets"]["median_relative_error"] == pytest.approx(np.median(relative), rel=0.05)
    rows = (e**2).sum(1) / (q**2).sum(1)
    assert one["targets"]["rms_sample_relative_l2"] == pytest.approx(rows.mean() ** 0.5, rel=1e-4)
    whole = ((e**2).sum() / (q**2).sum()) ** 0.5
    assert one["targets"]["global_relative_l2"] == pytest.approx(whole, rel=1e-4)
    scales = model.inputs.input.scales
    slopes = (np.asarray(model.jacobian(m.astype(np.float32)), np.float64) - j) * scales
    rows = (slopes**2).sum((1, 2)) / ((j * scales) ** 2).sum((1, 2))
    assert one["jacobian"]["rms_sample_relative_l2"] == pytest.approx(rows.mean() ** 0.5, rel=1e-4)


@pytest.mark.slow_cases
@pytest.mark.parametrize("output_format", ["json", "markdown", "latex"])
def test_results_are_printed_in_every_format(
    place: Path, tmp_path: Path, output_format: str
) -> None:
    data, run, _ = trained(place)
    ran = invoke("hm-eval", run, data, "--format", output_format, "--out", tmp_path / "out")
    assert ran.code == 0
    if output_format == "json":
        assert json.loads(ran.stdout) == json.loads((tmp_path / "out/results.json").read_text())
    else:
        assert "jacobian" in ran.stdout


@pytest.mark.slow
def test_an_export_calls_both_functions(place: Path, tmp_path: Path) -> None:
    """As plain JAX does."""
    _, run, _ = trained(place)
    ran = invoke("hm-train", "export", run, tmp_path / "out")
    assert ran.code == 0, ran
    assert "targets.jaxexport and jacobian.jaxexport" in ran.stdout
    model = hypermagnetics.load(run / "model.hm")
    assert isinstance(model, MLP)
    values = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    for name, function in (("targets", model), ("jacobian", model.jacobian)):
        data = bytearray((tmp_path / "out" / f"{name}.jaxexport").read_bytes())
        found = jax.export.deserialize(data).call(values)
        np.testing.assert_allclose(found, function(values), rtol=1e-5, atol=1e-5)
    assert "(samples, 3)" in (tmp_path / "out/README.md").read_text()


@pytest.mark.slow
def test_what_needs_sources_says_so(place: Path, tmp_path: Path) -> None:
    """Each program, in one line."""
    data, run, _ = trained(place)
    of_sources = (
        "The dataset must be one of sources, their potential and field; got one of arrays alone"
    )
    for name in ("hyper-layer", "split"):
        refused = invoke("hm-train", data, tmp_path / "run", "--recipe", name)
        assert (refused.code, refused.stdout) == (2, "")
        assert of_sources in refused.complaints[-1]
    found = finished_run("zarr")
    assert_refused(invoke("hm-eval", found.path, data, "--out", tmp_path / "out"), of_sources)
    assert invoke("hm-data", "verify", data, "--recompute", "1").code == 2
    beside = invoke("hm-eval", run, found.path, data, "--out", tmp_path / "out")
    assert_refused(beside, "must all be networks from arrays to arrays, or none")
    options = (
        *(("--gate", "test.potential.median < 1"), ("--by-sources", "moment")),
        ("--cluster", "local:1"),
    )
    for option in options:
        ran = invoke("hm-eval", run, data, *option, "--out", tmp_path / "out")
        assert_refused(ran, "must be left out for a network from arrays to arrays")
    out = tmp_path / "arrays"
    assert invoke("hm-eval", run, data, "--out", out).code == 0
    assert_refused(invoke("hm-eval", "compare", out, out), "of models of sources; got one of")


def test_a_network_is_refused_on_other_arrays(place: Path, tmp_path: Path) -> None:
    """Of another shape, before any prediction."""
    _, run, _ = trained(place)
    m, q, _ = files_of_arrays(tmp_path)
    np.save(m, np.load(m)[:, :2])
    command = ("hm-data", "import-arrays", tmp_path / "data", "--inputs", m, "--targets", q)
    assert invoke(*command).code == 0
    ran = invoke("hm-eval", run, tmp_path / "data", "--out", tmp_path / "out")
    assert_refused(ran, "must have inputs like those of the dataset, [2] each; got [3]")


def test_a_recipe_of_sources_has_no_mlp_of_their_potential(tmp_path: Path, tiny: Dataset) -> None:
    """Their points differ between blocks."""
    ran = invoke("hm-train", tiny.directory, tmp_path / "run", "--recipe", "mlp")
    assert (ran.code, ran.stdout) == (2, "")
    assert "at other points in each block" in ran.complaints[-1]


@pytest.mark.slow
def test_a_sweep_compares_losses_of_networks(place: Path, tmp_path: Path) -> None:
    """They have no errors of potential and field; a plot has those that they have."""
    data, run, _ = trained(place)
    keys = tmp_path / "keys.toml"
    keys.write_text('[sweep]\nmethod = "grid"\n[keys]\n"model.width" = [4, 6]\n', encoding="utf-8")
    words = ("hm-train", "sweep", "mlp", keys, tmp_path / "out", "--data", data, *SHORT)
    ran = invoke(*words)
    assert ran.code == 0, ran
    assert (tmp_path / "out" / "table.csv").read_text().count("finished") == 2
    keys.write_text(keys.read_text().replace('"grid"', '"grid"\nmetric = "field"'))
    other = ("hm-train", "sweep", "mlp", keys, tmp_path / "other", "--data", data)
    refused = invoke(*other)
    assert (refused.code, refused.stdout) == (2, "")
    assert "The metric of a sweep must be 'loss' for networks" in refused.complaints[-1]
    assert invoke("hm-train", "plot", run, "--out", tmp_path / "plot.png").code == 0


@pytest.mark.slow
def test_a_network_of_sources_is_evaluated_in_its_own_setting(tmp_path: Path) -> None:
    """Other points, or a body of another size, are other targets of the same shape."""
    regular = 'grid={kind="regular", half_width=2.0, resolution=3}'
    small_dataset(tmp_path / "data", regular)
    small_dataset(tmp_path / "wide", regular.replace("2.0", "3.0"))
    small_dataset(tmp_path / "thin", regular, 'sources.body={kind="disc", radius=0.5}')
    short = settings("schedule.max_steps=2", "model.width=8", "model.depth=1")
    run = tmp_path / "run"
    assert invoke("hm-train", tmp_path / "data", run, "--recipe", "mlp", *short).code == 0
    words = ("--split", "valid", "--out", tmp_path / "out")
    for name in ("wide", "thin"):
        refusal = "on the bodies, constants and points of its training; got others"
        assert_refused(invoke("hm-eval", run, tmp_path / name, *words), refusal)
    assert invoke("hm-eval", run, tmp_path / "data", *words).code == 0

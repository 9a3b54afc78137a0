"""Maps to maps by the programs: generate or import, train, evaluate, plot, export."""

from pathlib import Path

import jax
import numpy as np
import pytest
from program_runs import assert_refused, invoke, read_json, settings
from small_maps import maps_of_arrays

import hypermagnetics
from hypermagnetics.models import ArrayModel

SPLITS = (
    "splits={train={num_samples=18,num_sources=2},valid={num_samples=5,num_sources=2},"
    "test={num_samples=6,num_sources=3}}"
)
SMALL = settings("grid.resolution=13", "samples_per_grid=4", SPLITS)
SHORT = settings("schedule.max_steps=2", "validation.every=1", "checkpoint.every=1")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset, and a run of an exact kernel that has been trained a little."""
    directory = tmp_path_factory.mktemp("maps")
    assert invoke("hm-generate", "maps", directory / "data", *SMALL).code == 0
    words = (directory / "data", directory / "run", "--recipe", "map-fft", *SHORT)
    made = invoke("hm-train", *words)
    assert made.code == 0, made
    assert "median relative error: potential" in made.stdout
    return directory


@pytest.mark.slow
def test_the_card_says_the_grids(place: Path) -> None:
    card = (place / "run" / "model.md").read_text()
    assert "| it gives | 13 x 13 points, 0.5 m apart |" in card
    assert "| channels read | magnetisation 0 to 1 |" in card
    assert "| other numbers of points | refused |" in card
    assert "found = model(maps)  # (samples, 2, 13, 13) -> (samples, 1, 13, 13)" in card


@pytest.mark.slow
def test_an_evaluation_has_its_baseline_and_a_page(place: Path) -> None:
    ran = invoke("hm-eval", place / "run", place / "data")
    assert ran.code == 0, ran
    assert "FFT of the raster" in ran.stdout
    assert "field by differences" in ran.stdout
    assert "(maps)" in ran.stdout
    results = read_json(place / "run" / "eval" / "results.json")
    own, baseline = results["evaluations"]
    assert (own["subject"], baseline["subject"]) == ("run", "FFT of the raster")
    pair = [one["maps"][0]["all_points"]["global_relative_l2"] for one in (own, baseline)]
    np.testing.assert_allclose(*pair, rtol=0.05)
    assert (place / "run" / "eval" / "index.html").exists()


@pytest.mark.slow
def test_a_run_of_maps_is_drawn_and_exported(place: Path, tmp_path: Path) -> None:
    """As one of any network; plain JAX calls what hm-train exports."""
    assert invoke("hm-train", "plot", place / "run").code == 0
    made = invoke("hm-train", "export", place / "run", tmp_path / "out")
    assert made.code == 0, made
    call = jax.export.deserialize(bytearray((tmp_path / "out/targets.jaxexport").read_bytes())).call
    model = hypermagnetics.load(place / "run" / "model.hm")
    assert isinstance(model, ArrayModel)
    maps = np.random.default_rng(0).normal(size=(2, 2, 13, 13)).astype(np.float32)
    np.testing.assert_allclose(call(maps), model(maps), rtol=0, atol=1e-4)


@pytest.mark.slow
def test_imported_maps_are_trained_on_without_a_recipe(tmp_path: Path) -> None:
    """By the one of maps, whose name is said."""
    data = maps_of_arrays(tmp_path / "arrays").directory
    made = invoke("hm-train", data, tmp_path / "run", *SHORT)
    assert made.code == 0, made
    assert "recipe map-arrays, as the dataset is of maps, inputs, targets." in made.stderr
    ran = invoke("hm-eval", tmp_path / "run", data)
    assert ran.code == 0, ran
    assert "targets" in ran.stdout


REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "a stride": (("--recipe", "super-resolution", *settings("map.stride=5")), "a multiple of 5"),
    "a halo": (
        ("--recipe", "map-unet", *settings("model={name='conv'}")),
        "a halo of 0; got 2",
    ),
    "a model of sources": (("--recipe", "map-unet", "--model", "hyper_layer"), "[map]"),
    "no table": (("--recipe", "mlp", "--model", "unet"), "must have a table [map]"),
    "terms": (
        ("--recipe", "map-unet", *settings('objective.terms={map={of="potential"}}')),
        "must have terms of 'map'",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_maps_that_do_not_fit_are_refused_in_a_line(
    place: Path, tmp_path: Path, case: tuple[tuple[str, ...], str]
) -> None:
    words, said = case
    ran = invoke("hm-train", place / "data", tmp_path / "run", *words, *SHORT)
    assert ran.code == 2, ran
    assert said in ran.stderr.splitlines()[-1]
    assert not (tmp_path / "run" / "model.hm").exists()


def test_a_kernel_of_another_grid_is_refused_in_a_line(place: Path, tmp_path: Path) -> None:
    wider = settings("grid.resolution=15", "grid.half_width=3.5", "samples_per_grid=4", SPLITS)
    assert invoke("hm-generate", "maps", tmp_path / "wider", *wider).code == 0
    ran = invoke("hm-eval", place / "run", tmp_path / "wider", "--out", tmp_path / "out")
    assert_refused(ran, "maps of 13 x 13 points, as its parameters belong to them")
    other = settings("grid.resolution=13", "grid.half_width=4.0", "samples_per_grid=4", SPLITS)
    assert invoke("hm-generate", "maps", tmp_path / "other", *other).code == 0
    ran = invoke("hm-eval", place / "run", tmp_path / "other", "--out", tmp_path / "out")
    assert_refused(ran, "must be 0.5 m apart", "got 0.666667 m")

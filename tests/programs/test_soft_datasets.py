"""Datasets of soft bodies, from a recipe to the page of an evaluation."""

import json
import signal
from pathlib import Path

import numpy as np
import pytest
from faults import Fault
from program_runs import assert_refused, invoke, run_program, settings
from small_plans import plan_of

from hypermagnetics import models
from hypermagnetics.config import load_recipe
from hypermagnetics.data import Dataset
from hypermagnetics.evaluate.baselines import soft_solve
from hypermagnetics.generate.config import DatasetRecipe
from hypermagnetics.pictures.drawing import CELLS_OF_TRUTH
from hypermagnetics.sources import REGIONS, labels, region_codes
from hypermagnetics.sources.sums import computing_on
from hypermagnetics.table import applied_field, hard_table, source_rows
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.default_recipe import default_recipe

RECIPE = (
    "soft-squares",
    *settings(
        "soft={cells=2, finer_cells=3, checked_samples=5}",
        "grid.num_points=24",
        "samples_per_grid=4",
        "storage.shard_mb=0.001",
        "splits.train={num_samples=14, num_sources=[2, 5]}",
        "splits.valid={num_samples=4, num_sources=5}",
        "splits.test={num_samples=6, num_sources=5}",
        "splits.test_many={num_samples=4, num_sources=[3, 5]}",
    ),
)
"""Small, and of one number of rows, for one compiled program."""


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished dataset; not to be changed."""
    out = tmp_path_factory.mktemp("soft") / "data"
    assert invoke("hm-generate", *RECIPE, out).code == 0
    return out


@pytest.mark.slow
def test_a_dataset_says_how_exact_it_is(squares: Path) -> None:
    """In its manifest and on its card; it is read, verified and converted as any other."""
    dataset = Dataset.open(squares)
    found = dataset.manifest.discretisation
    assert found is not None
    assert (found.cells, found.finer_cells, found.samples) == (2, 3, 5)
    assert 0 < found.field_median < found.field_p90
    assert "without the applied field" in (squares / "README.md").read_text()
    block = dataset.split("train").block(0)
    used = np.arange(5) < block.num_sources[:, None]
    np.testing.assert_array_equal(source_rows(dataset.columns, block.sources), used)
    assert invoke("hm-data", "verify", squares).code == 0
    copy = squares.parent / "converted"
    assert invoke("hm-data", "convert", squares, copy, "--format", "hdf5").code == 0
    assert Dataset.open(copy).manifest.discretisation == found
    ran = invoke("hm-data", "verify", squares, "--recompute", "1")
    assert ran.code == 2
    assert "must be of hard magnets" in ran.complaints[-1]


@pytest.mark.slow
def test_bodies_that_hardly_answer_have_the_field_of_the_magnets() -> None:
    """As susceptibility goes to 0: the exact sum over the hard magnets."""
    square = {"kind": "rectangle", "dimension": [1.0, 1.0], "susceptibility": 1e-9}
    packed = {"distribution": "packed", "half_width": 3.0, "shape": "body"}
    plan = plan_of(
        body={"kind": "mixed", "of": [{"kind": "disc", "radius": 0.5, "count": 1}, square]},
        position=packed,
        soft={"cells": 2},
        num_samples=2,
    )
    block = plan.start_block("train", 0)()
    with computing_on("cpu"):
        hard = hard_table(plan.columns, block.sources)
        found = labels(plan.columns.hard, hard, block.num_sources, block.grid)
    np.testing.assert_allclose(block.potential, found[0], atol=1e-6 * np.abs(found[0]).max())
    # Inside of a square the field is interpolated between the centres of its cells.
    codes = region_codes(plan.columns, block.sources[None], block.grid[None])[0]
    outside = np.asarray(codes) != REGIONS.index("inside")
    assert 0.5 < outside.mean() < 1
    field = np.asarray(found[1])
    np.testing.assert_allclose(block.field[outside], field[outside], atol=1e-6 * field.max())


@pytest.mark.slow
def test_a_ball_in_a_uniform_field_is_a_dipole() -> None:
    """Of moment V chi H / (1 + chi / 3): Jackson, Classical Electrodynamics, section 5.11."""
    plan = plan_of(
        body={"kind": "sphere", "radius": 0.5, "susceptibility": 8.0},
        position={"distribution": "constant", "value": [0.3, -0.2, 0.1]},
        applied_field={"distribution": "normal", "std": 2.0},
        soft={"cells": 2, "order": 3},
        num_samples=3,
        num_sources=1,
    )
    block = plan.start_block("train", 0)()
    rows = block.sources.copy()
    field = applied_field(plan.columns, rows)
    rows[..., :3] = 4 / 3 * np.pi * 0.5**3 * 8 / (1 + 8 / 3) * field
    with computing_on("cpu"):
        hard = hard_table(plan.columns, rows)
        found = labels(plan.columns.hard, hard, block.num_sources, block.grid)
    for own, sums in zip((block.potential, block.field), map(np.asarray, found), strict=True):
        np.testing.assert_allclose(own, sums, atol=2e-6 * np.abs(sums).max())
    assert plan.discretisation() is None  # no body is divided


@pytest.mark.slow
def test_it_is_the_same_bytes_from_any_number_of_workers_and_after_a_kill(
    squares: Path, tmp_path: Path
) -> None:
    """The estimated error, too, which is made last."""
    wanted = (squares / "manifest-sha256.txt").read_bytes()
    out = tmp_path / "workers"
    assert run_program("hm-generate", *RECIPE, out, "--workers", "2").code == 0
    assert (out / "manifest-sha256.txt").read_bytes() == wanted
    out = tmp_path / "killed"
    fault = Fault("fsync", "KILL", 3, file="journal").variables(tmp_path)
    assert run_program("hm-generate", *RECIPE, out, variables=fault).code == -signal.SIGKILL
    assert not (out / "manifest.json").exists()
    assert run_program("hm-generate", *RECIPE, out).code == 0
    assert (out / "manifest-sha256.txt").read_bytes() == wanted


@pytest.mark.slow
def test_a_model_of_soft_bodies_is_trained_and_evaluated(
    squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the model that is no sum, with all symmetries; the page says what it leaves out.

    It is compared with solves by few cells.
    """
    monkeypatch.setattr(soft_solve, "CELLS", (1, 2))
    monkeypatch.setitem(CELLS_OF_TRUTH, 2, 4)
    run, out = tmp_path / "run", tmp_path / "report"
    small = settings(
        "model.width=4",
        "model.depth=1",
        "model.hwidth=0.5",
        "model.hdepth=1",
        "schedule.max_steps=4",
        "validation.every=2",
        "data.points_per_step=null",
        'data.augment=["rotation", "reflection", "time-reversal", "moment-scaling"]',
        "normalisation.moment=sample",
    )
    ran = invoke("hm-train", squares, run, "--recipe", "hyper-mlp", *small)
    assert ran.code == 0, ran.complaints
    model = models.load(run / "model.hm")
    assert model.inputs.outside == "warn"
    assert invoke("hm-train", squares, run, "--resume").code == 0
    ran = invoke("hm-eval", run, squares, "--out", out)
    assert ran.code == 0, ran.complaints
    results = json.loads((out / "results.json").read_text())
    said = " ".join(results["notes"])
    assert "The exact sum, fmm3d, the rank floors and the linear control are left out" in said
    assert "Superposition is no law of soft bodies" in said
    (physics,) = results["physics"]
    laws = [one["law"] for one in physics["properties"]]
    assert laws == ["homogeneity", "gradient", "laplace"]
    page = (out / "index.html").read_text()
    assert "Truth by a solve of 4 cells a side" in page


@pytest.mark.parametrize(("name", "dim"), [("soft-squares", 2), ("soft-cuboids", 3)])
def test_the_truth_of_a_picture_has_the_cells_of_the_shipped_recipe(name: str, dim: int) -> None:
    recipe = load_recipe(DatasetRecipe, "dataset", name, ())
    assert recipe.soft is not None
    assert recipe.soft.cells == CELLS_OF_TRUTH[dim] == {2: 16, 3: 6}[dim]


@pytest.mark.slow
def test_a_sum_is_refused_before_a_run_begins(squares: Path, tmp_path: Path) -> None:
    """And without a recipe the model that is none is taken."""
    for recipe in ("split", "demo", "fourier", "linear", "wave-layer"):
        ran = invoke("hm-train", squares, tmp_path / recipe, "--recipe", recipe)
        assert_refused(ran, "must be no sum over sources, as they answer to each other")
        assert not (tmp_path / recipe).exists()
    ran = invoke(
        "hm-train", squares, tmp_path / "x", "--recipe", "hyper-mlp", "--set", "outside=exact"
    )
    assert_refused(ran, "got 'exact' (outside)")
    chosen = default_recipe({}, lambda name: load_recipe(TrainingRecipe, "training", name, ()))
    assert chosen.for_dataset(Dataset.open(squares)).name == "reduced"


@pytest.mark.slow
def test_derivatives_by_soft_sources_are_refused(squares: Path, tmp_path: Path) -> None:
    """In a training and in an evaluation: they are not those of a sum."""
    term = 'objective.terms.slopes={of="potential", by="sources"}'
    ran = invoke("hm-train", squares, tmp_path / "run", "--recipe", "hyper-mlp", *settings(term))
    assert_refused(ran, "must be of hard magnets")

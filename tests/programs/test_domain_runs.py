"""`hm-train --domain`: a model without a dataset, which the other programs take like any run."""

import re
from pathlib import Path

import click
import equinox as eqx
import pytest
from program_runs import (
    COMMANDS,
    Made,
    assert_refused,
    copy_of,
    invoke,
    read_json,
    settings,
    snapshot,
)
from shipped_datasets import random_recipes

from hypermagnetics.config import load_recipe
from hypermagnetics.data import Dataset
from hypermagnetics.evaluate import evaluate
from hypermagnetics.files import only_writer
from hypermagnetics.generate.bodies import source_columns
from hypermagnetics.generate.config import DatasetRecipe
from hypermagnetics.models import GridSplit, load, split_of_domain
from hypermagnetics.models.split.grid_settings import ACCURACY
from hypermagnetics.run_files import LOCK_NAME, RunFiles
from hypermagnetics.sources import SourceColumns
from hypermagnetics.table import DIMENSIONS
from hypermagnetics.train.config import TrainingRecipe

COARSE = ("--domain", "3", "--dim", "2", "--accuracy", "0.1")
"""A model that is fitted in less than a second."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A run of discs and rectangles; not to be changed."""
    run = tmp_path_factory.mktemp("domain") / "run"
    ran = invoke("hm-train", *COARSE, "--body", "disc", "--body", "rectangle", run)
    assert (ran.code, ran.complaints) == (0, []), ran
    return Made(run, ran)


def test_a_run_is_made_without_a_dataset(made: Made) -> None:
    """It is that of the function in Python; the model file comes last."""
    files = RunFiles(made.path)
    columns = SourceColumns.with_all_varying(2, "disc", "rectangle")
    model = load(files.model)
    assert isinstance(model, GridSplit)
    assert bool(eqx.tree_equal(model, split_of_domain(columns, 3.0, 0.1)))
    assert sorted(path.name for path in made.path.iterdir()) == sorted(
        [LOCK_NAME, *(f.name for f in (files.model, files.card, files.recipe, files.provenance))]
    )
    others = (files.card, files.recipe, files.provenance)
    assert all(file.stat().st_mtime_ns <= files.model.stat().st_mtime_ns for file in others)
    recipe = load_recipe(TrainingRecipe, "training", str(files.recipe))
    assert (recipe.model.model_dump()["domain"], recipe.schedule.num_steps) == (3.0, 0)
    origin = read_json(files.provenance)
    assert origin["dataset"] is origin["dataset_sha256"] is None
    assert "jax" in origin["software"]


def test_summary_and_card_say_what_was_chosen(made: Made) -> None:
    model = load(made.path / "model.hm")
    assert isinstance(model, GridSplit)
    harmonics = " x ".join(map(str, model.waves.coefficients.shape))
    error = f"{model.fit_error:.2g}"
    assert model.fit_error <= 0.1
    said = made.ran.stdout
    assert f"Waves: {harmonics} harmonics of a period of " in said
    assert f"exact within a cutoff of {model.smoothing.cutoff:.4g} m" in said
    assert re.search(rf"Fit error {error}, 0\.1 was allowed; \d+\.\d s\.", said)
    assert said.endswith(f"Next: hm-eval {made.path} DATASET\n")
    card = (made.path / "model.md").read_text(encoding="utf-8")
    for text in ("| dataset | none", f"| fit error | {error}, ", '"kaiser-bessel"', "x -3 to 3 m"):
        assert text in card
    assert "validation" not in card


@pytest.mark.slow
def test_hm_eval_takes_it_and_a_plot_says_that_nothing_was_logged(
    made: Made, tiny: Dataset, tmp_path: Path
) -> None:
    """Also on discs whose radius is a constant of the dataset."""
    gate = ("--gate", "test_multi.field.median < 0.1", "--metrics-only")
    ran = invoke("hm-eval", made.path, tiny.directory, *gate, "--out", tmp_path / "out")
    assert (ran.code, len(ran.complaints)) == (0, 1), ran
    ran = invoke("hm-train", "plot", made.path)
    assert_refused(ran, "must have logged some steps", "--domain has no curves", "model.md")


@pytest.mark.slow
def test_it_can_be_exported(made: Made, tmp_path: Path) -> None:
    ran = invoke("hm-train", "export", made.path, tmp_path / "export")
    assert (ran.code, ran.complaints) == (0, [])
    assert (tmp_path / "export" / "model.md").read_bytes() == (made.path / "model.md").read_bytes()


def test_another_run_is_in_the_way_until_it_is_overwritten(made: Made, tmp_path: Path) -> None:
    """Also with files of a training; foreign ones stay."""
    run = copy_of(made, tmp_path / "run")
    (run / "checkpoints").mkdir()
    (run / "checkpoints" / "step-000000300.ckpt").write_bytes(b"many steps")
    words = ("hm-train", *COARSE, "--body", "disc", run)
    before = snapshot(run)
    assert_refused(invoke(*words), "must not exist", "--overwrite")
    assert snapshot(run) == before
    ran = invoke(*words, "--overwrite")
    assert (ran.code, ran.complaints) == (0, []), ran
    assert not (run / "checkpoints").exists()
    assert load(run / "model.hm").inputs.columns.bodies == ("disc",)
    (run / "thesis.tex").write_text("years of work")
    assert_refused(invoke(*words, "--overwrite"), "only files of the run", "thesis.tex")
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "thesis.tex").write_text("years of work")
    words = ("hm-train", *COARSE, tmp_path / "papers", "--overwrite")
    assert_refused(invoke(*words), "must be a run")


@pytest.mark.slow
def test_it_has_one_writer(made: Made, tmp_path: Path) -> None:
    run = copy_of(made, tmp_path / "run")
    with only_writer(run / LOCK_NAME, "A run"):
        ran = invoke("hm-train", *COARSE, "--body", "disc", run, "--overwrite")
    assert_refused(ran, "must have one writer")


def test_a_training_does_not_go_on_from_it(made: Made, tiny: Dataset, tmp_path: Path) -> None:
    """It has no dataset that could be the same."""
    run = copy_of(made, tmp_path / "run")
    before = snapshot(run)
    ran = invoke("hm-train", tiny.directory, run, "--resume")
    assert_refused(ran, "must go on with the dataset", "made for a domain", "--overwrite")
    assert snapshot(run) == before


@pytest.mark.parametrize(
    ("words", "texts"),
    [
        (("--domain", "3", "data", "RUN"), ("no dataset", "--set model.domain=3")),
        (("--domain", "3"), ("must have a directory, RUN",)),
        (("--domain", "3", "--show", "demo"), ("--show must stand alone", "got '--domain' too")),
        (("data", "RUN", "--accuracy", "0.1"), ("'--accuracy' must stand beside --domain",)),
        (("data", "RUN", "--dim", "2"), ("'--dim' must stand beside --domain",)),
        (("data", "RUN", "--body", "disc"), ("'--body' must stand beside --domain",)),
        (("--domain", "3", "RUN", "--accuracy", "0.2"), ("'model.accuracy' must", "got 0.2")),
        (("--domain", "3", "RUN", "--accuracy", "1e-9"), ("'model.accuracy' must", "got 1e-09")),
        (("--domain", "3", "RUN", "--body", "disc"), ("must exist in 3 dimensions", "--dim 2")),
        (("--domain", "1e308", "RUN"), ("from 1e-09 to 1e+09 m", "got 1e+308")),
        (("--domain", "1e-320", "RUN"), ("from 1e-09 to 1e+09 m",)),
    ],
)
def test_what_means_nothing_is_refused(
    tmp_path: Path, words: tuple[str, ...], texts: tuple[str, ...]
) -> None:
    """In one line, and nothing is made."""
    ran = invoke("hm-train", *(str(tmp_path / "run") if w == "RUN" else w for w in words))
    assert_refused(ran, *texts)
    assert not list(tmp_path.iterdir())


MEANT = ("domain", "accuracy", "dim", "bodies", "overwrite")
"""Options that mean something for a model of a domain; all others are refused beside it."""
REFUSED = [
    option
    for option in COMMANDS["hm-train"].params
    if isinstance(option, click.Option)
    and option.name not in (*MEANT, "shown")
    and option.expose_value
]


@pytest.mark.parametrize("option", REFUSED, ids=lambda option: option.opts[0])
def test_every_other_option_is_refused(tmp_path: Path, option: click.Option) -> None:
    """None is passed over in silence, and nothing is made."""
    choices = option.type.choices if isinstance(option.type, click.Choice) else ["1"]
    value = () if option.is_flag else (choices[0],)
    ran = invoke("hm-train", "--domain", "3", tmp_path / "run", option.opts[0], *value)
    assert_refused(
        ran, "than --accuracy, --dim, --body, --overwrite, as", f"got '{option.opts[0]}' too"
    )
    assert not list(tmp_path.iterdir())


def small(name: str) -> tuple[str, ...]:
    """Settings that make a shipped dataset small, of all of its splits."""
    splits = load_recipe(DatasetRecipe, "dataset", name).splits
    sizes = (f"splits.{split}.num_samples={16 if 'test' in split else 8}" for split in splits)
    return settings("samples_per_grid=8", "grid.num_points=64", *sizes)


@pytest.mark.slow
@pytest.mark.parametrize("dim", [2, 3])
def test_one_model_of_all_bodies_serves_all_shipped_datasets(tmp_path: Path, dim: int) -> None:
    """Of its dimension, with errors that fit its accuracy."""
    ran = invoke("hm-train", "--domain", "3", "--dim", str(dim), tmp_path / "run")
    assert ran.code == 0, ran
    model = load(tmp_path / "run" / "model.hm")
    assert set(model.inputs.columns.bodies) == {b for b, dims in DIMENSIONS.items() if dim in dims}
    found = []
    for name in random_recipes():
        recipe = load_recipe(DatasetRecipe, "dataset", name)
        if source_columns(recipe.sources.body).dim == dim:
            assert invoke("hm-generate", name, *small(name), tmp_path / name).code == 0
            found.append(Dataset.open(tmp_path / name))
    assert {body for one in found for body in one.columns.bodies} >= (
        {"disc", "rectangle", "dipole"} if dim == 2 else {"sphere", "cuboid"}
    )
    results = evaluate(model, found, out=tmp_path / "out", metrics_only=True).results
    whole = [one for one in results.evaluations if one.subject == "GridSplit"]
    assert len(whole) == sum("test" in split for dataset in found for split in dataset.splits)
    for one in whole:
        for quantity in (one.potential, one.field):
            assert quantity.median_relative_error < ACCURACY[dim], one
            assert quantity.nonfinite_fraction == 0

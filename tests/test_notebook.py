"""The programs from Python: the same files, quiet, and nothing of JAX is set."""

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from program_runs import invoke
from refused import refused
from user_modules import user_module

import hypermagnetics
from hypermagnetics.config import changed_recipe
from hypermagnetics.data import Dataset
from hypermagnetics.errors import DatasetError, RecipeError, RunError, SourceError
from hypermagnetics.evaluate import Report, evaluate
from hypermagnetics.generate import generate
from hypermagnetics.models import HyperLayer, HyperLayerConfig, Model
from hypermagnetics.train import TrainedRun, train
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.losses import Huber

_SPLITS = {
    "train": {"num_samples": 64},
    "valid": {"num_samples": 16},
    "test_single": {"num_samples": 16},
    "test_multi": {"num_samples": 16},
}
_SMALL = {"width": 8, "depth": 1, "hwidth": 1.0, "hdepth": 1}


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A small dataset of the demo."""
    out = tmp_path_factory.mktemp("notebook") / "discs"
    return generate("demo", out, samples_per_grid=8, splits=_SPLITS, grid={"num_points": 24})


@pytest.fixture(scope="module")
def trained(discs: Dataset) -> TrainedRun:
    """A run of four steps."""
    schedule = {"max_steps": 4}
    return train(
        discs, discs.directory.parent / "run", model=_SMALL, data={"blocks_per_batch": 2},
        schedule=schedule, validation={"every": 4}, checkpoint={"every": 4},
    )  # fmt: skip


def test_a_dataset_is_that_of_the_program(discs: Dataset, tmp_path: Path) -> None:
    """To the byte; asked for again, it is opened."""
    sets = [f"splits.{name}.num_samples={split['num_samples']}" for name, split in _SPLITS.items()]
    sets += ["samples_per_grid=8", "grid.num_points=24"]
    ran = invoke("hm-generate", "demo", tmp_path / "discs", *(f"--set={one}" for one in sets))
    assert ran.code == 0, ran.stderr
    assert Dataset.open(tmp_path / "discs").sha256 == discs.sha256
    again = generate(
        "demo", discs.directory, samples_per_grid=8, splits=_SPLITS, grid={"num_points": 24}
    )
    assert again.sha256 == discs.sha256
    with refused(DatasetError, "got a finished dataset", str(discs.directory)):
        generate("demo", discs.directory)
    assert repr(discs).endswith(
        "discs'): train 64, valid 16, test_single 16, test_multi 16 samples of disc"
    )


def test_a_training_gives_its_model(trained: TrainedRun) -> None:
    """The best one, and its errors in words."""
    assert isinstance(trained.model, HyperLayer)
    assert repr(trained).startswith(
        f"TrainedRun('{trained.directory}'): HyperLayer of step 4; last"
    )
    loaded = hypermagnetics.load(trained.directory / "model.hm")
    assert isinstance(loaded, Model)
    sources, points = jnp.ones((2, 4)), jnp.ones((3, 2))
    np.testing.assert_array_equal(loaded(sources, points), trained.model(sources, points))


def test_a_table_of_another_name_takes_the_place_of_the_whole(discs: Dataset) -> None:
    """So a model replaces another, whose settings it does not have."""
    with pytest.raises(RecipeError, match=r"'model.width' must .*Did you mean 'bandwidth'\?"):
        train(discs, "never", model={"name": "split", "width": 8})
    with pytest.raises(RecipeError, match=r"'schedule.max_step' must .*mean 'max_steps'\?"):
        train(discs, "never", schedule={"max_step": 8})
    with pytest.raises(RecipeError, match=r"'sed' must .* got 1 \(recipe demo with sed\)"):
        generate("demo", "never", sed=1)


@pytest.mark.slow
def test_a_report_reads_as_the_table(trained: TrainedRun, discs: Dataset, tmp_path: Path) -> None:
    """Of models in memory and on the disk side by side."""
    report = evaluate(
        [trained.model, trained.directory], discs, out=tmp_path / "report", metrics_only=True
    )
    assert isinstance(report, Report)
    names = [subject.name for subject in report.results.subjects]
    assert names[:2] == ["HyperLayer", "run"]
    ours, theirs = report.results.evaluations[:2]
    assert ours.field.median_relative_error == theirs.field.median_relative_error
    text = repr(report)
    assert "test_multi" in text
    assert text.endswith(f"Files: {tmp_path / 'report'}")
    assert report._repr_markdown_().count("|") > 10
    written = json.loads((tmp_path / "report" / "results.json").read_text())
    assert written["subjects"][0]["place"] == "in memory"
    alone = evaluate(trained.model, discs.directory, out=tmp_path / "other", metrics_only=True)
    assert alone.results.evaluations[0].field == ours.field


@pytest.mark.slow
def test_subjects_keep_their_order_and_have_names_of_their_own(
    trained: TrainedRun, discs: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also a run in a directory that is called like the class of a model, and what train gave."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained.directory, tmp_path / "HyperLayer")
    subjects = ["HyperLayer", trained.model, trained, trained.model]
    report = evaluate(subjects, discs, out="several", splits=["test_multi"], metrics_only=True)
    names = [subject.name for subject in report.results.subjects]
    assert names[:4] == ["HyperLayer", "HyperLayer 1", "run", "HyperLayer 2"]
    (tmp_path / "taken").write_text("")
    with refused(RunError, "must be a directory", "taken"):
        evaluate(trained, discs, out="taken", metrics_only=True)


def test_nothing_to_evaluate_is_refused(discs: Dataset, tmp_path: Path) -> None:
    """An empty list would else give an empty table, or a division by zero."""
    with pytest.raises(RunError, match="got 0 subjects and 1 datasets"):
        evaluate([], discs, out=tmp_path / "report")
    with pytest.raises(RunError, match="got 1 subjects and 0 datasets"):
        evaluate("run", [], out=tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_values_of_numpy_and_settings_are_values_of_a_recipe() -> None:
    """As a loop over an array gives them."""
    model = HyperLayerConfig(width=8, depth=1, hwidth=1.0, hdepth=1)
    changes = {"seed": np.int64(3), "model": model, "objective": {"loss": Huber(delta=0.1)}}
    recipe = changed_recipe(TrainingRecipe, "training", "demo", changes)
    assert (recipe.seed, recipe.model, recipe.objective.loss) == (3, model, Huber(delta=0.1))
    for change in ({"clip_norm": 0.5}, {"name": "adam"}):
        recipe = changed_recipe(TrainingRecipe, "training", recipe, {"optimiser": change})
    assert (recipe.optimiser.name, recipe.optimiser.clip_norm) == ("adam", 0.5)


@pytest.mark.slow
def test_a_thread_trains_too(discs: Dataset, tmp_path: Path) -> None:
    """Without signals, which only the main thread gets; a run is resumed, or refused by name."""
    short = {"model": _SMALL, "data": {"blocks_per_batch": 2}, "schedule": {"max_steps": 2}}
    with ThreadPoolExecutor(1) as pool:
        pool.submit(train, discs, tmp_path / "run", **short).result()
        longer = {"if_exists": "resume", "schedule": {"max_steps": 3}}
        again = pool.submit(train, discs, tmp_path / "run", **longer).result()
    assert again.outcome.progress.step == 3
    with refused(RunError, "must not exist", "if_exists='resume' in Python"):
        train(discs, tmp_path / "run", **short)


@pytest.mark.slow
def test_code_is_named_again_to_resume(
    discs: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is imported because the recipe in a directory names it."""
    code = "import jax.numpy as jnp\ndef squared(e, h): return jnp.sum(e**2, axis=-1)\n"
    with user_module(code, tmp_path, monkeypatch) as module:
        monkeypatch.syspath_prepend(tmp_path)
        own = f"{module}:squared"
        rest = {"model": _SMALL, "data": {"blocks_per_batch": 2}, "schedule": {"max_steps": 2}}
        run = train(discs, tmp_path / "run", objective={"loss": own}, **rest)
        with refused(RunError, f"got no {own}", "recipe.json"):
            train(discs, run.directory, if_exists="resume", schedule={"max_steps": 3})
        longer = {"objective": {"loss": own}, "schedule": {"max_steps": 3}}
        again = train(discs, run.directory, if_exists="resume", **longer)
    assert again.outcome.progress.step == 3


@pytest.mark.slow
def test_a_model_draws_itself(trained: TrainedRun, tmp_path: Path) -> None:
    """A PNG, as a notebook asks for it."""
    sources = [[1.0, 0.0, -0.5, 0.0], [0.0, 1.0, 0.7, 0.2]]
    picture = trained.model.plot(jnp.array(sources))
    assert trained.model.plot([*sources, [0.0] * 4]).png == picture.png  # padding is no disc
    with refused(SourceError, "must have a source"):
        trained.model.plot(np.zeros((3, 4)))
    assert picture._repr_png_().startswith(b"\x89PNG")
    picture.save(tmp_path / "sample.png")
    assert (tmp_path / "sample.png").read_bytes() == picture.png
    fresh = HyperLayer(
        config=HyperLayerConfig(width=4, depth=1, hdepth=1),
        hyperkey=jnp.array([0, 1], jnp.uint32),
        mainkey=jnp.array([0, 2], jnp.uint32),
    )
    assert fresh.plot(np.array([[1.0, 0.0, 0.3, 0.0]])).png.startswith(b"\x89PNG")


@pytest.mark.slow
def test_nothing_of_jax_is_set(discs: Dataset, tmp_path: Path) -> None:
    """In a fresh process, whose float type stays; and the labels are those of float64."""
    code = f"""
import jax
before = dict(jax.config.values)
from hypermagnetics.generate import generate
from hypermagnetics.train import train
data = generate("demo", {str(tmp_path / "discs")!r}, samples_per_grid=8, splits={_SPLITS!r},
                grid={{"num_points": 24}})
train(data, {str(tmp_path / "run")!r}, model={_SMALL!r}, data={{"blocks_per_batch": 2}},
      schedule={{"max_steps": 2}})
assert dict(jax.config.values) == before, {{k for k in before if jax.config.values[k] != before[k]}}
print(data.sha256)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == discs.sha256

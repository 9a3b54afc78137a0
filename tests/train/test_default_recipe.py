"""The recipe of a training that names none, for datasets and for changes."""

import json
from pathlib import Path

import pytest
from program_runs import assert_refused, finished_dataset, invoke, settings
from tiny_datasets import MakeDataset

from hypermagnetics.config import changed_recipe, load_recipe
from hypermagnetics.data import Dataset
from hypermagnetics.models import GridSplit, GridSplitConfig, HyperMLPConfig, load
from hypermagnetics.train import train
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.default_recipe import DefaultRecipe, default_recipe
from hypermagnetics.train.user_code import Names

FAR = "sources.position.std=6000.0"
"""Sources of which some are too far from the points for waves on a grid."""


def by_overrides(*overrides: str) -> DefaultRecipe:
    """As hm-train chooses."""
    return default_recipe(
        dict(text.split("=", 1) for text in overrides),
        lambda name: load_recipe(TrainingRecipe, "training", name, overrides),
    )


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("seed=3", "outside=warn", "data.train=valid", "data.check=sizes", "compute.devices=1"),
        ("model.accuracy=1e-3", "model.domain=3.0"),
        ("model.name=split",),
        Names(model="split").overrides,
        ("schedule.max_steps=0",),
    ],
    ids=str,
)
def test_the_most_accurate_is_taken(overrides: tuple[str, ...]) -> None:
    """Also where its own keys are changed."""
    found = by_overrides(*overrides)
    assert (found.name, found.because) == ("split", None)
    assert isinstance(found.recipe.model, GridSplitConfig)
    assert found.recipe.schedule.num_steps == 0


@pytest.mark.parametrize(
    ("overrides", "cause"),
    [
        (("model.width=384",), "model.width"),
        (("seed=1", "schedule.max_steps=20"), "schedule.max_steps"),
        (("schedule.max_minutes=1.0",), "schedule.max_minutes"),
        (("data.mode=stream",), "data.mode"),
        (("data.points_per_step=8",), "data.points_per_step"),
        (("optimiser.name=lion",), "optimiser.name"),
        (("tracking.to=['tensorboard']",), "tracking.to"),
        (("compute.chunks=2",), "compute.chunks"),
        (Names(model="hyper_mlp").overrides, "model hyper_mlp"),
        (Names(model="my_models:Ridges").overrides, "model my_models:Ridges"),
        (("model.name=hyper_layer", "model.width=8"), "model.name"),
        (('model={name="split", rank=8}',), "model split"),
        (Names(objectives=("relative",)).overrides, "objective.loss"),
        (Names(normalisation="median").overrides, "normalisation.scales"),
    ],
    ids=str,
)
def test_what_needs_steps_has_steps(overrides: tuple[str, ...], cause: str) -> None:
    """Nothing that is asked for is without effect, and no network is kept as it is drawn."""
    found = by_overrides(*overrides)
    assert found.name == "demo"
    assert f"as {cause} needs steps" in found.line
    assert found.recipe.schedule.num_steps > 0
    assert found.recipe == load_recipe(TrainingRecipe, "training", "demo", overrides)


@pytest.mark.parametrize(
    "overrides",
    [
        (*Names(model="hyper_mlp").overrides, "schedule.max_steps=0"),
        ("optimiser.name=lion", "schedule.max_steps=0"),
        ("model.width=8", "schedule.max_steps=0"),
    ],
    ids=str,
)
def test_no_step_of_another_model_is_of_that_model(overrides: tuple[str, ...]) -> None:
    """Where another one is asked for, or a way to train, it is no split that comes out."""
    found = by_overrides(*overrides)
    assert (found.name, found.recipe.schedule.num_steps) == ("demo", 0)


def test_keys_of_a_split_are_refused_with_its_own() -> None:
    """A misspelt one is not answered with those of another model."""
    for override, said in (("model.acuracy=0.1", "'accuracy'"), ("model.rank=8", "bandwidth")):
        with pytest.raises(Exception, match=f"recipe split with --set.*{said}"):
            by_overrides(override)


def test_a_dataset_out_of_reach_has_another(tmp_path: Path, make_dataset: MakeDataset) -> None:
    """And the line says why; settings of the user's own are refused instead."""
    far = make_dataset(tmp_path / "far", FAR)
    found = by_overrides("seed=5").for_dataset(far)
    assert (found.name, found.recipe.seed, found.recipe.model.name) == ("demo", 5, "hyper_layer")
    assert (
        "as split, the most accurate, does not serve the dataset: A model must have at most"
        in found.line
    )
    for own in ("model.domain=3.0", "model.name=split", "schedule.max_steps=0"):
        assert by_overrides(own).for_dataset(far).name == "split"
    words = (tmp_path / "far", tmp_path / "run", *settings("model.accuracy=1e-5"))
    assert_refused(invoke("hm-train", *words), "A model must have at most")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow_cases
@pytest.mark.parametrize(
    ("overrides", "bodies"),
    [
        ((), "discs in 2D"),
        (('sources.body={kind="dipole"}',), "dipoles in 2D"),
        (
            ('sources.body={kind="mixed", of=[{kind="disc", radius=1.0}, {kind="dipole"}]}',),
            "dipoles and discs in 2D",
        ),
    ],
    ids=str,
)
def test_the_line_names_the_bodies(
    tmp_path: Path, make_dataset: MakeDataset, overrides: tuple[str, ...], bodies: str
) -> None:
    """And where the errors stand, and what learns from labels."""
    dataset = make_dataset(tmp_path / "data", *overrides)
    found = by_overrides().for_dataset(dataset)
    assert found.line == (
        f"recipe split, the most accurate for {bodies} (docs/results.md); --recipe demo learns "
        "from the labels alone."
    )


@pytest.mark.slow
def test_hm_train_takes_it_and_says_so(tmp_path: Path) -> None:
    """On stderr, in one line; a run that exists is refused before, and a resumed one kept."""
    data, run = finished_dataset("zarr").path, tmp_path / "run"
    ran = invoke("hm-train", data, run)
    assert (ran.code, ran.complaints) == (0, []), ran
    lines = [line for line in ran.stderr.splitlines() if line.startswith("hm-train: recipe ")]
    assert lines == [
        "hm-train: recipe split, the most accurate for discs in 2D (docs/results.md); --recipe "
        "demo learns from the labels alone."
    ]
    assert isinstance(load(run / "model.hm"), GridSplit)
    assert "recipe split" not in invoke("hm-train", data, run).stderr
    resumed = invoke("hm-train", data, run, "--resume")
    assert (resumed.code, "finished already" in resumed.stdout) == (0, True)
    assert "recipe split" not in resumed.stderr
    named = invoke("hm-train", data, tmp_path / "named", "--recipe", "split")
    assert (named.code, "recipe split" in named.stderr) == (0, False)
    assert (tmp_path / "named" / "model.hm").read_bytes() == (run / "model.hm").read_bytes()


@pytest.mark.slow
def test_hm_train_says_why_it_makes_steps(tmp_path: Path) -> None:
    """With the recipe that it keeps in the run."""
    run = tmp_path / "run"
    small = settings("model.width=8", "model.depth=1", "schedule.max_steps=2")
    ran = invoke("hm-train", finished_dataset("zarr").path, run, *small)
    assert (ran.code, ran.complaints) == (0, []), ran
    assert "hm-train: recipe demo, as model.width needs steps, and split," in ran.stderr
    assert json.loads((run / "recipe.json").read_text())["model"]["name"] == "hyper_layer"
    assert "recipe" not in invoke("hm-train", finished_dataset("zarr").path, run, "--resume").stderr


@pytest.mark.slow
def test_from_python_it_is_the_same(
    tmp_path: Path, tiny: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    """Quiet, unless it is asked to speak; keys of a table count as in --set."""
    assert isinstance(train(tiny, tmp_path / "run").model, GridSplit)
    assert capsys.readouterr().err == ""
    accurate = train(tiny, tmp_path / "loud", quiet=False, model={"accuracy": 1e-3}).model
    assert isinstance(accurate, GridSplit)
    assert accurate.config.accuracy == 1e-3
    assert "hm-train: recipe split, the most accurate for discs in 2D" in capsys.readouterr().err
    steps = {"max_steps": 2, "warmup_fraction": 0.0}
    layer = train(tiny, tmp_path / "steps", model={"width": 8, "depth": 1}, schedule=steps)
    assert type(layer.model).__name__ == "HyperLayer"
    own = default_recipe(
        {"model": HyperMLPConfig()},
        lambda name: changed_recipe(TrainingRecipe, "training", name, {"model": HyperMLPConfig()}),
    )
    assert own.name == "demo"


def test_list_and_help_say_the_default() -> None:
    """One recipe is marked."""
    marked = [line for line in invoke("hm-train", "--list").stdout.splitlines() if "[def" in line]
    assert [line.split()[0] for line in marked] == ["split"]
    words = " ".join(invoke("hm-train", "--help").stdout.split())
    assert "[default: split, which makes no step; demo where" in words

"""A model, a loss and scales of a user, through hm-train and hm-eval."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from program_runs import Ran, assert_refused, invoke, settings
from user_modules import FUNCTIONS, MODEL, user_module

from hypermagnetics.data import Dataset
from hypermagnetics.models import load
from hypermagnetics.train import keeper as training
from hypermagnetics.user_code import import_user_code

SHORT = settings(
    "schedule.max_steps=4",
    "schedule.warmup_fraction=0.0",
    "data.points_per_step=null",
    "checkpoint.every=2",
    "tracking.log_every=1",
)
RUN = Path("run")


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module with all three, in the working directory."""
    with user_module(MODEL + FUNCTIONS, tmp_path, monkeypatch) as name:
        yield name


def names(module: str) -> tuple[str, ...]:
    """All three of them."""
    model, loss, scales = (f"{module}:{name}" for name in ("Waves", "relative", "doubled"))
    return ("--model", model, "--objective", loss, "--normalisation", scales)


def trained(dataset: Dataset, run: Path, *options: str) -> Ran:
    """A run that must end well."""
    ran = invoke("hm-train", dataset.directory, run, *options)
    assert (ran.code, ran.complaints) == (0, []), ran
    return ran


@pytest.mark.slow
def test_what_a_user_names_is_used(tiny: Dataset, module: str) -> None:
    """The files say the names and settings, and hm-eval reads the model with its class."""
    own = names(module)
    ran = trained(tiny, RUN, *own, *settings("model.settings.width=6"), *SHORT)
    assert f"Next: hm-eval run {tiny.directory} --model {module}:Waves" in ran.stdout
    recipe = json.loads((RUN / "recipe.json").read_text())
    assert recipe["model"] == {"name": f"{module}:Waves", "settings": {"width": 6}}
    assert (recipe["objective"]["loss"]["kind"], recipe["normalisation"]["scales"]) == (
        own[3],
        own[5],
    )

    header = json.loads((RUN / "model.hm").read_bytes().split(b"\n", 1)[0])
    assert header["model"] == recipe["model"]
    far = max(tiny.split("train").statistics("grid").max)
    assert header["inputs"]["scales"] == {"length": 2 * far, "moment": 2.0, "potential": 2.0}
    waves = import_user_code(f"{module}:Waves", "here")
    assert isinstance(waves, type)
    assert load(RUN / "model.hm", user_model=waves).rank == 6

    options = ("--split", "test_single", "--model", own[1], "--metrics-only")
    ran = invoke("hm-eval", RUN, tiny.directory, *options)
    assert (ran.code, ran.complaints) == (0, []), ran
    assert f'load("{RUN}/model.hm", user_model=Waves)' in ran.stdout


def test_the_working_directory_is_in_the_path_only_for_an_import(module: str) -> None:
    """What lies there besides is imported by nobody later."""
    before = [*sys.path]
    assert callable(import_user_code(f"{module}:relative", "here"))
    assert sys.path == before


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_bits(
    tiny: Dataset, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the names alone, or under the whole command once more."""
    whole = (*names(module), *SHORT)
    trained(tiny, RUN, *whole)
    save = training.save_checkpoint

    def save_and_end(*arguments: object) -> None:
        save(*arguments)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    for run, again in ((Path("one"), names(module)), (Path("other"), whole)):
        with monkeypatch.context() as patch:
            patch.setattr(training, "save_checkpoint", save_and_end)
            assert invoke("hm-train", tiny.directory, run, *whole).code == 130
        assert not (run / "model.hm").exists()
        trained(tiny, run, "--resume", *again)
        assert (run / "model.hm").read_bytes() == (RUN / "model.hm").read_bytes()


@pytest.mark.slow
def test_a_recipe_may_name_what_is_a_users(tmp_path: Path, tiny: Dataset, module: str) -> None:
    """A resumed run under that recipe needs no options: the person has given it."""
    (tmp_path / "mine.toml").write_text(
        f'[normalisation]\nscales = "{module}:doubled"\n'
        f'[model]\nname = "{module}:Waves"\nsettings = {{ width = 5 }}\n'
        f'[objective]\nloss = "{module}:relative"\n'
        "[schedule]\nmax_steps = 2\nlearning_rate = 1e-3\n"
    )
    options = ("--recipe", "mine.toml", *settings("model.settings.width=6"))
    trained(tiny, RUN, *options)
    ran = trained(tiny, RUN, *options, "--resume")
    assert "finished already" in ran.stdout
    assert json.loads((RUN / "recipe.json").read_text())["model"]["settings"] == {"width": 6}


@pytest.mark.slow
def test_nothing_is_imported_because_a_file_names_it(
    tmp_path: Path, tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that came from somewhere is neither resumed nor evaluated without the names."""
    with user_module(MODEL + FUNCTIONS, tmp_path, monkeypatch) as module:
        trained(tiny, RUN, *names(module), *SHORT)
        (tmp_path / f"{module}.py").write_text("raise SystemExit('this has been run')")
    loss_and_scales = names(module)[2:]
    refused = {
        (): "got no --model, --objective, --normalisation (run/recipe.json)",
        ("--model", f"{module}:Waves"): "got no --objective, --normalisation (",
        loss_and_scales: "got no --model (run/recipe.json)",
        ("--model", "split"): f"must keep its recipe, --model {module}:Waves; got split (",
        ("--objective", "mse"): f"--objective {module}:relative; got mse (",
    }
    for options, fragment in refused.items():
        ran = invoke("hm-train", tiny.directory, RUN, "--resume", *options)
        assert_refused(ran, fragment)
    ran = invoke("hm-eval", RUN, tiny.directory)
    assert_refused(ran, "no module is imported just because a file", f"give --model {module}:Waves")


@pytest.mark.slow
def test_losses_of_terms_are_named_to_resume_a_run(
    tmp_path: Path, tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each by its term, as on the command line that began the run; nothing is imported before."""
    with user_module(FUNCTIONS, tmp_path, monkeypatch) as module:
        own = f"{module}:relative"
        first = ("--objective", f"field={own}", "--objective", "mse")
        trained(tiny, RUN, *first, *SHORT)
        recipe = json.loads((RUN / "recipe.json").read_text())["objective"]
        assert recipe["loss"] == {"kind": "mse"}
        assert recipe["terms"]["field"]["loss"] == {"kind": own}
        trained(tiny, RUN, "--resume", "--objective", f"field={own}")
        (tmp_path / f"{module}.py").write_text("raise SystemExit('this has been run')")
    refused = {
        (): f"got no --objective field= (run/recipe.json). If you trust that code, add "
        f"--objective field={own}.",
        ("mse",): "got no --objective field= (",
        (own,): f"must keep its recipe, --objective mse; got {own} (",
        ("field=mse",): f"must keep its recipe, --objective field={own}; got mse (",
        (f"field={own}", "potential=mse"): "without --objective potential=; got mse (",
    }
    for given, fragment in refused.items():
        options = [word for name in given for word in ("--objective", name)]
        assert_refused(invoke("hm-train", tiny.directory, RUN, "--resume", *options), fragment)


@pytest.mark.slow
def test_hm_eval_wants_the_class_of_the_file(tiny: Dataset, module: str) -> None:
    """Neither another class nor one for a shipped model."""
    small = settings("model.width=4", "model.depth=1", "model.hdepth=1")
    trained(tiny, RUN, *small, *SHORT)
    own = f"{module}:Waves"
    ran = invoke("hm-eval", RUN, tiny.directory, "--model", own)
    assert_refused(ran, own, "got one of hyper_layer (run/model.hm)", "give no class")
    ran = invoke("hm-eval", RUN, tiny.directory, "--model", f"{module}:Wave")
    assert_refused(ran, "got no 'Wave'", "(--model)", "Did you mean 'Waves'?")


def test_a_shipped_model_replaces_another(tiny: Dataset) -> None:
    """With its own defaults, before the overrides of its settings."""
    wrong = settings("model.hwith=1")
    ran = invoke("hm-train", tiny.directory, "absent", "--model", "hyper_mlp", *wrong)
    assert_refused(ran, "'model.hwith' must be a known key; got 1", "Did you mean 'hwidth'?")

"""Runs and model files that cannot be opened."""

import shutil

import jax.random as jr
import numpy as np
import pytest
from mending import hashed_model
from refused import refused
from user_modules import MODEL, user_module

from hypermagnetics import models
from hypermagnetics.errors import ModelFileError, RunError
from hypermagnetics.evaluate.subjects.arguments import sort_arguments
from hypermagnetics.evaluate.subjects.opening import model_subject, open_subjects
from hypermagnetics.models.inputs import ModelInputs, TrainedRange
from hypermagnetics.models.registry import build_model
from hypermagnetics.models.user import UserModelConfig, import_user_model


def mended(data, old, new):
    line, leaves = data.split(b"\n", 1)
    return hashed_model(line.replace(old, new), leaves)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-1], "bytes its first line promises"),
        (lambda data: mended(data, b'"version":2', b'"version":3'), "must be 1 or 2; got 3"),
        (lambda data: mended(data, b'"width":8', b'"width":9'), "must fit its settings"),
        (lambda data: data.replace(b'"width":8', b'"width":9'), "bytes of another sha256"),
        (lambda data: b"\x80\x04\x95", "must begin with a JSON line"),
        (lambda data: b"", "must begin with a JSON line"),
    ],
)
@pytest.mark.parametrize("kind", ["run", "file"])
def test_a_damaged_model_is_refused(tmp_path, trained_run, open_subject, kind, change, message):
    shutil.copytree(trained_run, tmp_path / "run")
    file = tmp_path / "run" / "model.hm"
    file.write_bytes(change(file.read_bytes()))
    with refused(ModelFileError, message, str(file)):
        open_subject(file.parent if kind == "run" else file)


def test_a_run_without_a_model_is_refused_before_others_are_read(tmp_path, tiny):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "recipe.json").write_text("{}")
    (tmp_path / "damaged.hm").touch()
    words = [str(tmp_path / "damaged.hm"), str(tmp_path / "run"), str(tiny.directory)]
    arguments = sort_arguments(words)
    with refused(RunError, "must have a model.hm", f"DATASET {tmp_path / 'run'} --resume"):
        open_subjects(arguments.subjects)


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A user's class, and a file of its model in the working directory."""
    with user_module(MODEL, tmp_path, monkeypatch) as module:
        monkeypatch.syspath_prepend(tmp_path)
        found = import_user_model(f"{module}:Waves", "--model")
        config = UserModelConfig(name=f"{module}:Waves", settings={"width": 3})
        model = build_model(config, ModelInputs(), jr.key(0), found)
        models.save_model(tmp_path / "own.hm", model, {})
        yield found


def test_models_of_users_stand_beside_shipped_ones(own, tiny, trained_run):
    words = ["own.hm", str(trained_run), str(tiny.directory)]
    subjects = open_subjects(sort_arguments(words).subjects, own)
    assert [subject.rank for subject in subjects] == [3, 8]


def test_the_class_of_a_user_is_given_and_used(own, tiny, trained_run):
    words = ["own.hm", str(tiny.directory)]
    with refused(ModelFileError, "no module is imported just because a file", ":Waves"):
        open_subjects(sort_arguments(words).subjects)
    words = [str(trained_run), str(tiny.directory)]
    with refused(ModelFileError, "got one of hyper_layer", "give no class"):
        open_subjects(sort_arguments(words).subjects, own)


def test_exact_pairs_are_counted_wherever_a_model_computes_some() -> None:
    """Outside of its training one without a near part does, unless it is told otherwise."""
    trained = TrainedRange(points=((-1.0, 1.0),) * 2, sources=((-1.0, 1.0),) * 4)
    inputs = ModelInputs(trained=trained)
    model = models.HyperMLP(4, 1, 0.5, 1, inputs=inputs, hyperkey=jr.key(0), mainkey=jr.key(1))
    count = model_subject(model, "run").exact_pairs
    assert count is not None
    tables = np.array([[[1.0, 0.0, 0.5, 0.5], [0.0, 1.0, 3.0, 0.0]]])
    points = np.array([[0.0, 0.0], [0.5, 0.0], [2.0, 0.0]])
    assert count(tables, points, 1) == 1 + 3
    for free in (
        model.with_outside("ignore"),
        models.HyperMLP(4, 1, 0.5, 1, hyperkey=jr.key(0), mainkey=jr.key(1)),
    ):
        assert model_subject(free, "run").exact_pairs is None

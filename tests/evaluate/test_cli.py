"""hm-eval as a user meets it."""

import json

import jax.random as jr
import pytest
from click.testing import CliRunner, Result

import hypermagnetics
from hypermagnetics.evaluate.cli import main
from hypermagnetics.models import HyperLayer, save_model


@pytest.fixture
def run(tmp_path):
    """The directory of a training whose model knows nothing."""
    directory = tmp_path / "run"
    directory.mkdir()
    keys = {"hyperkey": jr.key(0), "mainkey": jr.key(1)}
    save_model(directory / "model.hm", HyperLayer(8, 1, 1.0, 1, **keys), {})
    return directory


def _hm_eval(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_a_run_is_evaluated_on_the_test_splits(run, tiny):
    result = _hm_eval(run, tiny.directory)
    assert result.exit_code == 0, result.output
    assert "test-single  potential" in result.stdout
    assert "test-multi   field" in result.stdout
    assert "(K=8)" in result.stdout
    assert str(run / "eval" / "sample-test-multi.png") in result.stdout
    assert "29/29 samples" in result.stderr
    results = json.loads((run / "eval" / "results.json").read_text())
    assert list(results["splits"]) == ["test-single", "test-multi"]
    assert results["splits"]["test-multi"]["field"]["rank_floor"]["rank"] == 8


def test_split_and_out_are_chosen(run, tiny, tmp_path):
    result = _hm_eval(run, tiny.directory, "--split", "valid", "--out", tmp_path / "elsewhere")
    assert result.exit_code == 0, result.output
    results = json.loads((tmp_path / "elsewhere" / "results.json").read_text())
    assert list(results["splits"]) == ["valid"]
    assert not (run / "eval").exists()


@pytest.mark.parametrize(
    ("remove_model", "arguments", "message"),
    [
        (False, ("--split", "nowhere"), "must be one of train, valid, test-single, test-multi"),
        (True, (), "A run must have a model.hm"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_two(run, tiny, remove_model, arguments, message):
    if remove_model:
        (run / "model.hm").unlink()
    result = _hm_eval(run, tiny.directory, *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("hm-eval: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_directory_that_is_no_dataset_is_one_line(run, tmp_path):
    result = _hm_eval(run, tmp_path)
    assert result.exit_code == 2
    assert "must have a manifest.json" in result.stderr


def test_help_and_version():
    shown = _hm_eval("--help")
    assert shown.exit_code == 0
    assert "Example:  hm-eval RUN discs --split test-multi" in shown.stdout
    assert hypermagnetics.__version__ in _hm_eval("--version").stdout

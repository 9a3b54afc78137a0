"""hm-eval as a user meets it."""

import json
import re
from pathlib import Path

import jax.random as jr
import numpy as np
import pytest
from click.testing import CliRunner, Result
from program_runs import assert_refused, invoke

import hypermagnetics
from hypermagnetics.evaluate.cli import main
from hypermagnetics.models import HyperLayer, ModelInputs, save_model
from hypermagnetics.sources import SourceColumns

FUNCTIONS = """
import numpy as np

def zero(sources, points):
    shape = (len(sources), len(points))
    return np.zeros(shape), np.zeros((*shape, points.shape[1]))

def blind(sources, points):
    potential, field = zero(sources, points)
    return potential, np.full_like(field, np.nan)

def flat(sources, points):
    return np.zeros(len(points)), np.zeros((len(sources), *points.shape))
"""


@pytest.fixture
def run(tmp_path):
    """The directory of a training whose model knows nothing."""
    directory = tmp_path / "run"
    directory.mkdir()
    discs = ModelInputs(columns=SourceColumns.of("disc", constants={"radius": 1.0}))
    keys = {"hyperkey": jr.key(0), "mainkey": jr.key(1)}
    save_model(
        directory / "model.hm",
        HyperLayer(
            8,
            1,
            1.0,
            1,
            inputs=discs,
            **keys,
        ),
        {},
    )
    return directory


@pytest.fixture
def functions(tmp_path, monkeypatch):
    """The name of a module of functions, in the working directory."""
    name = f"functions_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(FUNCTIONS)
    monkeypatch.chdir(tmp_path)
    return name


def _hm_eval(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.slow
def test_a_run_is_evaluated_on_the_test_splits(run, tiny):
    result = _hm_eval(run, tiny.directory, "--metrics-only")
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert any(line.startswith("test_single potential run labels - 9 ") for line in lines)
    assert any(line.startswith("test_multi field run labels - 20 ") for line in lines)
    assert "29/29 samples" in result.stderr
    results = json.loads((run / "eval" / "results.json").read_text())
    assert all("by_sources" not in one for one in results["evaluations"])
    found = [one["split"] for one in results["evaluations"] if one["subject"] == "run"]
    assert found == ["test_single", "test_multi"]
    assert results["subjects"][0]["rank"] == 8


@pytest.mark.slow
def test_derivatives_by_the_sources_are_reported_if_asked_for(run, tiny, functions):
    """In a row and in results.json, and may be gated; of a function they are not known."""
    own = f"{functions}:zero"
    given = ("--split", "test_multi", "--by-sources", "position", "--metrics-only")
    gate = ("--gate", "test_multi.by_sources.median < 1e9")
    result = _hm_eval(run, own, tiny.directory, *given, *gate, "--out", "out")
    assert result.exit_code == 3, result.output
    assert "gate passed: test_multi.by_sources.median" in result.stderr
    assert f"{own} on data: nan" in result.stderr
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert sum(line.startswith("test_multi by sources") for line in lines) == 1
    assert '"by sources": derivatives of the potential by position_x, position_y,' in result.stdout
    read = json.loads(Path("out/results.json").read_text())
    found = {one["subject"]: one.get("by_sources") for one in read["evaluations"]}
    assert found[run.name]["columns"] == ["position_x", "position_y"]
    assert found[run.name]["by_num_sources"]["4"]["num_samples"] == 20
    assert found[own] is None
    assert any(note.startswith(f"{own} is no model of this package") for note in read["notes"])


def test_derivatives_by_unknown_columns_are_refused(run, tiny):
    ran = invoke("hm-eval", run, tiny.directory, "--by-sources", "positon")
    assert_refused(ran, "got 'positon' (--by-sources, split 'test_single' of ", "'position'?")


def test_split_and_out_are_chosen(run, tiny, tmp_path):
    out = tmp_path / "elsewhere"
    result = _hm_eval(run, tiny.directory, "--split", "valid", "--out", out, "--metrics-only")
    assert result.exit_code == 0, result.output
    results = json.loads((out / "results.json").read_text())
    assert [one["split"] for one in results["evaluations"]] == ["valid"]
    assert {path.name for path in out.iterdir()} == {"results.json", "samples.zarr"}
    assert not (run / "eval").exists()


@pytest.mark.slow
def test_several_subjects_are_evaluated_side_by_side_and_compared(run, tiny, functions):
    result = _hm_eval(run, f"{functions}:zero", tiny.directory, "--metrics-only")
    assert result.exit_code == 0, result.output
    assert "To compare them: hm-eval compare report" in result.stdout
    assert f"{functions}:zero" in result.stdout
    result = _hm_eval("compare", "report")
    assert result.exit_code == 0, result.output
    assert "test_multi, field: " in result.stdout
    read = json.loads(_hm_eval("compare", "report", "--format", "json").stdout)
    assert {row["second"] for row in read} == {f"{functions}:zero"}
    for output_format, mark in (("markdown", "--:"), ("latex", "toprule")):
        assert mark in _hm_eval("compare", "report", "--format", output_format).stdout


@pytest.mark.slow_cases
@pytest.mark.parametrize(
    ("output_format", "mark"), [("json", '"schema": 2'), ("markdown", "--:"), ("latex", "toprule")]
)
def test_formats_leave_stdout_to_the_results(run, tiny, output_format, mark):
    result = _hm_eval(run, tiny.directory, "--metrics-only", "--format", output_format)
    assert result.exit_code == 0, result.output
    assert mark in result.stdout
    assert "Wrote" not in result.stdout
    assert "Wrote" in result.stderr
    if output_format == "json":
        assert result.stdout == (run / "eval" / "results.json").read_text()


@pytest.mark.slow
def test_gates_pass_and_fail(run, tiny, functions):
    gates = ("--gate", "test_multi.potential.median < 1000", "--gate", "test_multi.field.p99 < 1e9")
    result = _hm_eval(run, tiny.directory, "--metrics-only", *gates)
    assert result.exit_code == 0, result.output
    assert result.stderr.count("gate passed") == 2
    gates = ("--gate", "test_single.field.median < 1e-9", *gates)
    result = _hm_eval(run, tiny.directory, "--metrics-only", *gates)
    assert result.exit_code == 3
    assert "gate FAILED: test_single.field.median < 1e-9: run on data: " in result.stderr
    assert (run / "eval" / "results.json").exists()


def test_predictions_that_are_not_finite_are_shown_and_fail_a_gate(tiny, functions):
    gate = ("--gate", "test_multi.field.median < 1e9")
    result = _hm_eval(f"{functions}:blind", tiny.directory, "--metrics-only", *gate)
    assert result.exit_code == 3
    assert "100 % of the predictions are not finite" in result.stderr
    assert f"By knowledge that is not stated, {functions}:blind has an error" in result.stdout
    assert "infinite in the field (medians, 4 sources, test_multi)" in result.stdout
    assert "; 100 % of its values are not finite." in result.stdout
    (row,) = (line for line in result.stdout.splitlines() if re.match("test_multi +field", line))
    assert row.split()[-1] == "100"
    assert "inf" in row


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        (("--split", "nowhere"), ("must be one of train, valid, test_single, test_multi",)),
        (("--gate", "median"), ("A gate must read SPLIT.QUANTITY", "got something else")),
        (("--gate", "valid.field.p90 < 1"), ("one of the evaluated splits", "got 'valid'")),
        (("--out", "taken"), ("must be a directory; got 'taken', which is a file",)),
        (("--model", "nowhere:Model"), ("nowhere", "--model")),
    ],
)
def test_mistakes_are_one_line_and_exit_code_two(
    run, tiny, arguments, fragments, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").touch()
    assert_refused(invoke("hm-eval", run, tiny.directory, *arguments), *fragments)
    assert not (run / "eval").exists()


def test_a_function_of_the_wrong_shape_is_one_line(tiny, functions):
    ran = invoke("hm-eval", f"{functions}:flat", tiny.directory, "--metrics-only")
    assert_refused(ran, f"{functions}:flat", "potential", "(8, 24)", "(24,)")


def test_a_directory_that_is_no_dataset_is_one_line(run, tmp_path):
    (tmp_path / "empty").mkdir()
    assert_refused(invoke("hm-eval", run, tmp_path / "empty"), "must have a manifest.json")


def test_an_output_that_cannot_be_written_is_one_line(run, tiny, tmp_path):
    (tmp_path / "file").touch()
    ran = invoke("hm-eval", run, tiny.directory, "--out", tmp_path / "file" / "below")
    assert_refused(ran, "must allow every read and write", "file/below")


@pytest.mark.slow
def test_a_split_of_one_sample_has_no_interval(run, make_dataset, tmp_path):
    one = "splits.test_multi={num_samples=1, num_sources=4}"
    dataset = make_dataset(tmp_path / "data", one)
    result = _hm_eval(run, dataset.directory, "--split", "test_multi")
    assert result.exit_code == 0, result.output
    (row,) = (line for line in result.stdout.splitlines() if "potential  run" in line)
    assert "undefined" in row
    assert any("field      rank floor, K=8" in line for line in result.stdout.splitlines())
    assert f"Next: look at {run / 'eval' / 'index.html'} in a browser." in result.stdout
    results = json.loads((run / "eval" / "results.json").read_text())
    assert results["evaluations"][0]["field"]["ci95"] is None


def test_truth_of_exactly_zero_is_counted(tiny, functions, monkeypatch):
    from hypermagnetics.data import Block, Split

    block = Split.block

    def silent(self: Split, index: int) -> Block:
        found = block(self, index)
        potential = found.potential.copy()
        potential[0] = 0
        return Block(found.sources, found.num_sources, found.grid, potential, found.field)

    monkeypatch.setattr(Split, "block", silent)
    result = _hm_eval(f"{functions}:zero", tiny.directory, "--metrics-only", "--format", "json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)["evaluations"][1]["potential"]
    assert found["zero_truth_points"] == 3 * 24  # one sample of each of three blocks
    assert found["median_relative_error"] == 1
    assert np.isfinite(found["global_relative_l2"])


def test_help_and_version():
    shown = _hm_eval("--help")
    assert shown.exit_code == 0
    assert "Example:  hm-eval run discs --split test_multi" in shown.stdout
    assert "hm-eval compare first/eval second/eval" in shown.stdout
    assert "paired bootstrap" in _hm_eval("compare", "--help").stdout
    assert hypermagnetics.__version__ in _hm_eval("--version").stdout

"""Files compared: what is read, refused and said."""

import json

import numpy as np
import pytest
from evaluate_records import evaluation, measured, results

from hypermagnetics.errors import HypermagneticsError
from hypermagnetics.evaluate.compare.files import read_contestants
from hypermagnetics.evaluate.compare.report import (
    compare_all,
    compared_json,
    compared_table,
    kind_lines,
    sentences,
)
from hypermagnetics.evaluate.measuring.sample_file import SampleFile, sample_table
from hypermagnetics.evaluate.results.json_file import to_json


def _write(directory, factors: dict[str, float], split: str = "test_multi", samples: int = 40):
    directory.mkdir()
    relative = np.random.default_rng(0).random((samples, 10))
    with SampleFile.open(directory) as file:
        for name, factor in factors.items():
            table = sample_table(measured(factor * relative))
            file.add("discs", split, name, table)
    found = results(*(evaluation(name, split, num_samples=samples) for name in factors))
    (directory / "results.json").write_text(to_json(found))
    return directory


def test_two_files_are_compared(tmp_path):
    first, second = _write(tmp_path / "a", {"run": 1.0}), _write(tmp_path / "b", {"run": 0.5})
    rows = compare_all(read_contestants((first / "results.json", second)))
    assert len(rows) == 6
    assert rows[0].second == f"run ({second})"
    assert rows[0].comparison.ratio == pytest.approx(0.5, rel=1e-5)
    assert f"run ({second}) is better than run ({first}), its error 2 times" in sentences(rows)[0]
    read = json.loads(compared_json(rows))
    assert read[0]["verdict"] == "second"
    assert (read[0]["first"], read[0]["second"]) == (rows[0].first, rows[0].second)
    assert read[0]["ratio_ci95"] == pytest.approx([0.5, 0.5], rel=1e-5)
    assert len(compared_table(rows).rows) == 6


def test_runs_of_one_file_are_compared_with_the_first(tmp_path):
    path = _write(tmp_path / "a", {"one": 1.0, "two": 3.0, "three": 1.0})
    rows = compare_all(read_contestants((path,)))
    assert [(row.first, row.second) for row in rows[::6]] == [("one", "two"), ("one", "three")]
    assert "one is better than two, its error 3 times smaller" in sentences(rows)[0]
    assert "the same error" in sentences(rows)[2]


def test_models_that_know_different_things_are_not_called_alike(tmp_path):
    path = _write(tmp_path / "a", {"net": 1.0, "split": 0.5, "split, learned part": 0.7})
    table = json.loads((path / "results.json").read_text())
    net, split, part = table["subjects"]
    net["knowledge"], split["knowledge"] = "labels", "kernel"
    part |= {"knowledge": "kernel", "kind": "baseline", "learned_part_of": "split"}
    (path / "results.json").write_text(json.dumps(table))
    rows = compare_all(read_contestants((path,)))
    assert {row.second for row in rows} == {"split"}
    assert kind_lines(rows) == ["Not like with like: net knows labels, split knows kernel."]
    assert json.loads(compared_json(rows))[0]["second_knows"] == "kernel"
    del net["knowledge"]  # as in files of earlier releases
    (path / "results.json").write_text(json.dumps(table))
    assert kind_lines(compare_all(read_contestants((path,)))) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such file"),
        ("{", "must be JSON; got invalid JSON: EOF while parsing"),
        ("[]", r"must be an object; got \[\]"),
        ("{}", "'schema' must be given; got nothing"),
        ('{"schema": "2"}', "'schema' must be a valid integer; got '2'"),
        ('{"schema": 1}', "must be of schema 2; got schema 1"),
        ('{"schema": 3}', "must be of schema 2; got schema 3"),
        ('{"schema": 2}', "'subjects' must be given; got nothing"),
    ],
)
def test_what_is_no_results_file_is_refused(tmp_path, text, message):
    if text is not None:
        (tmp_path / "results.json").write_text(text)
    with pytest.raises(HypermagneticsError, match=message):
        read_contestants((tmp_path / "results.json",))


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "results.json").write_bytes(b"\xff\xfe")
    with pytest.raises(HypermagneticsError, match="got bytes, not text"):
        read_contestants((tmp_path,))


def test_other_samples_are_refused(tmp_path):
    first = _write(tmp_path / "a", {"run": 1.0})
    other = _write(tmp_path / "b", {"run": 1.0}, split="valid")
    with pytest.raises(HypermagneticsError, match=r"got discs/test_multi for .* discs/valid for"):
        compare_all(read_contestants((first, other)))
    fewer = _write(tmp_path / "c", {"run": 1.0}, samples=39)
    with pytest.raises(HypermagneticsError, match=r"got 40 samples of .*test_multi.* and 39 for"):
        compare_all(read_contestants((first, fewer)))


def test_one_subject_is_not_enough(tmp_path):
    with pytest.raises(HypermagneticsError, match=r"got 1 \(run\)"):
        compare_all(read_contestants((_write(tmp_path / "a", {"run": 1.0}),)))


def test_per_sample_values_that_are_gone_are_refused(tmp_path):
    first, second = (_write(tmp_path / name, {"run": 1.0}) for name in "ab")
    (second / "samples.zarr").rename(second / "elsewhere")
    with pytest.raises(HypermagneticsError, match="must find the per-sample values"):
        compare_all(read_contestants((first, second)))

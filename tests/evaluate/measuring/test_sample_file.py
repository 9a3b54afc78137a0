"""Per-sample values, written and read again."""

import json
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import xarray
from evaluate_records import measured
from hypothesis import given
from hypothesis import strategies as st

from hypermagnetics.errors import HypermagneticsError
from hypermagnetics.evaluate.measuring.sample_file import (
    SampleFile,
    group_name,
    read_sample_table,
    sample_table,
)
from hypermagnetics.run_files import SAMPLES_NAME


@pytest.fixture
def table():
    """Of five samples; the last has no relative error anywhere."""
    relative = np.random.default_rng(0).random((5, 9))
    relative[1, 2] = np.inf
    relative[4] = np.nan
    return sample_table(measured(relative))


def test_values_of_samples_are_those_of_their_points(table):
    relative = np.random.default_rng(0).random((5, 9))
    found = table.potential
    assert found.median_relative_error[0] == pytest.approx(np.median(relative[0]), rel=1e-6)
    assert found.p90_relative_error[2] == pytest.approx(np.quantile(relative[2], 0.9), rel=1e-6)
    assert found.relative_l2[3] == pytest.approx(np.sqrt(np.mean(relative[3] ** 2)), rel=1e-6)
    assert np.isinf(found.relative_l2[1])
    assert np.isnan(found.median_relative_error[4])


def test_what_was_written_is_read_again(table, tmp_path):
    with SampleFile.open(tmp_path) as file:
        file.add("discs", "test", "runs/first", table)
        file.add("discs", "test", "second", table)
    path = tmp_path / SAMPLES_NAME
    again = read_sample_table(path, "discs", "test", "runs/first", 5)
    np.testing.assert_array_equal(again.num_sources, table.num_sources)
    np.testing.assert_array_equal(again.field.relative_l2, table.field.relative_l2)
    with pytest.raises(HypermagneticsError, match="third"):
        read_sample_table(path, "discs", "test", "third", 5)


def test_xarray_reads_a_labelled_dataset(table, tmp_path):
    with SampleFile.open(tmp_path) as file:
        file.add("discs", "test", "run", table)
    path, group = tmp_path / SAMPLES_NAME, "discs/test/run"
    found = xarray.open_zarr(path, group=group, consolidated=False)
    assert found["field_relative_l2"].dims == ("sample",)
    assert "field" in found["field_relative_l2"].attrs["long_name"]
    assert found["potential_squared_error"].attrs["units"] == "(A)^2"
    assert found.attrs["subject"] == "run"


def test_an_older_file_is_replaced_whole(table, tmp_path):
    for subject in ("old", "new"):
        with SampleFile.open(tmp_path) as file:
            file.add("discs", "test", subject, table)
    with pytest.raises(HypermagneticsError):
        read_sample_table(tmp_path / SAMPLES_NAME, "discs", "test", "old", 5)
    assert [entry.name for entry in tmp_path.iterdir()] == [SAMPLES_NAME]


def _fail_in_the_middle(directory, table) -> None:
    with SampleFile.open(directory) as file:
        file.add("discs", "test", "new", table)
        raise RuntimeError("a prediction failed")


def test_a_failure_leaves_the_older_file(table, tmp_path):
    with SampleFile.open(tmp_path) as file:
        file.add("discs", "test", "old", table)
    with pytest.raises(RuntimeError, match="a prediction failed"):
        _fail_in_the_middle(tmp_path, table)
    assert read_sample_table(tmp_path / SAMPLES_NAME, "discs", "test", "old", 5)
    assert [entry.name for entry in tmp_path.iterdir()] == [SAMPLES_NAME]


@given(st.text(min_size=1, max_size=8), st.text(min_size=1, max_size=8))
def test_different_names_stay_different(one, other):
    assert (group_name(one) == group_name(other)) == (one == other)
    assert "/" not in group_name(one)
    assert group_name(one).strip(".")


def _array(directory, name="field_nonfinite_points"):
    return directory / SAMPLES_NAME / "discs" / "test" / "run" / name


def _write(directory, table):
    with SampleFile.open(directory) as file:
        file.add("discs", "test", "run", table)
    return directory / SAMPLES_NAME


def _edit(path, edit) -> None:
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def test_a_chunk_that_is_lost_does_not_read_as_zeros(table, tmp_path):
    """Nor are chunks of zeros left out; earlier files, which say nothing of it, lack them."""
    table = replace(table, field=replace(table.field, nonfinite_points=np.zeros(5, np.int64)))
    path, chunk = _write(tmp_path, table), _array(tmp_path) / "c" / "0"
    assert chunk.stat().st_size == 40
    chunk.unlink()
    with pytest.raises(HypermagneticsError, match="got ValueError: no chunk of field_nonfinite"):
        read_sample_table(path, "discs", "test", "run", 5)
    _edit(path / "zarr.json", lambda content: content["attributes"].pop("every_chunk"))
    again = read_sample_table(path, "discs", "test", "run", 5)
    np.testing.assert_array_equal(again.field.nonfinite_points, np.zeros(5))
    (_array(tmp_path, "num_sources") / "c" / "0").unlink()
    with pytest.raises(HypermagneticsError, match="no chunk of num_sources"):
        read_sample_table(path, "discs", "test", "run", 5)


def _long(content) -> None:
    content["shape"] = content["chunk_grid"]["configuration"]["chunk_shape"] = [1 << 25]


HOSTILE = {
    "shape": (_long, r"with shape \[33554432\], not \[5\]"),
    "chunks": (
        lambda content: content["chunk_grid"]["configuration"].update(chunk_shape=[1 << 40]),
        "with chunk_grid",
    ),
    "codec": (
        lambda content: content["codecs"].append({"name": "zstd", "configuration": {}}),
        "with codecs",
    ),
    "type": (lambda content: content.update(data_type="string"), "of type string"),
    "size": (lambda content: content.update(data_type="int32"), "at most 20 bytes; got 40"),
    "many values": (
        lambda content: content["attributes"].update(a=[[]] * 2000),
        "must hold at most 1024 values",
    ),
    "long": (lambda content: content["attributes"].update(a=" " * (1 << 16)), "at most 65536 b"),
    "no shape": (lambda content: content.update(shape=None), "with shape None"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_arrays_are_judged_before_they_are_read(table, tmp_path, case):
    """By the number of samples in results.json, in little memory."""
    edit, said = HOSTILE[case]
    path = _write(tmp_path, table)
    _edit(_array(tmp_path) / "zarr.json", edit)
    tracemalloc.start()
    try:
        with pytest.raises(HypermagneticsError, match=said):
            read_sample_table(path, "discs", "test", "run", 5)
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()

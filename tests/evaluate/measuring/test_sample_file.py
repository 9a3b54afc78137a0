"""Per-sample values, written and read again."""

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
    again = read_sample_table(path, "discs", "test", "runs/first")
    np.testing.assert_array_equal(again.num_sources, table.num_sources)
    np.testing.assert_array_equal(again.field.relative_l2, table.field.relative_l2)
    with pytest.raises(HypermagneticsError, match="third"):
        read_sample_table(path, "discs", "test", "third")


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
        read_sample_table(tmp_path / SAMPLES_NAME, "discs", "test", "old")
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
    assert read_sample_table(tmp_path / SAMPLES_NAME, "discs", "test", "old")
    assert [entry.name for entry in tmp_path.iterdir()] == [SAMPLES_NAME]


@given(st.text(min_size=1, max_size=8), st.text(min_size=1, max_size=8))
def test_different_names_stay_different(one, other):
    assert (group_name(one) == group_name(other)) == (one == other)
    assert "/" not in group_name(one)
    assert group_name(one).strip(".")

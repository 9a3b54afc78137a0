"""Datasets whose manifest agrees with files that are wrong, or with sizes that cannot be."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mending import Edit, change_values, edit_manifest
from work_limits import few_lines

from hypermagnetics.data import Dataset, SplitLayout, verify_split
from hypermagnetics.errors import DatasetError

ABSURD = 2**40
LINES = 10_000
"""More than opening a dataset of few files takes, whatever its manifest says."""


def put(*place: int | slice, value: float) -> Edit:
    """An edit that sets some values."""
    return lambda values: values.__setitem__(place, value)


BAD_PADDING: dict[str, tuple[tuple[tuple[str, Edit], ...], str]] = {
    "none": ((("num_sources", put(5, value=0)),), r"num_sources must be 1 to 4; got 0"),
    "negative": ((("num_sources", put(5, value=-1)),), r"num_sources must be 1 to 4; got -1"),
    "too many": ((("num_sources", put(0, value=5)),), r"num_sources must be 1 to 4; got 5"),
    "rows in use": ((("num_sources", put(5, value=2)),), r"num_sources must be zero; got -?\d"),
    "one value": (
        (
            ("num_sources", put(5, value=2)),
            ("sources", put(5, slice(2, None), value=0.0)),
            ("sources", put(5, 3, 1, value=0.25)),
        ),
        r"num_sources must be zero; got 0\.25",
    ),
    "not a number": (
        (
            ("num_sources", put(5, value=2)),
            ("sources", put(5, slice(2, None), value=0.0)),
            ("sources", put(5, 2, 0, value=np.nan)),
        ),
        r"must be (zero|finite); got nan",
    ),
}


@pytest.fixture(params=["zarr", "hdf5"])
def copy(tmp_path: Path, tiny: Dataset, tiny_hdf5: Dataset, request: pytest.FixtureRequest) -> Path:
    """A copy of the tiny dataset that may be changed."""
    source = tiny if request.param == "zarr" else tiny_hdf5
    return Path(shutil.copytree(source.directory, tmp_path / "data"))


@pytest.mark.parametrize("case", BAD_PADDING)
def test_bad_padding_is_seen_when_verified(copy: Path, case: str) -> None:
    """Although every byte has the sha256 of the manifest."""
    edits, message = BAD_PADDING[case]
    for array, edit in edits:
        change_values(copy, "test_multi", array, edit)
    with pytest.raises(DatasetError, match=message):
        verify_split(Dataset.open(copy).split("test_multi"))


def test_good_padding_passes(copy: Path) -> None:
    """Samples of one split may have different numbers of sources."""
    change_values(copy, "test_multi", "num_sources", put(slice(3, 5), value=2))
    change_values(copy, "test_multi", "sources", put(slice(3, 5), slice(2, None), value=0.0))
    split = Dataset.open(copy).split("test_multi")
    verify_split(split)
    assert list(split.block(0).num_sources) == [4, 4, 4, 2, 2, 4, 4, 4]


def resize(manifest: Any, **sizes: int) -> None:
    """Give the training split other sizes, with the shapes that follow from them."""
    entry = manifest["splits"]["train"]
    entry["layout"].update(sizes)
    # Not validated, as the sizes may be what is refused.
    for spec in SplitLayout.model_construct(**entry["layout"]).arrays():
        entry["arrays"][spec.name]["shape"] = list(spec.shape)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"num_samples": ABSURD, "samples_per_shard": 8}, "files of a manifest must follow"),
        (
            {"num_samples": ABSURD, "samples_per_shard": 8, "num_points": 2**32},
            "blocks of at most 1073741824 bytes",
        ),
        (
            {"num_samples": ABSURD, "samples_per_shard": 8, "samples_per_grid": 1},
            "files of a manifest must follow",
        ),
    ],
    ids=str,
)
def test_absurd_sizes_are_refused_at_once(copy: Path, sizes: dict[str, int], message: str) -> None:
    """Consistent as they may be: the files could never hold them, or the memory a block."""
    edit_manifest(copy, lambda manifest: resize(manifest, **sizes))
    with few_lines(LINES), pytest.raises(DatasetError, match=message):
        Dataset.open(copy)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda manifest: manifest["columns"].append("radius"), "a name and a unit for each"),
        (lambda manifest: manifest["column_units"].pop(), "a name and a unit for each"),
    ],
    ids=["columns", "units"],
)
def test_columns_must_be_those_of_the_splits(
    copy: Path, edit: Callable[[Any], None], message: str
) -> None:
    """A row would otherwise be read wrongly."""
    edit_manifest(copy, edit)
    with pytest.raises(DatasetError, match=message):
        Dataset.open(copy)

"""Nobody reads wrong bytes without being told: the library's side of it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import mending
import numpy as np
import pytest
from recording import Recording

from hypermagnetics.data import Dataset, verify_split
from hypermagnetics.data.verify import find_problems
from hypermagnetics.errors import DatasetError

Damage = Callable[[Path], None]


def edit_manifest(directory: Path, *keys: str | int, value: object) -> None:
    """Set one value of the manifest, and mend the list of checksums."""

    def put(manifest: Any) -> None:
        inner = manifest
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = value

    mending.edit_manifest(directory, put)


def flip_bit(path: Path, offset: int = -9) -> None:
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(bytes(content))


def link_away(path: Path) -> None:
    """Replace a file by a link to a copy outside the dataset."""
    outside = path.parents[5] / "outside"
    path.rename(outside)
    path.symlink_to(outside)


def chunk(directory: Path, array: str = "potential") -> Path:
    """The first shard of an array of the training split."""
    return next(
        path for path in (directory / "train.zarr" / array / "c" / "0").rglob("0") if path.is_file()
    )


WHEN_OPENED: dict[str, tuple[Damage, str]] = {
    "no manifest": (lambda d: (d / "manifest.json").unlink(), "must have a manifest.json"),
    "garbage": (lambda d: (d / "manifest.json").write_text("{"), "must be JSON"),
    "deep nesting": (lambda d: (d / "manifest.json").write_text("[" * 99_999), "must be JSON"),
    "version": (
        lambda d: edit_manifest(d, "format_version", value=3),
        "version of a dataset must be 1 or 2; got 3",
    ),
    "unknown key": (lambda d: edit_manifest(d, "run", value="rm"), "'run' must be a known"),
    "path upwards": (
        lambda d: edit_manifest(d, "files", 3, 0, value="../../etc/passwd"),
        "relative path without",
    ),
    "absolute path": (
        lambda d: edit_manifest(d, "files", 3, 0, value="/etc/passwd"),
        "relative path without",
    ),
    "absurd size": (
        lambda d: edit_manifest(d, "splits", "train", "layout", "num_samples", value=10**18),
        "less than or equal to",
    ),
    "another shape": (
        lambda d: edit_manifest(d, "splits", "train", "layout", "num_points", value=25),
        "follows from the layout",
    ),
    "missing file": (lambda d: chunk(d).unlink(), "must exist; got no file"),
    "cut off": (lambda d: chunk(d).write_bytes(chunk(d).read_bytes()[:-1]), "must have .* bytes"),
    "empty": (lambda d: chunk(d).write_bytes(b""), "bytes; got 0"),
    "link": (lambda d: link_away(chunk(d)), "plain file inside it"),
}
WHEN_READ: dict[str, tuple[Damage, str]] = {
    "zarr v2": (
        lambda d: replace_same_size(d / "train.zarr/field/zarr.json", '"zarr_format": 3', 2),
        "'zarr_format' must be 3; got 2",
    ),
    "codec": (
        lambda d: swap(d / "train.zarr/field/zarr.json", '"little"', '"bigger"'),
        "'codecs' must be",
    ),
    "index": (lambda d: flip_bit(chunk(d)), "another index"),
}
WHEN_VERIFIED: dict[str, tuple[Damage, str]] = {
    "one bit of a value": (lambda d: flip_bit(chunk(d), 5), "must have sha256"),
    "one bit of the attributes": (
        lambda d: swap(d / "train.zarr/grid/zarr.json", '"m"', '"n"'),
        "must have sha256",
    ),
}


def swap(path: Path, old: str, new: str) -> None:
    """Replace text by text of the same length."""
    text = path.read_text()
    assert old in text
    assert len(old) == len(new)
    path.write_text(text.replace(old, new))


def replace_same_size(path: Path, old: str, digit: int) -> None:
    """Replace the last character of `old` by a digit."""
    swap(path, old, f"{old[:-1]}{digit}")


@pytest.fixture
def copy(tmp_path: Path, tiny: Dataset) -> Path:
    """A copy of the tiny dataset that may be damaged."""
    return Path(shutil.copytree(tiny.directory, tmp_path / "a" / "data"))


@pytest.mark.parametrize(("damage", "message"), WHEN_OPENED.values(), ids=WHEN_OPENED)
def test_damage_is_seen_when_opened(copy: Path, damage: Damage, message: str) -> None:
    """Sizes, names and versions are looked at always."""
    damage(copy)
    with pytest.raises(DatasetError, match=message):
        Dataset.open(copy)


@pytest.mark.parametrize(("damage", "message"), WHEN_READ.values(), ids=WHEN_READ)
def test_damage_is_seen_when_read(copy: Path, damage: Damage, message: str) -> None:
    """Metadata and indices must say what the manifest says."""
    damage(copy)
    with pytest.raises(DatasetError, match=message):
        Dataset.open(copy).split("train").block(0)


@pytest.mark.parametrize(("damage", "message"), WHEN_VERIFIED.values(), ids=WHEN_VERIFIED)
def test_damage_is_seen_when_verified(copy: Path, damage: Damage, message: str) -> None:
    """Any other change shows in the sha256."""
    damage(copy)
    with pytest.raises(DatasetError, match=message):
        verify_split(Dataset.open(copy).split("train"))


@pytest.mark.slow
def test_an_undamaged_dataset_passes(tiny: Dataset, tiny_hdf5: Dataset) -> None:
    """And every byte of every split is counted."""
    for dataset in (tiny, tiny_hdf5):
        checked = Recording()
        for name in dataset.splits:
            verify_split(dataset.split(name), checked)
        assert checked.total == sum(entry.bytes for entry in dataset.manifest.files)


def test_units_of_columns_are_those_of_this_release(copy: Path) -> None:
    """Programs would take millimetres for metres; hm-data verify lists it."""
    units = ["A m", "A m", "mm", "mm"]
    edit_manifest(copy, "column_units", value=units)
    dataset = Dataset.open(copy)
    with pytest.raises(DatasetError, match=r"must be A m, A m, m, m; got A m, A m, mm, mm"):
        _ = dataset.columns
    (problem,) = find_problems(Dataset.unchecked(copy))
    assert "The units of the columns" in str(problem)


@pytest.mark.parametrize("kind", ["external link", "external storage", "chunked", "object"])
def test_hdf5_that_reads_elsewhere_is_refused(
    tmp_path: Path, tiny_hdf5: Dataset, kind: str
) -> None:
    """A shard holds its values itself, contiguous; nothing else is followed or decoded."""
    copy = Path(shutil.copytree(tiny_hdf5.directory, tmp_path / "data"))
    path = copy / "train" / "shard-00000.h5"
    with h5py.File(path, "r+") as file:
        values = file["potential"][:]
        del file["potential"]
        if kind == "external link":
            file["potential"] = h5py.ExternalLink("other.h5", "potential")
        elif kind == "external storage":
            file.create_dataset("potential", values.shape, "<f4", external=[("other.raw", 0, 9**6)])
        elif kind == "chunked":
            file.create_dataset("potential", data=values, chunks=(1, values.shape[1]))
        else:
            file.create_dataset("potential", values.shape, h5py.string_dtype())
    index = [entry.path for entry in Dataset.open(tiny_hdf5.directory).manifest.files].index(
        "train/shard-00000.h5"
    )
    edit_manifest(copy, "files", index, 4, value=path.stat().st_size)
    with pytest.raises(DatasetError, match=r"must (hold the dataset|lie contiguous|be float32)"):
        Dataset.open(copy).split("train").block(0)
    assert not list(tmp_path.rglob("other*"))


def test_an_unknown_split_lists_the_known_ones(tiny: Dataset) -> None:
    """With the nearest name."""
    with pytest.raises(DatasetError, match=r"one of train, valid, .*Did you mean 'test_multi'"):
        tiny.split("test-mult")


def test_a_view_cannot_be_written(tiny: Dataset) -> None:
    """A finished dataset is never modified."""
    with pytest.raises(ValueError, match="read-only"):
        tiny.split("train").block(0).potential[0, 0] = np.float32(1)

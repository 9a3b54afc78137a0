"""A dataset that a reader would refuse is never called written."""

import io
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest
from program_runs import ONE_SPLIT_RECIPE, Ran, assert_refused, contents, invoke, one_split
from refused import refused
from team_files import old_file

from hypermagnetics.data import Compression, Dataset, StorageFormat, in_directory
from hypermagnetics.errors import DatasetError

Spoil = Callable[[bytes], bytes]
READ_BACK = "A written dataset must read back unchanged"
LAST_SHARD: dict[StorageFormat, str] = {
    "zarr": "train.zarr/field/c/11/0/0",
    "hdf5": "train/shard-00011.h5",
}


def flipped(place: int) -> Spoil:
    """Another byte at one place; the size stays."""
    return lambda old: old[:place] + bytes([old[place] ^ 1]) + old[place:][1:]


def other_values(old: bytes) -> bytes:
    """An HDF5 file whose last values are others."""
    with h5py.File(io.BytesIO(old), "r") as file:
        return flipped(file["field"].id.get_offset() + file["field"].nbytes - 1)(old)


def spoil_before_the_end(
    monkeypatch: pytest.MonkeyPatch, out: Path, name: str, spoil: Spoil
) -> None:
    """Change a file of a dataset when all shards are written, and nothing is complete."""
    real = in_directory.sync_directories

    def sync(root: Path) -> None:
        file = out / name
        file.write_bytes(spoil(file.read_bytes()))
        real(root)

    monkeypatch.setattr(in_directory, "sync_directories", sync)


def assert_unfinished(ran: Ran, out: Path, *said: str) -> None:
    """One line, nothing announced, and no reader takes what is there for a dataset."""
    assert_refused(ran, READ_BACK, str(out), *said)
    assert (out / "journal.lock").exists()
    with refused(DatasetError, "must have a manifest.json"):
        Dataset.open(out)


def generation(out: Path, storage_format: StorageFormat) -> Ran:
    """The dataset of `one_split`, made anew in this process."""
    return invoke("hm-generate", *ONE_SPLIT_RECIPE, out, "--format", storage_format)


@pytest.mark.slow_cases
@pytest.mark.parametrize(
    ("storage_format", "name", "spoil", "said"),
    [
        ("zarr", LAST_SHARD["zarr"], flipped(-1), "rule Z2"),
        ("zarr", LAST_SHARD["zarr"], flipped(0), "read back with the written values"),
        ("zarr", LAST_SHARD["zarr"], lambda old: old[:-1], "rule D4"),
        ("zarr", "train.zarr/grid/zarr.json", lambda old: old.replace(b"NaN", b"0.0"), "rule Z1"),
        ("hdf5", LAST_SHARD["hdf5"], flipped(0), "rule H1"),
        ("hdf5", LAST_SHARD["hdf5"], other_values, "read back with the written values"),
    ],
    ids=["index", "values", "size", "metadata", "HDF5", "values in HDF5"],
)
def test_a_spoilt_file_is_found_before_wrote_is_said(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    storage_format: StorageFormat,
    name: str,
    spoil: Spoil,
    said: str,
) -> None:
    """Whatever the reader checks at opening or mapping, and the values of the last block."""
    spoil_before_the_end(monkeypatch, tmp_path / "out", name, spoil)
    assert_unfinished(generation(tmp_path / "out", storage_format), tmp_path / "out", said)


@pytest.mark.slow_cases
@pytest.mark.parametrize("storage_format", LAST_SHARD)
@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_a_conversion_is_read_back(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    storage_format: StorageFormat,
    compression: Compression,
) -> None:
    """In each form."""
    source, out, name = one_split("zarr"), tmp_path / "out", LAST_SHARD[storage_format]
    spoil_before_the_end(monkeypatch, out, name, lambda old: b"\0" * len(old))
    options = ("--format", storage_format, "--compress", compression)
    ran = invoke("hm-data", "convert", source, out, *options)
    assert_unfinished(ran, out, name)


def test_an_import_is_read_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As a conversion is."""
    out, file = tmp_path / "out", old_file().write(tmp_path / "old.h5")
    spoil_before_the_end(monkeypatch, out, "points.zarr/zarr.json", lambda old: b"{}")
    ran = invoke("hm-data", "import", file, out, "--length-unit", "m", "--field-unit", "A/m")
    assert_unfinished(ran, out, "rule Z1")


def test_mended_metadata_complete_a_dataset(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As with another version of zarr, which writes them; the shards are not made again."""
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        spoil_before_the_end(patch, out, "train.zarr/zarr.json", lambda old: b"{}")
        assert_unfinished(generation(out, "zarr"), out, "rule Z1")
    ran = generation(out, "zarr")
    assert ran.code == 0
    assert "0 samples/s" in ran.stdout
    assert contents(out) == contents(one_split("zarr"))

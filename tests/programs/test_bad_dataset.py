"""Datasets that are damaged or hostile, through hm-train and hm-eval."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pytest
from mending import change_values, edit_manifest, mend_manifest
from program_runs import (
    FORMATS,
    TRAINING_RECIPE,
    assert_refused,
    copy_of,
    finished_dataset,
    finished_run,
    invoke,
    run_program,
    settings,
    snapshot,
)

from hypermagnetics.data import StorageFormat

POTENTIAL = {"zarr": "{split}.zarr/potential/c/1/0", "hdf5": "{split}/shard-00001.h5"}
"""The file with the potentials of samples 8 to 15."""


class Damage(NamedTuple):
    """What is done to a dataset, and what the message must say."""

    apply: Callable[[Path, Path], None]
    """Function of the dataset and of the file with some potentials of the split "train"."""
    fragments: tuple[str, ...]


def flip_a_bit(_: Path, file: Path) -> None:
    """Change one bit in the middle of the values."""
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def cut(_: Path, file: Path) -> None:
    """Keep half of a file."""
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def link(directory: Path, file: Path) -> None:
    """Replace a file by a link to an equal one outside."""
    file.symlink_to(file.rename(directory.parent / "elsewhere"))


def edited(edit: Callable[[Any], object]) -> Callable[[Path, Path], None]:
    """A damage of the manifest alone."""
    return lambda directory, file: edit_manifest(directory, edit)


def put_nan(directory: Path, file: Path) -> None:
    """Make the first potential of sample 8 NaN, and the manifest agree with it."""
    if file.suffix == ".h5":
        with h5py.File(file, "r+") as opened:
            opened["potential"][0, 0] = np.nan
    else:
        with file.open("r+b") as opened:
            opened.write(np.float32(np.nan).tobytes())
    mend_manifest(directory, file)


def climb(manifest: Any) -> None:
    """Name a file outside."""
    manifest["files"][0][0] = "../secret"


def change_version(manifest: Any) -> None:
    """A format of the future."""
    manifest["format_version"] = 3


def drop_a_statistic(manifest: Any) -> None:
    """The field has two components, so it has two means."""
    manifest["splits"]["train"]["arrays"]["field"]["statistics"]["mean"] = [0.0]


def claim_zeros(manifest: Any) -> None:
    """As if every moment had been too small for float32."""
    arrays = manifest["splits"]["train"]["arrays"]
    arrays["potential"]["statistics"].update(mean=[0.0], std=[0.0])


def forget_the_files(manifest: Any) -> None:
    """No file at all."""
    manifest["files"] = []


def values_changed(array: str, *place: int, value: float) -> Callable[[Path, Path], None]:
    """A damage of one value of the split of a file, of which the manifest knows."""

    def apply(directory: Path, file: Path) -> None:
        split = file.relative_to(directory).parts[0].removesuffix(".zarr")
        change_values(directory, split, array, lambda values: values.__setitem__(place, value))

    return apply


DAMAGES = {
    "no manifest": Damage(
        lambda directory, file: (directory / "manifest.json").unlink(),
        ("must have a manifest.json", "give its command again to complete it"),
    ),
    "one bit": Damage(flip_a_bit, ("{file} must have sha256 ", "copy it from")),
    "cut off": Damage(cut, ("{file} must have ", " bytes; got ", "copy it from")),
    "missing": Damage(lambda directory, file: file.unlink(), ("got no file {file} (",)),
    "link": Damage(link, ("must be a plain file", "{file}")),
    "NaN": Damage(put_nan, ("potential must be finite; got nan", "'train', block 1", "sample 8")),
    "no source": Damage(
        values_changed("num_sources", 3, value=0), ("num_sources must be 1 to ", "; got 0 (split ")
    ),
    "too many sources": Damage(
        values_changed("num_sources", 3, value=9), ("num_sources must be 1 to ", "; got 9 (split ")
    ),
    "version": Damage(
        edited(change_version), ("format version", "must be 1 or 2; got 3", "release")
    ),
    "path": Damage(edited(climb), ("files.0.path", "without '..'; got '../secret'")),
    "statistics": Damage(edited(drop_a_statistic), ("manifest", "field")),
    "zeros": Damage(edited(claim_zeros), ("potential", "got zeros only", "'train'")),
    "no files": Damage(edited(forget_the_files), ("files of a manifest must follow",)),
    "garbage": Damage(
        lambda directory, file: (directory / "manifest.json").write_text('{"format_version": 1,'),
        ("The manifest must be JSON; got invalid JSON: ", "manifest.json"),
    ),
    "bytes": Damage(
        lambda directory, file: (directory / "manifest.json").write_bytes(b"\x89HDF\xff"),
        ("The manifest must be JSON; got invalid JSON: ", "manifest.json"),
    ),
}


@pytest.mark.slow_cases
@pytest.mark.parametrize("storage_format", FORMATS)
@pytest.mark.parametrize("case", DAMAGES)
def test_hm_train_refuses_a_damaged_dataset(
    tmp_path: Path, storage_format: StorageFormat, case: str
) -> None:
    """The message names the file; the dataset stays as it is, and no run begins."""
    dataset = copy_of(finished_dataset(storage_format), tmp_path / "data")
    file = POTENTIAL[storage_format].format(split="train")
    DAMAGES[case].apply(dataset, dataset / file)
    before = snapshot(dataset)
    ran = invoke("hm-train", dataset, tmp_path / "run", *TRAINING_RECIPE)
    assert_refused(ran, *(text.format(file=file) for text in DAMAGES[case].fragments))
    assert str(dataset) in ran.stderr
    assert snapshot(dataset) == before
    # So that the same command works once the dataset is mended.
    assert not (tmp_path / "run" / "recipe.json").exists()


def test_hm_eval_refuses_padding_that_is_not_zero(tmp_path: Path) -> None:
    """Nobody knows whether it is a source."""
    dataset = copy_of(finished_dataset("zarr"), tmp_path / "data")
    file = dataset / POTENTIAL["zarr"].format(split="test_multi")
    values_changed("num_sources", 3, value=2)(dataset, file)
    options = ("--split", "test_multi", "--out", tmp_path / "report")
    ran = invoke("hm-eval", finished_run("zarr").path, dataset, *options)
    assert_refused(ran, "past num_sources must be zero; got ", "'test_multi', block 0", "anew")
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize("case", ["no manifest", "one bit", "cut off", "no source"])
def test_hm_eval_refuses_a_damaged_dataset(tmp_path: Path, case: str) -> None:
    """The splits it evaluates are checked, and it writes nothing."""
    dataset = copy_of(finished_dataset("zarr"), tmp_path / "data")
    file = POTENTIAL["zarr"].format(split="test_single")
    DAMAGES[case].apply(dataset, dataset / file)
    ran = invoke("hm-eval", finished_run("zarr").path, dataset, "--out", tmp_path / "report")
    assert_refused(ran, *(text.format(file=file) for text in DAMAGES[case].fragments))
    assert not (tmp_path / "report").exists()


def test_a_dataset_that_is_absent_is_refused_by_a_real_process(tmp_path: Path) -> None:
    """Both programs that read one say how to make it."""
    for arguments in (
        ("hm-train", tmp_path / "data", tmp_path / "run"),
        ("hm-eval", finished_run("zarr").path, tmp_path / "data", "--out", tmp_path / "report"),
    ):
        assert_refused(
            run_program(*map(str, arguments)), "must be a directory", "make the dataset with"
        )
    assert not list(tmp_path.iterdir())


def test_a_split_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The message lists those that are; the same command with the right name works then."""
    run = tmp_path / "run"
    ran = invoke("hm-train", finished_dataset("zarr").path, run, *settings("data.valid=vlid"))
    assert_refused(
        ran, "one of train, valid, test_single, test_multi; got 'vlid'", "Did you mean 'valid'?"
    )
    assert not (run / "recipe.json").exists()

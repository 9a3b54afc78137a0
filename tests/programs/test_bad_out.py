"""Places that hm-generate cannot write to, and values that it must not write."""

import fcntl
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest
from program_runs import (
    DATASET_RECIPE,
    assert_refused,
    copy_of,
    finished_dataset,
    invoke,
    num_journal_files,
    run_program,
    settings,
    snapshot,
)

from hypermagnetics.data import Dataset, StorageFormat
from hypermagnetics.log import Progress


class Space(NamedTuple):
    """What shutil.disk_usage returns."""

    total: int
    used: int
    free: int


SMALL = (
    "demo",
    *settings(
        "grid.num_points=8",
        "samples_per_grid=8",
        "splits={train={num_samples=16, num_sources=1}}",
    ),
)
"""One split, made in a second."""

INFINITE = settings("sources.moment.std=3e38")
"""Moments beyond the range of float32 in every fourth component."""


def test_a_finished_dataset_is_never_modified(tmp_path: Path) -> None:
    """Not by its own command either."""
    out = copy_of(finished_dataset("zarr"), tmp_path / "data")
    before = snapshot(out)
    assert_refused(invoke("hm-generate", *DATASET_RECIPE, out), "finished dataset", "--overwrite")
    assert snapshot(out) == before


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_directory_with_other_files_is_refused(tmp_path: Path, overwrite: bool) -> None:
    """Also with --overwrite, which deletes datasets only."""
    (tmp_path / "thesis.tex").write_text("years of work")
    before = snapshot(tmp_path)
    ran = invoke("hm-generate", *SMALL, tmp_path, *["--overwrite"] * overwrite)
    assert_refused(ran, str(tmp_path), "Choose another directory")
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_is_refused(tmp_path: Path, overwrite: bool) -> None:
    """A dataset is a directory."""
    (tmp_path / "out").write_text("years of work")
    ran = invoke("hm-generate", *SMALL, tmp_path / "out", *["--overwrite"] * overwrite)
    assert_refused(ran, str(tmp_path / "out"), "Choose another directory")
    assert (tmp_path / "out").read_text() == "years of work"


def unwritable(directory: Path) -> list[Path]:
    """Places in which nobody, or not this user, may make a directory."""
    (directory / "file").touch()
    (directory / "closed").mkdir(mode=0o555)
    # root may write anywhere, but not below a file.
    return [directory / "file" / "out", *[directory / "closed" / "out"] * (os.geteuid() != 0)]


def test_a_place_without_permission_is_refused(tmp_path: Path) -> None:
    """The message is that of the system, with the place."""
    for out in unwritable(tmp_path):
        ran = invoke("hm-generate", *SMALL, out)
        assert_refused(ran, str(out), "give the same command again")


def test_non_finite_values_are_refused_and_another_recipe_too(tmp_path: Path) -> None:
    """The message names the sample; what is left is an unfinished dataset of that recipe."""
    out = tmp_path / "out"
    ran = invoke("hm-generate", *SMALL, *INFINITE, out)
    assert_refused(ran, "sources must be finite; got", "split 'train', sample ", "recipe")
    assert not (out / "manifest.json").exists()
    before = snapshot(out)
    ran = invoke("hm-generate", *SMALL, out)
    assert_refused(ran, "unfinished one of another recipe", str(out), "--overwrite")
    assert snapshot(out) == before
    ran = invoke("hm-generate", *SMALL, out, "--overwrite")
    assert (ran.code, ran.complaints) == (0, [])
    assert Dataset.open(out).splits == ("train",)


def test_overwriting_a_finished_dataset_makes_it_anew(tmp_path: Path) -> None:
    """In the other format, so that nothing of the old one may be left."""
    out = copy_of(finished_dataset("zarr"), tmp_path / "data")
    ran = invoke("hm-generate", *SMALL, out, "--overwrite", "--format", "hdf5")
    assert (ran.code, ran.complaints) == (0, [])
    assert Dataset.open(out).manifest.storage_format == "hdf5"
    assert sorted(path.name for path in out.iterdir()) == [
        "README.md",
        "manifest-sha256.txt",
        "manifest.json",
        "train",
    ]


def test_overwriting_through_a_link_loses_nothing(tmp_path: Path) -> None:
    """Whether the link is refused or followed, there is a finished dataset afterwards."""
    data, out = copy_of(finished_dataset("zarr"), tmp_path / "data"), tmp_path / "out"
    out.symlink_to(data)
    ran = invoke("hm-generate", *SMALL, out, "--overwrite")
    assert "None" not in ran.stderr
    if ran.code:
        assert_refused(ran, str(out))
    assert Dataset.open(out).splits[0] == "train"


@pytest.mark.slow
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_second_writer_is_refused(tmp_path: Path, overwrite: bool) -> None:
    """The first holds the lock on the journal and loses nothing, not even to --overwrite."""
    out = tmp_path / "out"
    out.mkdir()
    with (out / "journal.lock").open("ab") as journal:
        fcntl.flock(journal, fcntl.LOCK_EX)
        ran = invoke("hm-generate", *SMALL, out, *["--overwrite"] * overwrite)
        assert_refused(ran, "must have one writer; got a second", str(out))
        assert os.fstat(journal.fileno()).st_nlink == 1


def test_too_little_space_is_seen_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command completes the dataset once there is more."""
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: Space(total=10**9, used=10**9, free=999))
        ran = invoke("hm-generate", *SMALL, out)
    assert_refused(ran, "The disk must have ", " free; got 999 B", str(out))
    left = {path.name for path in out.rglob("*")}
    assert left <= {"journal.lock", "journal", "dataset.json"}
    ran = invoke("hm-generate", *SMALL, out)
    assert (ran.code, ran.complaints) == (0, [])


def test_the_rate_of_a_completed_dataset_is_that_of_what_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an earlier process made took this one no time."""
    out, many = tmp_path / "out", settings("splits.train.num_samples=80", "storage.shard_mb=1e-6")
    advance, counts = Progress.advance, []

    def advance_and_interrupt(self: Progress, count: int, note: str = "") -> None:
        advance(self, count, note)
        counts.append(count)
        if sum(counts) == 40:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "advance", advance_and_interrupt)
        assert invoke("hm-generate", *SMALL, *many, out).code == 130
    num_left = 80 - 8 * (num_journal_files(out) - 1)
    assert 0 < num_left < 80
    clock = SimpleNamespace(monotonic=iter([0.0, 0.5]).__next__)
    monkeypatch.setattr("hypermagnetics.generate.cli.time", clock)
    ran = invoke("hm-generate", *SMALL, *many, out)
    assert ran.code == 0
    assert f" in 0.5 s ({2 * num_left} samples/s)" in ran.stdout


def test_a_damaged_journal_is_refused(tmp_path: Path) -> None:
    """A kill leaves no part of it, so this is another kind of damage."""
    out = tmp_path / "out"
    (out / "journal").mkdir(parents=True)
    (out / "journal.lock").touch()
    (out / "journal/dataset.json").write_bytes(bytes(100) + b"\n")
    before = snapshot(out)
    assert_refused(invoke("hm-generate", *SMALL, out), "journal/dataset.json", "--overwrite")
    assert snapshot(out) == before


@pytest.mark.slow
@pytest.mark.parametrize("storage_format", [pytest.param("zarr", marks=pytest.mark.slow), "hdf5"])
def test_a_full_disk_is_reported_and_the_same_command_completes(
    tmp_path: Path, storage_format: StorageFormat
) -> None:
    """A limit on the size of a file stands for the disk; a shard does not fit, the journal does."""
    out = tmp_path / "out"
    arguments = (*SMALL, *settings("grid.num_points=4096"), out, "--format", storage_format)
    ran = run_program("hm-generate", *arguments, max_file_bytes=20_000)
    assert_refused(ran, "File too large", "give the same command again")
    left = {path.name for path in out.rglob("*") if path.is_file()}
    assert "journal.lock" in left
    assert left <= {"journal.lock", "dataset.json", "zarr.json"}
    ran = run_program("hm-generate", *arguments)
    assert (ran.code, ran.complaints) == (0, [])
    assert len(Dataset.open(out).split("train")) == 16

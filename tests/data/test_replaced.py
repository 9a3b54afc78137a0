"""A dataset is the same one as long as a program reads it."""

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from exchanges import exchange
from mending import random_blocks, write_dataset

from hypermagnetics.data import (
    Dataset,
    SplitLayout,
    StorageFormat,
    mapped_shards,
    verify_split,
)
from hypermagnetics.data.dataset_files import DatasetFiles
from hypermagnetics.data.manifest import FileEntry
from hypermagnetics.data.verify import find_problems
from hypermagnetics.errors import DatasetError

LAYOUT = SplitLayout(
    num_samples=24,
    samples_per_grid=2,
    samples_per_shard=4,
    shared_grid=False,
    num_points=9,
    max_sources=3,
    source_size=4,
    dim=2,
)
FORMATS: tuple[StorageFormat, ...] = ("zarr", "hdf5")
SAME = "must stay the same while it is read; got another"


@pytest.fixture(params=FORMATS)
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A dataset `data`, and beside it `other` of other values, with files of the same sizes."""
    for name, seed in (("data", 0), ("other", 1)):
        blocks = random_blocks(LAYOUT, seed)
        splits = {"train": (LAYOUT, blocks), "valid": (LAYOUT, blocks)}
        write_dataset(tmp_path / name, splits, request.param)
    return tmp_path


@pytest.fixture(autouse=True)
def one_shard_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if there were more shards than files may be open."""
    monkeypatch.setattr(mapped_shards, "_MOST_FILES", 1)


Use = Callable[[Dataset], object]
USES: dict[str, Use] = {
    "shards read before": lambda dataset: list(dataset.split("train").blocks()),
    "another split": lambda dataset: dataset.split("valid").block(0),
    "samples": lambda dataset: dataset.split("train")[[0, 9, 23]],
    "checksums": lambda dataset: verify_split(dataset.split("train")),
    "a copy in another process": lambda dataset: pickle.loads(
        pickle.dumps(dataset.split("train"))
    ).block(11),
}


@pytest.mark.slow
@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_another_dataset_in_the_same_place_is_refused(place: Path, use: Use) -> None:
    """Whatever is read of it, first or again."""
    dataset = Dataset.open(place / "data")
    dataset.split("train").block(0)
    use(dataset)
    exchange(place)
    with pytest.raises(DatasetError, match=SAME):
        use(dataset)


@pytest.mark.slow
def test_what_is_mapped_stays(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old bytes are whole, so they may be used."""
    monkeypatch.setattr(mapped_shards, "_MOST_FILES", 100)
    split = Dataset.open(place / "data").split("train")
    before = [block.potential.copy() for block in split.blocks()]
    exchange(place)
    shutil.rmtree(place / "old")
    for block, potential in zip(split.blocks(), before, strict=True):
        np.testing.assert_array_equal(block.potential, potential)


@pytest.mark.slow
def test_a_dataset_that_is_gone_is_called_gone(place: Path) -> None:
    """Not damaged."""
    split = Dataset.open(place / "data").split("train")
    split.block(0)
    (place / "data").rename(place / "old")
    with pytest.raises(DatasetError, match=r"must stay in its place .* got no .* any more"):
        split.block(11)


@pytest.mark.slow
def test_the_same_bytes_are_the_same_dataset(place: Path) -> None:
    """Copied, and touched: the files have other numbers and times."""
    split = Dataset.open(place / "data").split("train")
    before = split.block(11).potential.copy()
    split.block(0)
    shutil.copytree(place / "data", place / "copy", copy_function=shutil.copyfile)
    shutil.rmtree(place / "data")
    (place / "copy").rename(place / "data")
    np.testing.assert_array_equal(split.block(11).potential, before)


@pytest.mark.slow
def test_an_exchange_while_it_is_opened_is_seen(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifest of one dataset is not taken for that of another."""
    check = DatasetFiles.check

    def exchange_first(self: DatasetFiles, entry: FileEntry) -> None:
        if not (place / "old").exists():
            exchange(place)
        check(self, entry)

    monkeypatch.setattr(DatasetFiles, "check", exchange_first)
    for act in (Dataset.open, lambda path: list(find_problems(Dataset.unchecked(path)))):
        with pytest.raises(DatasetError, match=f"{SAME} manifest.json"):
            act(place / "data")
        (place / "data").rename(place / "other")
        (place / "old").rename(place / "data")

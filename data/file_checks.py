"""Checks of the files of a dataset against its manifest: names, kinds and sizes."""

import os
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path

from hypermagnetics.data.dataset_files import DatasetFiles
from hypermagnetics.data.formats import split_storage
from hypermagnetics.data.manifest import CHECKSUMS_NAME, MANIFEST_NAME, FileEntry, Manifest
from hypermagnetics.data.storage import SplitPlace
from hypermagnetics.errors import DatasetError

_SHARED_DIRECTORIES = 3
"""Depth of SPLIT.zarr/ARRAY/c, below which each shard has directories of its own."""


def check_names(place: str, manifest: Manifest, places: Mapping[str, SplitPlace]) -> None:
    """Check that a manifest lists the files implied by its splits.

    Args:
        place: The dataset, for messages.
        manifest: Its manifest.
        places: Places of the splits.

    Raises:
        DatasetError: With the first difference.
    """
    # Before anything is counted one by one: each shard has a file at least.
    num_shards = sum(split.layout.num_shards for split in manifest.splits.values())
    if num_shards > len(manifest.files):
        raise DatasetError(
            f"The files of a manifest must follow from its splits; got {num_shards} shards and "
            f"{len(manifest.files)} files ({place}; rule M5). Get manifest.json from the "
            "dataset's source again."
        )
    expected = _expected(manifest, places)
    for entry, wanted in zip_longest(manifest.files, expected):
        found = entry and (entry.path, entry.split, entry.first_sample, entry.num_samples)
        if found != wanted:
            raise DatasetError(
                f"The files of a manifest must follow from its splits; got {found} where {wanted} "
                f"(path, split, first sample, samples) belongs ({place}; rule M5). Get "
                "manifest.json from the dataset's source again."
            )


def check_files(files: DatasetFiles, directory: Path, manifest: Manifest, sha256: str) -> None:
    """Check the presence and size of all files.

    Args:
        files: The files; they are remembered.
        directory: The dataset.
        manifest: Its manifest.
        sha256: sha256 of the manifest.

    Raises:
        DatasetError: With the first file that is missing, of another size or no plain file, or may
            not be read. A link among the directories of a single shard is seen when that is mapped.
    """
    for entry in manifest.files:
        files.check(entry)
    check_directory(directory, manifest, sha256)


def check_directory(directory: Path, manifest: Manifest, sha256: str) -> None:
    """Refuse linked directories, and a list of checksums without that of the manifest.

    Args:
        directory: The dataset.
        manifest: Its manifest.
        sha256: sha256 of the manifest.

    Raises:
        DatasetError: If there is a link, or the list has another checksum.
    """
    _refuse_linked_directories(str(directory.resolve()), manifest.files)
    path = directory / CHECKSUMS_NAME
    expected = f"{sha256}  {MANIFEST_NAME}\n".encode()
    found = b""
    if path.is_file() and not path.is_symlink():
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - len(expected), 0))
            found = file.read(len(expected))
    if found != expected:
        raise DatasetError(
            f"{CHECKSUMS_NAME} must end with the sha256 of {MANIFEST_NAME}, {sha256[:12]}...; got "
            f"{found.decode(errors='replace')[:12]!r} ({directory}; rule D6). One of them was "
            "edited; get both from the dataset's source again."
        )


def _refuse_linked_directories(root: str, files: tuple[FileEntry, ...]) -> None:
    """Refuse links among the directories that several shards share."""
    seen = set()
    for entry in files:
        *directories, _ = entry.path.split("/", _SHARED_DIRECTORIES)
        for depth in range(1, len(directories) + 1):
            seen.add("/".join(directories[:depth]))
    for directory in sorted(seen):
        if os.path.islink(f"{root}/{directory}"):  # noqa: PTH114  (50 000 paths as objects)
            raise DatasetError(
                f"A directory of a dataset must be inside it; got a link ({root}/{directory}; "
                "rule D2). Copy the real directory there."
            )


def _expected(
    manifest: Manifest, places: Mapping[str, SplitPlace]
) -> Iterator[tuple[str, str, int, int]]:
    """Path, split, first sample and number of samples of each file, in order."""
    for name, place in places.items():
        storage = split_storage(manifest.storage_format, place)
        for path in storage.metadata_paths():
            yield path, name, 0, 0
        for shard in place.layout.shards():
            for path in storage.shard_paths(shard):
                yield path, name, shard.first_sample, shard.num_samples

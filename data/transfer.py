"""Copies of datasets to and from object stores: checked, and completed by the same command."""

import hashlib
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from hypermagnetics.data.dataset import Dataset
from hypermagnetics.data.journal import DATASET_ENTRY, DELETE, MOST_ENTRY, entry_of_upload
from hypermagnetics.data.manifest import (
    CARD_NAME,
    CHECKSUMS_NAME,
    MANIFEST_NAME,
    MOST_BYTES,
    FileEntry,
    Manifest,
    checksums,
)
from hypermagnetics.data.shard_threads import shard_threads
from hypermagnetics.data.stored_dataset import StoredDataset
from hypermagnetics.data.stores import Store
from hypermagnetics.data.verify import check_file
from hypermagnetics.data.writer import OURS
from hypermagnetics.errors import DatasetError
from hypermagnetics.files import (
    atomic_file,
    first_file,
    first_foreign_file,
    only_writer,
    remove_parts,
    sha256_of,
    sync_directories,
)
from hypermagnetics.log import SILENT, Listener
from hypermagnetics.waiting import as_finished

_FILES_AT_ONCE = 4
_LOCK_NAME = "download.lock"
_OURS = re.compile(rf"{OURS.pattern}|{re.escape(_LOCK_NAME)}")
_MOST_CARD_BYTES = 1 << 20


def copy_from_store(found: StoredDataset, directory: Path, listener: Listener = SILENT) -> Manifest:
    """Copy a dataset from a store, or complete a copy that was interrupted.

    Files take their names when their sha256 is that of the manifest, which comes last.

    Args:
        found: The dataset.
        directory: Directory of the copy: new, empty, or with a part of the same dataset.
        listener: Receives the bytes of each file, copied or found.

    Returns:
        The manifest.

    Raises:
        DatasetError: If a file has other bytes than the manifest says, or something else is in the
            directory.
        HypermagneticsError: If the store does not answer or forbids it, or another process writes
            to the directory.
    """
    store, manifest, text, sha256 = found.store, found.manifest, found.text, found.sha256
    Dataset(directory, manifest, sha256).refuse_other_names()
    _refuse_foreign(directory)
    directory.mkdir(parents=True, exist_ok=True)
    lock = directory / _LOCK_NAME
    with only_writer(lock, "A copy of a dataset"):
        _refuse_another(directory, sha256)
        remove_parts(directory)
        _each(partial(_fetch, store, directory), manifest.files, listener)
        sync_directories(directory)
        card = store.read(CARD_NAME, _MOST_CARD_BYTES)
        for name, content in (
            (CARD_NAME, card),
            (CHECKSUMS_NAME, checksums(text.decode(), manifest.files).encode()),
            (MANIFEST_NAME, text),
        ):
            with atomic_file(directory / name) as file:
                file.write(content)
        lock.unlink()
    return Dataset.open(directory).manifest


def copy_to_store(dataset: Dataset, store: Store, listener: Listener = SILENT) -> None:
    """Copy a dataset to a store, or complete an upload that was interrupted.

    The manifest comes last, and only if there is none: so of two datasets one alone gets a place.

    Args:
        dataset: The dataset.
        store: The store.
        listener: Receives the bytes of each file, copied or found.

    Raises:
        DatasetError: If another dataset is there, or a file has other bytes than its manifest says.
        HypermagneticsError: If the store does not answer or forbids it.
    """
    store.refuse_reading_alone()
    text = (dataset.directory / MANIFEST_NAME).read_bytes()
    _claim(store, dataset.sha256)
    _each(partial(_put, dataset, store), dataset.manifest.files, listener)
    for name in (CARD_NAME, CHECKSUMS_NAME):
        path = dataset.directory / name
        with path.open("rb") as file:
            store.put(name, file, sha256_of(path))
    dataset.files.refuse_another_manifest(dataset.sha256)
    if not store.create(MANIFEST_NAME, text):
        _refuse_other_manifest(store, dataset.sha256)
    store.remove(DATASET_ENTRY)


def _each(
    work: Callable[[FileEntry], None], files: tuple[FileEntry, ...], listener: Listener
) -> None:
    """Do some work with each file, several at a time, and end with the first error."""
    with shard_threads(_FILES_AT_ONCE) as threads:
        sizes = {threads.submit(work, entry): entry.bytes for entry in files}
        for done in as_finished(sizes):
            done.result()
            listener.advance(sizes[done])


def _fetch(store: Store, directory: Path, entry: FileEntry) -> None:
    path = directory / entry.path
    is_plain = path.is_file() and not path.is_symlink()
    if is_plain and path.stat().st_size == entry.bytes and sha256_of(path) == entry.sha256:
        return
    with first_file(path) as file:
        store.fetch(entry, file)


def _put(dataset: Dataset, store: Store, entry: FileEntry) -> None:
    if store.digest_of(entry.path) == entry.sha256:
        return
    check_file(dataset, entry)
    with dataset.files.open(entry.path) as file:
        store.put(entry.path, file, entry.sha256)


def _claim(store: Store, sha256: str) -> None:
    """Take a place in a store for one dataset."""
    if store.has(MANIFEST_NAME):
        _refuse_other_manifest(store, sha256)
        return
    entry = entry_of_upload(sha256)
    if not store.create(DATASET_ENTRY, entry) and store.read(DATASET_ENTRY, MOST_ENTRY) != entry:
        raise DatasetError(
            "A place in a store must get one dataset; got another one that is not complete, and "
            f"now an upload of {sha256[:12]}... ({store.url}). Choose another URL, or delete the "
            "objects there with the programs of the store."
        )


def _refuse_other_manifest(store: Store, sha256: str) -> None:
    found = hashlib.sha256(store.read(MANIFEST_NAME, MOST_BYTES)).hexdigest()
    if found != sha256:
        raise DatasetError(
            f"A place in a store must be new, or hold the same dataset; got one of sha256 "
            f"{found[:12]}... where {sha256[:12]}... should go ({store.url}). Choose another URL."
        )


def _refuse_foreign(directory: Path) -> None:
    if directory.exists() and not directory.is_dir():
        raise DatasetError(
            f"The place of a dataset must be a directory; got {str(directory)!r}, which is a file. "
            "Choose another directory."
        )
    if directory.exists() and (foreign := first_foreign_file(directory, _OURS)):
        raise DatasetError(
            "The directory of a download must be new, empty, or hold a part of the same dataset; "
            f"got {foreign!r} ({directory}). Choose another directory."
        )


def _refuse_another(directory: Path, sha256: str) -> None:
    path = directory / MANIFEST_NAME
    if path.exists() and sha256_of(path) != sha256:
        raise DatasetError(
            f"The directory of a download must hold no other dataset; got one ({directory}). "
            f"Choose another directory, or delete it ({DELETE})."
        )

"""A dataset in an object store: its manifest, and its files through a cache on this machine."""

import hashlib
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import IO

from hypermagnetics.data.dataset_files import DatasetFiles
from hypermagnetics.data.file_cache import FileCache
from hypermagnetics.data.manifest import (
    MANIFEST_NAME,
    MOST_BYTES,
    FileEntry,
    Manifest,
    parse_manifest,
)
from hypermagnetics.data.stores import Store
from hypermagnetics.errors import DatasetError
from hypermagnetics.files import digest_of, first_file
from hypermagnetics.waiting import as_finished

_FETCHES_AT_ONCE = 2
_MOST_FETCHES = 16
"""Files that are asked for ahead of their use; more would drive out those that come first."""


@dataclass(frozen=True)
class StoredDataset:
    """A complete dataset in a store."""

    store: Store
    manifest: Manifest
    text: bytes
    """Bytes of the manifest."""
    sha256: str
    """That of the manifest, which names the dataset."""

    @property
    def num_bytes(self) -> int:
        """Bytes of all its files of values."""
        return sum(entry.bytes for entry in self.manifest.files)

    def kept(self, cache: FileCache) -> Path:
        """Directory of the dataset in a cache, with its manifest alone."""
        name = self.store.url.rpartition("/")[2]
        directory = cache.directory / "opened" / f"{name}-{self.sha256[:12]}"
        path = directory / MANIFEST_NAME
        if not path.exists():
            directory.mkdir(parents=True, exist_ok=True)
            with first_file(path) as file:  # others may open it at the same time
                file.write(self.text)
        return directory


def find_dataset(store: Store) -> StoredDataset:
    """Read and check the manifest of a dataset in a store.

    Args:
        store: The store.

    Returns:
        The dataset.

    Raises:
        DatasetError: If there is none, or its manifest is not sound.
        HypermagneticsError: If the store does not answer, or forbids it.
    """
    text = store.read(MANIFEST_NAME, MOST_BYTES)
    manifest, sha256 = parse_manifest(text, f"{store.url}/{MANIFEST_NAME}")
    return StoredDataset(store, manifest, text, sha256)


class StoredFiles(DatasetFiles):
    """The files of a dataset in a store, each fetched when it is read first."""

    def __init__(
        self, directory: Path, files: tuple[FileEntry, ...], url: str, cache: FileCache
    ) -> None:
        """Name the files; none is fetched.

        Args:
            directory: Directory of the manifest.
            files: The files.
            url: Place of the dataset.
            cache: Keeps what was fetched.
        """
        super().__init__(directory, files)
        self._url, self._cache = url, cache
        self._asked: dict[str, Future[None]] = {}
        self._asked_lock = threading.Lock()
        self._given_up = threading.Event()
        """Set when files that are under way are not wanted any more."""

    def through(self, cache: FileCache) -> "StoredFiles":
        """The same files, fetched through another cache."""
        return StoredFiles(self.root, tuple(self._entries.values()), self._url, cache)

    def check(self, entry: FileEntry) -> None:
        """Check the presence and size of an object; its bytes are checked when it is fetched.

        Raises:
            DatasetError: If it is absent, or of another size.
            HypermagneticsError: If the store does not answer, or forbids it.
        """
        if (size := self._store.size_of(entry.path)) != entry.bytes:
            got, rule = ("none", "D3") if size is None else (f"one of {size} bytes", "D4")
            raise DatasetError(
                f"{entry.path} must have {entry.bytes} bytes; got {got} ({self._url}; rule {rule})."
                " Upload the dataset again from a sound copy."
            )

    def refuse_another_manifest(self, sha256: str) -> None:
        """Refuse a place that has another dataset by now; see `DatasetFiles`."""
        if hashlib.sha256(self.read(MANIFEST_NAME, MOST_BYTES)).hexdigest() != sha256:
            raise self._replaced(MANIFEST_NAME)

    def read(self, name: str, most_bytes: int) -> bytes:
        """An object beside the files, as it is in the store now.

        Args:
            name: Its name, such as `manifest.json`.
            most_bytes: Its largest size.

        Raises:
            DatasetError: If it is absent, or larger.
            HypermagneticsError: If the store does not answer, or forbids it.
        """
        return self._store.read(name, most_bytes)

    @contextmanager
    def open(self, path: str) -> Iterator[IO[bytes]]:
        """Open a file to read it; see `DatasetFiles.open`.

        Raises:
            DatasetError: If it is absent, or has other bytes, also when it is read again.
            HypermagneticsError: If the store does not answer, or forbids it.
        """
        with self._cache.open(self._entries[path], self._fetch) as file:
            yield file

    def is_here(self, path: str) -> bool:
        """Whether a file can be read without a request."""
        return self._cache.has(self._entries[path])

    def sha256_of(self, path: str) -> str:
        """Hexadecimal sha256 of a file as it is in the cache; see `DatasetFiles.sha256_of`."""
        with self.open(path) as file:
            return digest_of(file)

    def fetch_ahead(self, paths: Sequence[str]) -> bool:
        """Begin to fetch files that will be read; see `DatasetFiles.fetch_ahead`."""
        with self._asked_lock:
            # An error is met again where the file is read.
            self._asked = {path: one for path, one in self._asked.items() if not one.done()}
            for path in paths:
                if path not in self._asked and not self.is_here(path):
                    fetch = partial(self._store.fetch, given_up=self._given_up.is_set)
                    filled = self._threads.submit(self._cache.fill, self._entries[path], fetch)
                    self._asked[path] = filled
            return len(self._asked) < _MOST_FETCHES

    def stop_fetching(self) -> None:
        """Give up files that are under way; see `DatasetFiles.stop_fetching`."""
        with self._asked_lock:
            self._given_up.set()
            for asked in self._asked.values():
                asked.cancel()
            for _ in as_finished(self._asked.values()):
                pass
            self._asked, self._given_up = {}, threading.Event()

    def _fetch(self, entry: FileEntry, file: IO[bytes]) -> None:
        self._store.fetch(entry, file, self._given_up.is_set)

    @cached_property
    def _store(self) -> Store:
        return Store(self._url)

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(_FETCHES_AT_ONCE, "fetch")

    def __reduce__(self) -> tuple[type["StoredFiles"], tuple[object, ...]]:
        """Copies, also in other processes, ask the store anew."""
        return type(self), (self.root, tuple(self._entries.values()), self._url, self._cache)

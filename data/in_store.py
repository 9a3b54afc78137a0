"""A place in an object store as the destination of a dataset."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from re import Pattern

from hypermagnetics.data.dataset import Dataset
from hypermagnetics.data.dataset_files import DatasetFiles
from hypermagnetics.data.destination import LastBlocks, ReadBack
from hypermagnetics.data.journal import DATASET_ENTRY, JOURNAL_NAME
from hypermagnetics.data.manifest import MANIFEST_NAME, MOST_BYTES, FileEntry, parse_manifest
from hypermagnetics.data.read_back import unreadable
from hypermagnetics.data.scratch import scratch_directory
from hypermagnetics.data.stores import Store
from hypermagnetics.errors import DatasetError

_MOST_METADATA = 1 << 20


class InStore:
    """See `Destination`. Makers write their files to a scratch directory, and then put them here.

    There is no lock. Who works at the same dataset makes the same bytes, and the first to write
    its entry in the journal decides which dataset that is.
    """

    def __init__(self, url: str) -> None:
        """Name the place; nothing is asked of it yet."""
        self.store = Store(url)

    def __str__(self) -> str:
        """The URL."""
        return self.store.url

    def __reduce__(self) -> tuple[type["InStore"], tuple[str]]:
        """Copies find credentials in the environment where they are; none is sent."""
        return type(self), (self.store.url,)

    @property
    def kind(self) -> str:
        """See `Destination`."""
        return "URL"

    @property
    def mark(self) -> str:
        """See `Destination`; the entry of the dataset that is being made."""
        return DATASET_ENTRY

    def refuse_unusable(self) -> None:
        """See `Destination`."""
        self.store.refuse_reading_alone()

    @contextmanager
    def only_writer(self) -> Iterator[None]:
        """See `Destination`; there is no lock."""
        yield None

    def is_empty(self) -> bool:
        """See `Destination`."""
        return self.store.is_empty()

    def has(self, name: str) -> bool:
        """See `Destination`."""
        return self.store.has(name)

    def sizes(self) -> dict[str, int]:
        """See `Destination`."""
        return self.store.sizes()

    def first_foreign(self, ours: Pattern[str]) -> str | None:
        """See `Destination`."""
        return next((name for name in sorted(self.sizes()) if not ours.fullmatch(name)), None)

    def read(self, name: str, most_bytes: int) -> bytes:
        """See `Destination`."""
        return self.store.read(name, most_bytes)

    def create(self, name: str, content: bytes) -> bool:
        """See `Destination`; on a condition that the store looks at."""
        return self.store.create(name, content)

    def enter(self, name: str, content: bytes) -> None:
        """See `Destination`."""
        self.write(name, content)

    def write(self, name: str, content: bytes) -> None:
        """See `Destination`."""
        self.store.put(name, content, hashlib.sha256(content).hexdigest())

    @contextmanager
    def files_made(self, num_bytes: int) -> Iterator[Path]:
        """See `Destination`; a scratch directory of this machine."""
        with scratch_directory(num_bytes) as directory:
            yield directory

    def keep(self, directory: Path, files: tuple[FileEntry, ...], read_back: ReadBack) -> None:
        """See `Destination`; read back before they leave this machine."""
        try:
            read_back(DatasetFiles(directory, files))
        except DatasetError as error:
            raise unreadable(error, "and give the same command again") from error
        for entry in files:
            with (directory / entry.path).open("rb") as file:
                self.store.put(entry.path, file, entry.sha256)

    def has_whole(self, entry: FileEntry) -> bool:
        """See `Destination`; all that a store has taken is seen by all."""
        return True

    def settle(self) -> None:
        """See `Destination`; an object is whole or absent, and lasts."""

    def entry(self, name: str, split: str) -> FileEntry:
        """See `Destination`."""
        content = self.read(name, _MOST_METADATA)
        return FileEntry(name, split, 0, 0, len(content), hashlib.sha256(content).hexdigest())

    def refuse_unreadable(self, manifest_text: str, last_blocks: LastBlocks) -> None:
        """See `Destination`; values were read back by their makers, so sizes are compared here."""
        manifest, sha256 = parse_manifest(manifest_text.encode(), f"{self}/{MANIFEST_NAME}")
        try:
            Dataset(Path(), manifest, sha256, place=self.store.url).refuse_other_names()
        except DatasetError as error:
            raise unreadable(error, "and write the dataset again") from error
        sizes = self.sizes()
        for entry in manifest.files:
            if (found := sizes.get(entry.path)) != entry.bytes:
                got = "none" if found is None else f"one of {found} bytes"
                raise DatasetError(
                    f"A store must keep what is written to it; got {got} for {entry.path}, which "
                    f"has {entry.bytes} bytes ({self}). Give the same command again: other files "
                    "are kept."
                )

    def commit(self, manifest_text: str) -> None:
        """See `Destination`; of several writers one alone succeeds."""
        text = manifest_text.encode()
        if not self.create(MANIFEST_NAME, text) and self.read(MANIFEST_NAME, MOST_BYTES) != text:
            raise DatasetError(
                f"A place in a store must get one dataset; got another one meanwhile ({self}). "
                "Choose another URL (OUT)."
            )

    def end_journal(self) -> None:
        """See `Destination`."""
        self.store.remove(*self.store.sizes(JOURNAL_NAME).keys() - {DATASET_ENTRY})
        self.store.remove(DATASET_ENTRY)

    def clear(self) -> None:
        """See `Destination`."""
        self.store.remove(MANIFEST_NAME)
        self.store.remove(*self.sizes().keys() - {DATASET_ENTRY})
        self.store.remove(DATASET_ENTRY)

    def absolute(self) -> "InStore":
        """See `Destination`."""
        return self

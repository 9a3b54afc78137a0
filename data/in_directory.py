"""A directory as the destination of a dataset."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from re import Pattern

from hypermagnetics.data.destination import LastBlocks, ReadBack
from hypermagnetics.data.journal import JOURNAL_NAME
from hypermagnetics.data.manifest import MANIFEST_NAME, FileEntry
from hypermagnetics.data.read_back import refuse_unreadable
from hypermagnetics.data.shard_writer import file_entry
from hypermagnetics.errors import DatasetError
from hypermagnetics.files import (
    atomic_file,
    first_file,
    first_foreign_file,
    only_writer,
    remove_contents,
    remove_parts,
    remove_tree,
    sync_directories,
)
from hypermagnetics.input_files import FileKind

LOCK_NAME = "journal.lock"
"""File that marks an unfinished dataset in a directory, and carries the lock of its one writer."""


@dataclass(frozen=True)
class InDirectory:
    """See `Destination`. Makers write their files where they stay."""

    directory: Path

    def __str__(self) -> str:
        """The path."""
        return str(self.directory)

    @property
    def kind(self) -> str:
        """See `Destination`."""
        return "directory"

    @property
    def mark(self) -> str:
        """See `Destination`; it is made with the lock, and goes last."""
        return LOCK_NAME

    def refuse_unusable(self) -> None:
        """See `Destination`."""
        if self.directory.exists() and not self.directory.is_dir():
            raise DatasetError(
                f"The place of a dataset (OUT) must be a directory; got {str(self.directory)!r}, "
                "which is a file. Choose another directory."
            )

    @contextmanager
    def only_writer(self) -> Iterator[int]:
        """See `Destination`; the lock dies with the last process that holds the descriptor."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with only_writer(self.directory / LOCK_NAME, "A dataset") as file:
            remove_parts(self.directory)  # of makers that were killed
            yield file.fileno()

    def is_empty(self) -> bool:
        """See `Destination`."""
        if not self.directory.exists():
            return True
        return self.directory.is_dir() and not any(self.directory.iterdir())

    def has(self, name: str) -> bool:
        """See `Destination`."""
        return (self.directory / name).exists()

    def sizes(self) -> dict[str, int]:
        """See `Destination`; links do not count."""
        found = {}
        for root, _, names in os.walk(self.directory):
            for name in names:
                path = Path(root, name)
                with suppress(FileNotFoundError):  # a part of a worker that was given up
                    status = path.lstat()
                    if stat.S_ISREG(status.st_mode):
                        found[path.relative_to(self.directory).as_posix()] = status.st_size
        return found

    def first_foreign(self, ours: Pattern[str]) -> str | None:
        """See `Destination`; parts of files that are being written are ours."""
        return first_foreign_file(self.directory, ours)

    def read(self, name: str, most_bytes: int) -> bytes:
        """See `Destination`."""
        kind = FileKind("A file of an unfinished dataset", most_bytes, DatasetError)
        return kind.read(self.directory / name)

    def create(self, name: str, content: bytes) -> bool:
        """See `Destination`; under the lock."""
        if self.has(name):
            return False
        self.enter(name, content)
        return True

    def enter(self, name: str, content: bytes) -> None:
        """See `Destination`; a name that a power cut loses is entered again."""
        with first_file(self.directory / name) as file:
            file.write(content)

    def write(self, name: str, content: bytes) -> None:
        """See `Destination`."""
        with atomic_file(self.directory / name) as file:
            file.write(content)

    @contextmanager
    def files_made(self, num_bytes: int) -> Iterator[Path]:
        """See `Destination`; the directory itself, whose room is looked at once for all."""
        yield self.directory

    def keep(self, directory: Path, files: tuple[FileEntry, ...], read_back: ReadBack) -> None:
        """See `Destination`; they are in their place, and read back in the end."""

    def has_whole(self, entry: FileEntry) -> bool:
        """See `Destination`."""
        path = self.directory / entry.path
        return path.is_file() and path.stat().st_size == entry.bytes

    def settle(self) -> None:
        """See `Destination`."""
        remove_parts(self.directory)  # of makers that another one has overtaken
        sync_directories(self.directory)

    def entry(self, name: str, split: str) -> FileEntry:
        """See `Destination`."""
        return file_entry(self.directory, name, split, 0, 0)

    def refuse_unreadable(self, manifest_text: str, last_blocks: LastBlocks) -> None:
        """See `Destination`; every shard is mapped, and its last block read."""
        refuse_unreadable(self.directory, manifest_text, last_blocks)

    def commit(self, manifest_text: str) -> None:
        """See `Destination`; under the lock."""
        self.write(MANIFEST_NAME, manifest_text.encode())

    def end_journal(self) -> None:
        """See `Destination`."""
        remove_tree(self.directory / JOURNAL_NAME)
        (self.directory / LOCK_NAME).unlink()

    def clear(self) -> None:
        """See `Destination`; the directory itself stays: it may be a link or a mount point."""
        (self.directory / MANIFEST_NAME).unlink(missing_ok=True)
        remove_contents(self.directory, LOCK_NAME)
        (self.directory / LOCK_NAME).unlink()

    def absolute(self) -> "InDirectory":
        """See `Destination`."""
        return InDirectory(self.directory.absolute())

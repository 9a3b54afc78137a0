"""Destinations of a dataset that is being made: a directory, or a place in an object store."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from re import Pattern
from typing import Protocol, runtime_checkable

from hypermagnetics.data.dataset_files import DatasetFiles
from hypermagnetics.data.manifest import FileEntry

ReadBack = Callable[[DatasetFiles], None]
"""Reads files as a reader of the dataset does, and raises DatasetError if they are not sound."""

LastBlocks = Mapping[tuple[str, int], int]
"""The CRC-32 of the last block of each shard, by split and number of the shard."""


@runtime_checkable
class Destination(Protocol):
    """The place that gets the files of a dataset; all names are relative to it.

    Any thread may use it, and so may its copies in other processes.
    """

    @property
    def kind(self) -> str:
        """Word for the place in messages: directory, or URL."""

    @property
    def mark(self) -> str:
        """Name of the file that is there as long as the dataset is unfinished."""

    def refuse_unusable(self) -> None:
        """Refuse a place that can never hold a dataset.

        Raises:
            DatasetError: If a file lies there instead of a directory.
            HypermagneticsError: If it cannot be written to.
        """

    def only_writer(self) -> AbstractContextManager[int | None]:
        """Keep other programs out, where there are locks.

        Yields:
            Descriptor of the file that carries the lock; None where there are none.

        Raises:
            HypermagneticsError: If another program writes there.
        """

    def is_empty(self) -> bool:
        """Whether nothing is there."""

    def has(self, name: str) -> bool:
        """Whether there is a file."""

    def sizes(self) -> dict[str, int]:
        """Bytes of all files, by name."""

    def first_foreign(self, ours: Pattern[str]) -> str | None:
        """The first file whose name is not one of ours; None if all are."""

    def read(self, name: str, most_bytes: int) -> bytes:
        """A small file; DatasetError if it is absent or larger."""

    def create(self, name: str, content: bytes) -> bool:
        """Write a small file unless it is there; of several writers one alone succeeds.

        Returns:
            Whether it was made.
        """

    def enter(self, name: str, content: bytes) -> None:
        """Write a small file that several makers may write at once, with the same bytes."""

    def write(self, name: str, content: bytes) -> None:
        """Write a small file in place of one that is there, whole or not at all."""

    def files_made(self, num_bytes: int) -> AbstractContextManager[Path]:
        """A directory in which a maker writes files before they come to their place.

        Args:
            num_bytes: About the bytes that it needs.

        Raises:
            HypermagneticsError: If there is no room.
        """

    def keep(self, directory: Path, files: tuple[FileEntry, ...], read_back: ReadBack) -> None:
        """Bring files to their place, under their names.

        Args:
            directory: A directory from `files_made`.
            files: The files.
            read_back: Check of files that `refuse_unreadable` will not read again.
        """

    def has_whole(self, entry: FileEntry) -> bool:
        """Whether a file that a maker has kept, perhaps on another machine, is seen from here."""

    def settle(self) -> None:
        """Remove the parts of makers that were overtaken, and make all names last."""

    def entry(self, name: str, split: str) -> FileEntry:
        """The manifest's entry of a small file without samples, as it lies there."""

    def refuse_unreadable(self, manifest_text: str, last_blocks: LastBlocks) -> None:
        """Refuse a dataset that a reader would refuse, before its manifest is written.

        Raises:
            DatasetError: With the first fault.
        """

    def commit(self, manifest_text: str) -> None:
        """Write the manifest, with which the dataset is there for its readers.

        Raises:
            DatasetError: If another dataset has come there first.
        """

    def end_journal(self) -> None:
        """Delete the journal, last the file that marks the dataset as unfinished."""

    def clear(self) -> None:
        """Delete the dataset, first its manifest and last the file that marks an unfinished one."""

    def absolute(self) -> "Destination":
        """The same place for processes with another working directory."""

"""The journal of an unfinished dataset: its identity and its finished shards."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from hypermagnetics.config import Config
from hypermagnetics.data.layout import ArrayName
from hypermagnetics.data.manifest import FileEntry, Identity
from hypermagnetics.data.statistics import Sums
from hypermagnetics.errors import DatasetError
from hypermagnetics.files import only_writer

JOURNAL_NAME = "journal.jsonl"
NEW_OR_UNFINISHED = (
    "The directory (OUT) must be new, empty or an unfinished dataset of the same recipe"
)
"""Rule of the directory in which a dataset is written, for messages."""
DELETE = "remove_dataset in Python; hm-generate has --overwrite"
"""Ways to delete a dataset, for messages."""


class ShardRecord(Config):
    """A finished shard: its files and the sums over its values."""

    split: str
    index: int
    files: tuple[FileEntry, ...]
    sums: dict[ArrayName, Sums]
    last_block: int
    """The CRC-32 of its last block, as passed to the writer."""


class Journal:
    """Appends a line per finished shard; a line cut off by a kill is dropped on reading."""

    def __init__(self, file: IO[bytes], identity: Identity, directory: Path) -> None:
        """Read the records of an earlier process, or start with the identity.

        Args:
            file: The locked journal file.
            identity: Identity of the dataset of this process.
            directory: The dataset, to check that the recorded files exist.

        Raises:
            DatasetError: If the file is the journal of another dataset.
        """
        self._file, self._lock = file, threading.Lock()
        self.records: dict[tuple[str, int], ShardRecord] = {}
        file.seek(0)
        *whole, _ = file.read().split(b"\n")
        if not whole:
            file.truncate(0)
            self._append(identity.model_dump_json())
            return
        try:
            begun = json.loads(whole[0])
            records = [ShardRecord.model_validate_json(line) for line in whole[1:]]
        except ValueError as error:
            raise DatasetError(
                f"The journal of an unfinished dataset must be JSON lines; got damaged ones "
                f"({directory / JOURNAL_NAME}). Delete the directory first ({DELETE})."
            ) from error
        if begun != json.loads(identity.model_dump_json()):
            raise DatasetError(
                f"{NEW_OR_UNFINISHED}; got an unfinished one of another recipe, format or version "
                f"({directory}). Choose another directory, or delete this one ({DELETE})."
            )
        file.truncate(sum(len(line) + 1 for line in whole))
        for record in records:
            if all(_is_whole(directory, entry) for entry in record.files):
                self.records[record.split, record.index] = record

    @property
    def lock(self) -> int:
        """Descriptor of the file, which carries the lock."""
        return self._file.fileno()

    def add(self, record: ShardRecord) -> None:
        """Record a shard whose files are complete; safe in any thread."""
        with self._lock:
            self._append(record.model_dump_json())
            self.records[record.split, record.index] = record

    def _append(self, line: str) -> None:
        self._file.write(line.encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())


@contextmanager
def open_journal(directory: Path, identity: Identity) -> Iterator[Journal]:
    """Open the journal of a dataset for the one process that writes it.

    Args:
        directory: The dataset; made if absent.
        identity: Identity of the dataset to be made.

    Yields:
        The journal, with the shards that earlier processes finished.

    Raises:
        DatasetError: If the directory holds something else.
        HypermagneticsError: If another process writes it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with only_writer(directory / JOURNAL_NAME, "A dataset") as file:
        yield Journal(file, identity, directory)


def _is_whole(directory: Path, entry: FileEntry) -> bool:
    path = directory / entry.path
    return path.is_file() and path.stat().st_size == entry.bytes

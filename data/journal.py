"""The journal of an unfinished dataset: its identity and its finished shards."""

import json
import os
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NoReturn

from hypermagnetics.config import Config
from hypermagnetics.data.layout import ArrayName
from hypermagnetics.data.manifest import FileEntry, Identity, LabelDevice
from hypermagnetics.data.statistics import Sums
from hypermagnetics.errors import DatasetError
from hypermagnetics.files import only_writer

JOURNAL_NAME = "journal.jsonl"
_MOST_RECORDS, _LONGEST_RECORD = 1 << 18, 1 << 20
"""A manifest has room for less than so many shards."""
_MOST_BYTES = _MOST_RECORDS << 10
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
    """Appends a line per finished shard, each with its CRC-32.

    A line cut off by a kill is dropped on reading, and so is a damaged one: its shard counts as
    unfinished.
    """

    num_damaged: int = 0
    """Number of lines that were damaged after they were written."""

    def __init__(self, file: IO[bytes], identity: Identity, directory: Path) -> None:
        """Read the records of an earlier process, or start with the identity.

        Args:
            file: The locked journal file.
            identity: Identity of the dataset of this process.
            directory: The dataset, to check that the recorded files exist.

        Raises:
            DatasetError: If the file is the journal of another dataset or release, or its first
                line is damaged.
        """
        self._file, self._lock = file, threading.Lock()
        self.records: dict[tuple[str, int], ShardRecord] = {}
        if (size := os.fstat(file.fileno()).st_size) > _MOST_BYTES:
            _refuse_large(directory, f"{size} bytes")
        file.seek(0)
        lines = _whole_lines(file)
        first = next(lines, None)
        if first is None:
            file.truncate(0)
            self._append(identity.model_dump_json())
            return
        if first.startswith(b"{"):
            _refuse_line(directory, "one of an earlier form, without checksums")
        content = _content(first)
        if content is None:
            _refuse_line(directory, "a damaged one")
        found, wanted = json.loads(content), json.loads(identity.model_dump_json())
        if found != wanted:
            _refuse_other_device(found, identity, directory)
            raise DatasetError(
                f"{NEW_OR_UNFINISHED}; got an unfinished one of another recipe, format or version "
                f"({directory}). Choose another directory, or delete this one ({DELETE})."
            )
        size = len(first) + 1
        for line in lines:
            size += len(line) + 1
            content = _content(line) if len(line) <= _LONGEST_RECORD else None
            if content is None:
                self.num_damaged += 1
                continue
            record = ShardRecord.model_validate_json(content)
            if all(_is_whole(directory, entry) for entry in record.files):
                self.records[record.split, record.index] = record
            if len(self.records) > _MOST_RECORDS:
                _refuse_large(directory, f"more than {_MOST_RECORDS} shards")
        file.truncate(size)

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
        content = line.encode()
        self._file.write(b"%08x %s\n" % (zlib.crc32(content), content))
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


def _whole_lines(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines without their ends; one without an end was cut off by a kill."""
    for line in file:
        if line.endswith(b"\n"):
            yield line[:-1]


def _content(line: bytes) -> bytes | None:
    """The JSON of a line; None if it is not that of the checksum before it."""
    content = line[9:]
    return content if line[:9] == b"%08x " % zlib.crc32(content) else None


def _refuse_other_device(found: object, identity: Identity, directory: Path) -> None:
    """Refuse the journal of the same dataset if other devices began to compute its labels.

    Their labels differ by a rounding, and a manifest names one device for all.
    """
    here = identity.label_device
    other = found.get("label_device") if isinstance(found, dict) else None
    if not (isinstance(found, dict) and here and isinstance(other, dict)):
        return
    if {**found, "label_device": here.model_dump(mode="json")} != identity.model_dump(mode="json"):
        return
    there = LabelDevice.model_validate(other)
    raise DatasetError(
        "The labels of an unfinished dataset (OUT) must all be computed on one kind of device; got "
        f"{there.in_words} before, and {here.in_words} now ({directory}). Go on with device "
        f"{there.platform} where it was begun, or delete this one ({DELETE})."
    )


def _refuse_large(directory: Path, got: str) -> NoReturn:
    raise DatasetError(
        f"The journal of an unfinished dataset must have at most {_MOST_BYTES} bytes and "
        f"{_MOST_RECORDS} shards; got {got} ({directory / JOURNAL_NAME}). "
        f"Delete the directory first ({DELETE})."
    )


def _refuse_line(directory: Path, got: str) -> NoReturn:
    raise DatasetError(
        f"The first line of the journal of an unfinished dataset must have its checksum; got {got} "
        f"({directory / JOURNAL_NAME}). Delete the directory first ({DELETE})."
    )


def _is_whole(directory: Path, entry: FileEntry) -> bool:
    path = directory / entry.path
    return path.is_file() and path.stat().st_size == entry.bytes

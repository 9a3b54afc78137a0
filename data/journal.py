"""The journal of an unfinished dataset: its description, and its finished shards.

A file describes the dataset, and makers enter one for each finished shard. So no two processes
write to the same file, and any file system or store will do.
"""

import json
import re
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn

from pydantic import ValidationError

from hypermagnetics.config import Config
from hypermagnetics.data.destination import Destination
from hypermagnetics.data.layout import ArrayName
from hypermagnetics.data.manifest import FileEntry, Identity, LabelDevice
from hypermagnetics.data.statistics import Sums
from hypermagnetics.errors import DatasetError

JOURNAL_NAME = "journal"
"""Directory of the journal."""
DATASET_ENTRY = f"{JOURNAL_NAME}/dataset.json"
"""Description of the dataset in the making; as long as it is there, no writer begins another."""
EARLIER_NAME = "journal.jsonl"
"""The journal as earlier releases wrote it, in one file."""
_RECORD = re.compile(rf"{JOURNAL_NAME}/([^/]+)-(\d{{5,}})\.json")
_UPLOAD = b'{"upload":"%s"}\n'
_ENTRY = re.compile(rb'\{"crc32":"([0-9a-f]{8})","entry":(.*)\}\n', re.DOTALL)
_READ_AT_ONCE = 16
MOST_ENTRY = 1 << 20
"""Most bytes of a file of the journal."""
_MOST_RECORDS = 1 << 18
"""A manifest has room for less than so many shards."""
_MOST_BYTES = _MOST_RECORDS << 10
NEW_OR_UNFINISHED = (
    "The place of a dataset (OUT) must be new, empty or an unfinished dataset of the same recipe"
)
"""Rule of the place in which a dataset is written, for messages."""
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
    """The shards of a dataset that are finished, as far as is known here."""

    num_damaged: int = 0
    """Number of records that were damaged after they were written; their shards are unfinished."""

    def __init__(self, destination: Destination, identity: Identity) -> None:
        """Begin the journal, or read the records of earlier processes.

        Args:
            destination: Where the dataset is made.
            identity: Identity of the dataset of this process.

        Raises:
            DatasetError: If another dataset or release began here, or its entry is damaged.
        """
        content = _encoded(identity.model_dump_json())
        if not destination.create(DATASET_ENTRY, content):
            _refuse_another(destination.read(DATASET_ENTRY, MOST_ENTRY), identity, destination)
        self.records: dict[tuple[str, int], ShardRecord] = {}
        sizes = destination.sizes()
        for record in self._read(destination, identity, sizes):
            if all(sizes.get(entry.path) == entry.bytes for entry in record.files):
                self.records[record.split, record.index] = record

    def add(self, record: ShardRecord) -> None:
        """Count a shard that a maker has entered."""
        self.records[record.split, record.index] = record

    def _read(
        self, destination: Destination, identity: Identity, sizes: dict[str, int]
    ) -> Iterator[ShardRecord]:
        """The sound records of a destination."""
        names = [name for name in sizes if _RECORD.fullmatch(name)]
        total = sum(sizes[name] for name in names)
        if len(names) > _MOST_RECORDS or total > _MOST_BYTES:
            _refuse_large(destination, f"{total} bytes for {len(names)} shards")

        def read(name: str) -> bytes:
            if sizes[name] > MOST_ENTRY:
                return b""
            return destination.read(name, MOST_ENTRY)

        with ThreadPoolExecutor(_READ_AT_ONCE) as threads:
            for name, content in zip(names, threads.map(read, names), strict=True):
                record = _record_of(content, identity)
                if record is None or name != _name_of(record):
                    self.num_damaged += 1
                else:
                    yield record


def enter(destination: Destination, identity: Identity, record: ShardRecord) -> None:
    """Record a shard whose files are in their place; for its maker, in any process.

    Args:
        destination: Where the dataset is made.
        identity: Identity of the dataset.
        record: The shard.
    """
    content = _encoded(record.model_dump_json(), _crc_of(identity))
    destination.enter(_name_of(record), content)


def entry_of_upload(sha256: str) -> bytes:
    """The entry of a dataset that is uploaded, in place of that of one that is being made.

    Args:
        sha256: That of its manifest.
    """
    return _UPLOAD % sha256.encode()


def _name_of(record: ShardRecord) -> str:
    return f"{JOURNAL_NAME}/{record.split}-{record.index:05d}.json"


def _encoded(text: str, start: int = 0) -> bytes:
    """An entry with its checksum, as JSON."""
    content = text.encode()
    return b'{"crc32":"%08x","entry":%s}\n' % (zlib.crc32(content, start), content)


def _decoded(content: bytes, start: int = 0) -> bytes | None:
    """The JSON of an entry; None if it is not that of its checksum."""
    found = _ENTRY.fullmatch(content)
    if found is None or int(found[1], 16) != zlib.crc32(found[2], start):
        return None
    return found[2]


def _crc_of(identity: Identity) -> int:
    """Start of the checksums of records, so that those of another dataset are no sound ones."""
    return zlib.crc32(identity.model_dump_json().encode())


def _record_of(content: bytes, identity: Identity) -> ShardRecord | None:
    text = _decoded(content, _crc_of(identity))
    try:
        return None if text is None else ShardRecord.model_validate_json(text)
    except ValidationError:  # a checksum of 32 bits, by chance
        return None


def _refuse_another(content: bytes, identity: Identity, destination: Destination) -> None:
    """Refuse the entry of another dataset than the one to be made."""
    if content.startswith(_UPLOAD[:10]):
        raise DatasetError(
            f"{NEW_OR_UNFINISHED}; got an upload that is not complete ({destination}). Choose "
            f"another URL, give the command of the upload again, or delete it ({DELETE})."
        )
    if (text := _decoded(content)) is None:
        raise DatasetError(
            "An unfinished dataset must say what is being made, with a checksum; got a damaged "
            f"{DATASET_ENTRY} ({destination}). Delete the dataset first ({DELETE})."
        )
    found, wanted = json.loads(text), json.loads(identity.model_dump_json())
    if found != wanted:
        _refuse_other_device(found, identity, destination)
        raise DatasetError(
            f"{NEW_OR_UNFINISHED}; got an unfinished one of another recipe, format or version "
            f"({destination}). Choose another {destination.kind}, or delete this one ({DELETE})."
        )


def _refuse_other_device(found: object, identity: Identity, destination: Destination) -> None:
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
        f"{there.in_words} before, and {here.in_words} now ({destination}). Go on with device "
        f"{there.platform} where it was begun, or delete this one ({DELETE})."
    )


def _refuse_large(destination: Destination, got: str) -> NoReturn:
    raise DatasetError(
        f"The journal of an unfinished dataset must have at most {_MOST_BYTES} bytes and "
        f"{_MOST_RECORDS} shards; got {got} ({destination}/{JOURNAL_NAME}). "
        f"Delete the dataset first ({DELETE})."
    )

"""Writing a dataset: shard by shard, each whole or absent, and the manifest as the commit.

A process killed at any moment leaves a place without manifest.json; the same call goes on with the
shards that are not finished, and ends with the bytes of an undisturbed run.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypermagnetics.data.card import dataset_card
from hypermagnetics.data.destination import Destination
from hypermagnetics.data.in_directory import LOCK_NAME, InDirectory
from hypermagnetics.data.in_store import InStore
from hypermagnetics.data.journal import (
    DATASET_ENTRY,
    DELETE,
    EARLIER_NAME,
    JOURNAL_NAME,
    NEW_OR_UNFINISHED,
    Journal,
    ShardRecord,
)
from hypermagnetics.data.layout import (
    DECLARED_BY_PROGRAMS,
    SOURCE_ARRAYS,
    AnyLayout,
    ArrayName,
    Shard,
)
from hypermagnetics.data.manifest import (
    CARD_NAME,
    CHECKSUMS_NAME,
    MANIFEST_NAME,
    MOST_BYTES,
    ArrayEntry,
    Discretisation,
    FileEntry,
    Identity,
    Manifest,
    SplitEntry,
    checksums,
    parse_manifest,
)
from hypermagnetics.data.shard_writer import ShardWriter, file_entry, shard_storage, write_shard
from hypermagnetics.data.statistics import statistics_of
from hypermagnetics.data.stores import is_url
from hypermagnetics.errors import DatasetError
from hypermagnetics.files import write_text_atomically
from hypermagnetics.log import SILENT, Listener

_ARRAY = "|".join((*SOURCE_ARRAYS, *DECLARED_BY_PROGRAMS))
_TOP = (MANIFEST_NAME, CHECKSUMS_NAME, CARD_NAME, LOCK_NAME, EARLIER_NAME, DATASET_ENTRY)
OURS = re.compile(
    "|".join(
        (
            *map(re.escape, _TOP),
            rf"{JOURNAL_NAME}/[^/]+-\d+\.json",
            rf"[^/]+\.zarr/(({_ARRAY})/)?zarr\.json",
            rf"[^/]+\.zarr/({_ARRAY})/c(/\d+)+",
            r"[^/]+/shard-\d+\.h5",
        )
    )
)
"""Paths of the files that a dataset of the programs may hold."""


def destination_of(where: Path | str) -> Destination:
    """The destination that a path or a URL names.

    Args:
        where: A directory, or the URL of a place in an object store.

    Raises:
        HypermagneticsError: If it is no such URL, or the extra `stores` is not installed.
    """
    return InStore(str(where)) if is_url(str(where)) else InDirectory(Path(where))


class DatasetWriter:
    """Writes the shards of one dataset, in any order, and completes it."""

    def __init__(
        self,
        destination: Destination,
        identity: Identity,
        journal: Journal,
        lock: int | None,
        finished: Manifest | None,
    ) -> None:
        """Use `DatasetWriter.open`, which holds the lock."""
        self.destination = destination
        """Where the dataset is made."""
        self.lock = lock
        """Descriptor of the file that carries the lock, for processes that write shards."""
        self._identity, self._journal, self._finished = identity, journal, finished

    @classmethod
    @contextmanager
    def open(
        cls, where: Path | str, identity: Identity, listener: Listener = SILENT
    ) -> Iterator["DatasetWriter"]:
        """Begin a dataset, or resume an unfinished one of the same identity.

        Args:
            where: Directory of the dataset, or its URL in an object store.
            identity: Identity of the dataset to be made.
            listener: Is told of damage to the journal.

        Yields:
            The writer. In a directory it is the only one as long as the block lasts; in a store
            others may make the same dataset at the same time, and no other dataset.

        Raises:
            DatasetError: If something else is there.
        """
        destination = destination_of(where)
        destination.refuse_unusable()
        _refuse_foreign(destination)
        with destination.only_writer() as lock:
            journal = Journal(destination, identity)
            if journal.num_damaged:
                listener.tell(
                    f"Every record of a journal must have its checksum; got {journal.num_damaged} "
                    f"damaged ({destination}/{JOURNAL_NAME}). Their shards are made anew; check "
                    "the disk."
                )
            yield cls(destination, identity, journal, lock, _finished_one(destination, identity))

    def has(self, split: str, shard: Shard) -> bool:
        """Whether an earlier process finished this shard."""
        return self._finished is not None or (split, shard.number) in self._journal.records

    @contextmanager
    def shard(self, split: str, shard: Shard) -> Iterator[ShardWriter]:
        """Write one shard; it counts when the block ends, and an error there leaves no trace of it.

        Threads may write different shards at the same time.
        """
        with write_shard(self.destination, self._identity, split, shard) as writer:
            yield writer
        self.add(writer.record)

    def add(self, record: ShardRecord) -> None:
        """Count a shard written by `write_shard`, perhaps in another process."""
        self._journal.add(record)

    def write_metadata(self) -> None:
        """Write the files without values; to be called once, at any time before `finish`."""
        if self._finished is not None:
            return
        for split in self._identity.splits:
            with self.destination.files_made(0) as directory:
                storage = shard_storage(directory, self._identity, split)
                for path, content in storage.metadata().items():
                    write_text_atomically(directory / path, content.decode())
                paths = storage.metadata_paths()
                files = tuple(file_entry(directory, path, split, 0, 0) for path in paths)
                self.destination.keep(directory, files, storage.check_metadata)

    def finish(self, discretisation: Discretisation | None = None) -> Manifest:
        """Write card and checksums, read back, and write the manifest last, which ends the work.

        Args:
            discretisation: Estimated error of the labels of soft bodies, if known.

        Raises:
            DatasetError: If a reader would refuse the dataset, which then stays unfinished.
        """
        manifest = self._finished or self._completed(discretisation)
        self.destination.end_journal()
        return manifest

    def _completed(self, discretisation: Discretisation | None) -> Manifest:
        destination, records = self.destination, self._journal.records
        destination.settle()
        files: list[FileEntry] = []
        for split, layout in self._identity.splits.items():
            # Names alone: the files lie at the destination.
            for path in shard_storage(Path(), self._identity, split).metadata_paths():
                files.append(destination.entry(path, split))
            for shard in layout.shards():
                files.extend(records[split, shard.number].files)
        manifest = self._manifest(tuple(files), discretisation)
        text = manifest.to_json()
        destination.write(CARD_NAME, dataset_card(manifest).encode())
        destination.write(CHECKSUMS_NAME, checksums(text, manifest.files).encode())
        last_blocks = {place: record.last_block for place, record in records.items()}
        destination.refuse_unreadable(text, last_blocks)
        destination.commit(text)
        return manifest

    def _manifest(
        self, files: tuple[FileEntry, ...], discretisation: Discretisation | None
    ) -> Manifest:
        splits = {name: self._split(name, layout) for name, layout in self._identity.splits.items()}
        own = {"splits": splits, "files": files, "discretisation": discretisation}
        return Manifest.model_validate({**dict(self._identity), **own})

    def _split(self, split: str, layout: AnyLayout) -> SplitEntry:
        parts = [self._journal.records[split, shard.number].sums for shard in layout.shards()]
        arrays: dict[ArrayName, ArrayEntry] = {}
        for spec in layout.arrays():
            arrays[spec.name] = ArrayEntry(
                dtype=spec.dtype.name,
                shape=spec.shape,
                dimensions=spec.dimensions,
                unit=spec.unit,
                statistics=statistics_of([part[spec.name] for part in parts if spec.name in part]),
            )
        return SplitEntry(layout=layout, arrays=arrays)


def remove_dataset(where: Path | str) -> None:
    """Delete a dataset, finished or not.

    Args:
        where: Directory of the dataset, or its URL in an object store; nothing happens if it is
            absent.

    Raises:
        DatasetError: If something else is there.
        HypermagneticsError: If another process writes it.
    """
    destination = destination_of(where)
    destination.refuse_unusable()
    if destination.is_empty():
        return
    if not any(map(destination.has, (MANIFEST_NAME, destination.mark, EARLIER_NAME))):
        raise DatasetError(
            f"A {destination.kind} to overwrite must hold a dataset; got {str(destination)!r} with "
            f"neither {MANIFEST_NAME} nor {destination.mark}. Choose another {destination.kind} "
            "(OUT)."
        )
    if foreign := destination.first_foreign(OURS):
        raise DatasetError(
            f"A dataset to overwrite must hold no other files; got {foreign!r} ({destination}). "
            f"Move that file away, or choose another {destination.kind} (OUT)."
        )
    with destination.only_writer():
        destination.clear()


def _refuse_foreign(destination: Destination) -> None:
    # With both, the process that wrote the manifest was killed before it removed the journal.
    is_marked = destination.has(destination.mark)
    if destination.has(MANIFEST_NAME) and not is_marked:
        raise _is_finished(destination)
    if is_marked or destination.is_empty():
        return
    got, repair = f"a {destination.kind} with other files", ""
    if destination.has(EARLIER_NAME):
        got = f"an unfinished one of an earlier release, with {EARLIER_NAME}"
        repair = f", or delete this one ({DELETE})"
    raise DatasetError(
        f"{NEW_OR_UNFINISHED}; got {got} ({destination}). Choose another {destination.kind}"
        f"{repair}."
    )


def _finished_one(destination: Destination, identity: Identity) -> Manifest | None:
    """The manifest of a finished dataset whose journal is still there."""
    if not destination.has(MANIFEST_NAME):
        return None
    text = destination.read(MANIFEST_NAME, MOST_BYTES)
    manifest, _ = parse_manifest(text, f"{destination}/{MANIFEST_NAME}")
    if manifest.identity.model_dump_json() != identity.model_dump_json():
        # Another program has finished it since.
        destination.end_journal()
        raise _is_finished(destination)
    return manifest


def _is_finished(destination: Destination) -> DatasetError:
    return DatasetError(
        f"{NEW_OR_UNFINISHED}; got a finished dataset ({destination}). Use it as it is, choose "
        f"another {destination.kind}, or delete it ({DELETE})."
    )

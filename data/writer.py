"""Writing a dataset: shard by shard, each whole or absent, and the manifest as the commit.

A process killed at any moment leaves a directory without manifest.json; the same call goes on
after the last finished shard and ends with the bytes of an undisturbed run.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypermagnetics.data.card import dataset_card
from hypermagnetics.data.journal import (
    DELETE,
    JOURNAL_NAME,
    NEW_OR_UNFINISHED,
    Journal,
    ShardRecord,
    open_journal,
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
    ArrayEntry,
    Discretisation,
    FileEntry,
    Identity,
    Manifest,
    SplitEntry,
    checksums,
)
from hypermagnetics.data.read_back import refuse_unreadable
from hypermagnetics.data.shard_writer import ShardWriter, file_entry, shard_storage, write_shard
from hypermagnetics.data.statistics import statistics_of
from hypermagnetics.data.storage import SplitStorage
from hypermagnetics.errors import DatasetError
from hypermagnetics.files import (
    first_foreign_file,
    only_writer,
    remove_contents,
    remove_parts,
    sync_directories,
    write_text_atomically,
)
from hypermagnetics.log import SILENT, Listener

_ARRAY = "|".join((*SOURCE_ARRAYS, *DECLARED_BY_PROGRAMS))
OURS = re.compile(
    "|".join(
        (
            *map(re.escape, (MANIFEST_NAME, CHECKSUMS_NAME, CARD_NAME, JOURNAL_NAME)),
            rf"[^/]+\.zarr/(({_ARRAY})/)?zarr\.json",
            rf"[^/]+\.zarr/({_ARRAY})/c(/\d+)+",
            r"[^/]+/shard-\d+\.h5",
        )
    )
)
"""Paths of the files that a dataset of the programs may hold."""


class DatasetWriter:
    """Writes the shards of one dataset, in any order, and completes it."""

    def __init__(self, directory: Path, identity: Identity, journal: Journal) -> None:
        """Use `DatasetWriter.open`, which holds the lock."""
        self._directory, self._identity, self._journal = directory, identity, journal

    @classmethod
    @contextmanager
    def open(
        cls, directory: Path, identity: Identity, listener: Listener = SILENT
    ) -> Iterator["DatasetWriter"]:
        """Begin a dataset, or resume an unfinished one of the same identity.

        Args:
            directory: Directory of the dataset.
            identity: Identity of the dataset to be made.
            listener: Is told of damage to the journal.

        Yields:
            The writer, the only one as long as the block lasts.

        Raises:
            DatasetError: If something else is there.
        """
        _refuse_foreign(directory)
        with open_journal(directory, identity) as journal:
            _refuse_foreign(directory)
            if journal.num_damaged:
                listener.tell(
                    f"Every line of a journal must have its checksum; got {journal.num_damaged} "
                    f"damaged ({directory / JOURNAL_NAME}). The shards without a sound line are "
                    "made anew; check the disk."
                )
            remove_parts(directory)
            writer = cls(directory, identity, journal)
            if (directory / MANIFEST_NAME).exists() and not writer._has_all():
                raise _finished(directory)  # by another process, meanwhile
            yield writer

    def has(self, split: str, shard: Shard) -> bool:
        """Whether an earlier process finished this shard."""
        return (split, shard.number) in self._journal.records

    def _has_all(self) -> bool:
        layouts = self._identity.splits.items()
        return all(self.has(name, one) for name, layout in layouts for one in layout.shards())

    @contextmanager
    def shard(self, split: str, shard: Shard) -> Iterator[ShardWriter]:
        """Write one shard; it counts when the block ends, and an error there leaves no trace of it.

        Threads may write different shards at the same time.
        """
        with write_shard(self._directory, self._identity, split, shard) as writer:
            yield writer
        self.add(writer.record)

    def add(self, record: ShardRecord) -> None:
        """Record a shard written by `write_shard`, perhaps in another process."""
        self._journal.add(record)

    @property
    def lock(self) -> int:
        """Descriptor of the file that carries the lock, for processes that write shards."""
        return self._journal.lock

    def write_metadata(self) -> None:
        """Write the files without values; to be called once, at any time before `finish`."""
        for split in self._identity.splits:
            for path, content in self._storage(split).metadata().items():
                write_text_atomically(self._directory / path, content.decode())

    def finish(self, discretisation: Discretisation | None = None) -> Manifest:
        """Write card and checksums, read back, and write the manifest last, which ends the work.

        Args:
            discretisation: Estimated error of the labels of soft bodies, if known.

        Raises:
            DatasetError: If a reader would refuse the dataset, which then stays unfinished.
        """
        remove_parts(self._directory)  # of makers that another one has overtaken
        sync_directories(self._directory)
        files: list[FileEntry] = []
        for split, layout in self._identity.splits.items():
            for path in self._storage(split).metadata_paths():
                files.append(file_entry(self._directory, path, split, 0, 0))
            for shard in layout.shards():
                files.extend(self._journal.records[split, shard.number].files)
        manifest = self._manifest(tuple(files), discretisation)
        text = manifest.to_json()
        write_text_atomically(self._directory / CARD_NAME, dataset_card(manifest))
        write_text_atomically(self._directory / CHECKSUMS_NAME, checksums(text, manifest.files))
        last_blocks = {place: record.last_block for place, record in self._journal.records.items()}
        refuse_unreadable(self._directory, text, last_blocks)
        write_text_atomically(self._directory / MANIFEST_NAME, text)
        (self._directory / JOURNAL_NAME).unlink()
        return manifest

    def _storage(self, split: str) -> SplitStorage:
        return shard_storage(self._directory, self._identity, split)

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


def remove_dataset(directory: Path) -> None:
    """Delete a dataset, finished or not.

    Args:
        directory: The dataset; nothing happens if it is absent.

    Raises:
        DatasetError: If the directory holds something else.
        HypermagneticsError: If another process writes it.
    """
    if not directory.exists() or (directory.is_dir() and not any(directory.iterdir())):
        return
    if not any((directory / name).is_file() for name in (MANIFEST_NAME, JOURNAL_NAME)):
        raise DatasetError(
            f"A directory to overwrite must hold a dataset; got {str(directory)!r} with neither "
            f"{MANIFEST_NAME} nor {JOURNAL_NAME}. Choose another directory (OUT)."
        )
    if foreign := first_foreign_file(directory, OURS):
        raise DatasetError(
            f"A dataset to overwrite must hold no other files; got {foreign!r} ({directory}). "
            "Move that file away, or choose another directory (OUT)."
        )
    # The journal, made if absent, carries the lock and goes last: a process killed in between
    # leaves an unfinished dataset. The manifest goes first, so that a reader never meets half of
    # one. The directory itself stays: it may be a link or a mount point.
    with only_writer(directory / JOURNAL_NAME, "A dataset"):
        (directory / MANIFEST_NAME).unlink(missing_ok=True)
        remove_contents(directory, JOURNAL_NAME)
        (directory / JOURNAL_NAME).unlink()


def _refuse_foreign(directory: Path) -> None:
    if directory.exists() and not directory.is_dir():
        raise DatasetError(
            f"The place of a dataset (OUT) must be a directory; got {str(directory)!r}, which is a "
            "file. Choose another directory."
        )
    # With both, the process that wrote the manifest was killed before it removed the journal.
    if (directory / MANIFEST_NAME).exists() and not (directory / JOURNAL_NAME).exists():
        raise _finished(directory)
    if (directory / JOURNAL_NAME).exists() or not directory.exists():
        return
    if any(directory.iterdir()):
        raise DatasetError(
            f"{NEW_OR_UNFINISHED}; got a directory with other files ({directory}). Choose "
            "another directory."
        )


def _finished(directory: Path) -> DatasetError:
    return DatasetError(
        f"{NEW_OR_UNFINISHED}; got a finished dataset ({directory}). Use it as it is, choose "
        f"another directory, or delete it ({DELETE})."
    )

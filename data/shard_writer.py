"""Writes one shard: checks, counts and stores blocks; its files appear when it is complete."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from hypermagnetics.data.destination import Destination
from hypermagnetics.data.formats import split_storage
from hypermagnetics.data.journal import ShardRecord, enter
from hypermagnetics.data.layout import AnyBlock, AnyLayout, Block, Per, Shard
from hypermagnetics.data.manifest import FileEntry, Identity
from hypermagnetics.data.padding import refuse_bad_padding
from hypermagnetics.data.read_back import crc32_of, refuse_other_values
from hypermagnetics.data.statistics import Gatherer
from hypermagnetics.data.storage import ShardSink, SplitPlace, SplitStorage
from hypermagnetics.errors import DatasetError, LabelError
from hypermagnetics.files import sha256_of


class ShardWriter:
    """Checks blocks, gathers their statistics and hands them to the storage."""

    record: ShardRecord
    """Record of the shard in the journal; set once it is written."""

    last_block: AnyBlock
    """The last block of the shard; set once it is appended."""

    def __init__(self, sink: ShardSink, split: str, shard: Shard, layout: AnyLayout) -> None:
        """Start before the first block of the shard."""
        self._sink, self._split, self._layout = sink, split, layout
        self._next_sample = shard.first_sample
        self._end = shard.first_sample + shard.num_samples
        self.statistics = Gatherer(layout.declared_specs)

    def append(self, block: AnyBlock) -> None:
        """Write one block.

        Raises:
            LabelError: If a value is not finite; the message names the sample.
            DatasetError: If padding is wrong, or a declared array has another shape than declared.
        """
        place = f"split {self._split!r}, block from sample {self._next_sample}"
        if isinstance(block, Block):
            refuse_bad_padding(block, place)
        self._refuse_other_shapes(block, place)
        if not self.statistics.add(block):
            for spec in self._layout.arrays():
                refuse_nonfinite(
                    spec.name, block.values(spec.name), self._split, self._next_sample, spec.per
                )
        self._sink.append(block)
        self._next_sample += block.num_samples
        if self._next_sample == self._end:
            self.last_block = block

    def _refuse_other_shapes(self, block: AnyBlock, place: str) -> None:
        number = self._next_sample // self._layout.samples_per_block
        for spec in self._layout.declared_specs:
            rows = (len(self._layout.block_rows(spec.name, number)),)
            wanted = (*(rows if spec.per == "sample" else ()), *spec.shape[1:])
            if (found := block.values(spec.name).shape) != wanted:
                raise DatasetError(
                    f"{spec.name!r} must have shape {list(wanted)} in this block, as declared; "
                    f"got {list(found)} ({place}). Declare another shape, or write others."
                )

    def refuse_unfinished(self) -> None:
        """Refuse a shard without exactly all its samples.

        Raises:
            DatasetError: If there were fewer or more.
        """
        if self._next_sample != self._end:
            raise DatasetError(
                f"A shard must get all its samples; got samples up to {self._next_sample} of "
                f"{self._end} (split {self._split!r}). Append all its blocks."
            )


@contextmanager
def write_shard(
    destination: Destination, identity: Identity, split: str, shard: Shard
) -> Iterator[ShardWriter]:
    """Write the files of one shard and enter it in the journal, in any process on any machine.

    Args:
        destination: Where the dataset is made.
        identity: Identity of the dataset.
        split: Name of the split.
        shard: The shard.

    Yields:
        The writer. When the block ends, its `record` is set; an error leaves no trace.
    """
    layout = identity.splits[split]
    with destination.files_made(shard.num_blocks * layout.block_bytes) as directory:
        storage = shard_storage(directory, identity, split)
        with storage.shard_sink(shard) as sink:
            writer = ShardWriter(sink, split, shard, layout)
            yield writer
            writer.refuse_unfinished()
        record = ShardRecord(
            split=split,
            index=shard.number,
            files=tuple(
                file_entry(directory, path, split, shard.first_sample, shard.num_samples)
                for path in storage.shard_paths(shard)
            ),
            sums=writer.statistics.sums(),
            last_block=crc32_of(writer.last_block, layout),
        )
        read_back = partial(refuse_other_values, storage, layout, shard, writer.last_block)
        destination.keep(directory, record.files, read_back)
    enter(destination, identity, record)
    writer.record = record


def shard_storage(directory: Path, identity: Identity, split: str) -> SplitStorage:
    """The storage of a split of an unfinished dataset."""
    return split_storage(
        identity.storage_format,
        SplitPlace(
            directory,
            split,
            identity.splits[split],
            identity.compression,
            identity.columns,
            identity.column_units,
        ),
    )


def file_entry(directory: Path, path: str, split: str, first: int, count: int) -> FileEntry:
    """The manifest's entry of a complete file."""
    file = directory / path
    return FileEntry(path, split, first, count, file.stat().st_size, sha256_of(file))


def refuse_nonfinite(
    name: str, values: np.ndarray, split: str, first_sample: int, per: Per = "sample"
) -> None:
    """Refuse values of a block that are no numbers.

    Args:
        name: Name of the array.
        values: Its part in the block, a sample after another; or its one row, as of the grid.
        split: Name of the split.
        first_sample: Number of the first sample of the block.
        per: Whether each sample has a row, or the block as a whole.

    Raises:
        LabelError: If a value is not finite.
    """
    if not (finite := np.isfinite(values)).all():
        index = int(np.argwhere(~finite)[0][0])
        place = name if per == "block" else f"sample {first_sample + index}"
        raise LabelError(
            f"The {name} must be finite; got {values[~finite][0]} (split {split!r}, {place} "
            f"of the block from sample {first_sample}; rule V1). Change the recipe so that no "
            "point meets a singularity and no value leaves the range of float32."
        )

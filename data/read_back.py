"""Check of a dataset by the code that reads it, before its manifest is written."""

import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hypermagnetics.data.dataset import Dataset
from hypermagnetics.data.dataset_files import DatasetFiles
from hypermagnetics.data.layout import AnyBlock, AnyLayout, Shard
from hypermagnetics.data.manifest import parse_manifest
from hypermagnetics.data.split import AnySplit
from hypermagnetics.data.storage import SplitStorage
from hypermagnetics.errors import DatasetError


def crc32_of(block: AnyBlock, layout: AnyLayout) -> int:
    """The CRC-32 of the values of a block, in the types in which they are stored.

    Args:
        block: The block.
        layout: Layout of its split.

    Returns:
        The checksum, over all arrays in their order.
    """
    crc = 0
    for spec in layout.arrays():
        values = np.ascontiguousarray(block.values(spec.name), dtype=spec.dtype)
        crc = zlib.crc32(values.data, crc)
    return crc


def refuse_unreadable(
    directory: Path, manifest_text: str, last_blocks: Mapping[tuple[str, int], int]
) -> None:
    """Open a dataset as a training does, and read the last block of every shard.

    Args:
        directory: The dataset; its manifest need not be there yet.
        manifest_text: Text of the manifest to be written.
        last_blocks: The `crc32_of` the last block of each shard, by split and number of the shard.

    Raises:
        DatasetError: If a reader would refuse it, or would read other values.
    """
    try:
        dataset = Dataset.described_by(
            directory, *parse_manifest(manifest_text.encode(), directory)
        )
        for name in dataset.splits:
            _read_shards(dataset.any_split(name), last_blocks)
    except DatasetError as error:
        raise unreadable(error, f"delete {directory}, and write the dataset again") from error


def unreadable(error: DatasetError, repair: str) -> DatasetError:
    """The error of a writer whose files a reader refuses.

    Args:
        error: Error of the reader.
        repair: What to do, besides checking disk and versions.
    """
    # The reader's advice is meant for a dataset that was copied from elsewhere.
    finding, _, _ = str(error).rpartition(". ")
    return DatasetError(
        f"A written dataset must read back unchanged; got: {finding}. Check the disk and the "
        f"versions of zarr and h5py, {repair}."
    )


def refuse_other_values(
    storage: SplitStorage, layout: AnyLayout, shard: Shard, last: AnyBlock, files: DatasetFiles
) -> None:
    """Map one shard as a reader does, and compare its last block with the written one.

    Args:
        storage: Storage of its split.
        layout: Layout of its split.
        shard: The shard.
        last: Its last block, as it was written.
        files: Its files.

    Raises:
        DatasetError: If a reader would refuse the shard, or would read other values.
    """
    number = shard.first_block + shard.num_blocks - 1
    for name, rows in storage.map_shard(shard, files).items():
        spec, within = layout.array(name), layout.block_rows(name, number)
        first = layout.rows(name, shard).start
        if not within:  # the samples with a row have come before
            continue
        found = rows.part(within.start - first, within.stop - first)
        written = np.ascontiguousarray(last.values(name), dtype=spec.dtype)
        if np.ascontiguousarray(found).tobytes() != written.tobytes():
            raise DatasetError(
                f"A block must read back with the written values; got other values (block "
                f"{number}: {name}). Write it again."
            )


def _read_shards(split: AnySplit, last_blocks: Mapping[tuple[str, int], int]) -> None:
    for shard in split.layout.shards():
        # The last one, as its place follows from those of all others.
        block = shard.first_block + shard.num_blocks - 1
        if crc32_of(split.block(block), split.layout) != last_blocks[split.name, shard.number]:
            raise DatasetError(
                f"A block must read back with the written values; got other values (split "
                f"{split.name!r}, block {block}: {', '.join(split.shard_paths(shard))}). "
                "Write it again."
            )

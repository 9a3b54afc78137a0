"""Interface of a storage format for one split."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from hypermagnetics.data.dataset_files import DatasetFiles
from hypermagnetics.data.layout import AnyBlock, AnyLayout, ArrayName, Compression, Shard
from hypermagnetics.data.rows import ArrayRows


@dataclass(frozen=True)
class SplitPlace:
    """A split inside a dataset directory."""

    directory: Path
    split: str
    layout: AnyLayout
    compression: Compression
    columns: tuple[str, ...]
    """Names of the columns of `sources`."""
    column_units: tuple[str, ...]


@runtime_checkable
class ShardSink(Protocol):
    """Takes the blocks of one shard in order."""

    def append(self, block: AnyBlock) -> None:
        """Write one block."""


@runtime_checkable
class SplitStorage(Protocol):
    """Files of one split in one format. All paths are relative to the dataset."""

    def metadata(self) -> dict[str, bytes]:
        """Content of the files without values, by path."""

    def metadata_paths(self) -> tuple[str, ...]:
        """Paths of the files without values."""

    def check_metadata(self, files: DatasetFiles) -> None:
        """Raise DatasetError if metadata differs from the manifest."""

    def shard_paths(self, shard: Shard) -> tuple[str, ...]:
        """Paths of the files of one shard."""

    def shard_sink(self, shard: Shard) -> AbstractContextManager[ShardSink]:
        """Write one shard; its files take their names when the block ends without an error."""

    def map_shard(self, shard: Shard, files: DatasetFiles) -> dict[ArrayName, ArrayRows]:
        """Map one shard into memory, read-only; DatasetError if it breaks the format."""

"""Zarr v3 storage: one group per split, sharded along the first axis, mapped into memory.

Chunks lie in order, followed by the index of the sharding codec: offset and length of each chunk as
little-endian uint64, then crc32c. So the bytes of an uncompressed shard are one contiguous array.
"""

import mmap
import os
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

import google_crc32c
import numpy as np

from hypermagnetics.data.dataset_files import DatasetFiles
from hypermagnetics.data.layout import AnyBlock, ArrayName, ArraySpec, Shard
from hypermagnetics.data.rows import ArrayRows, CompressedRows, ContiguousRows, encode
from hypermagnetics.data.storage import SplitPlace
from hypermagnetics.data.zarr_metadata import (
    check_array_metadata,
    check_group_metadata,
    chunks_per_shard,
    zarr_metadata,
)
from hypermagnetics.errors import DatasetError
from hypermagnetics.files import first_file

_NO_CHUNK = 2**64 - 1
_CRC_BYTES = 4
_INDEX_ENTRY_BYTES = 16


class ZarrShardSink:
    """Appends blocks to the files of one shard, one per array."""

    def __init__(self, place: SplitPlace, files: Mapping[ArrayName, IO[bytes]]) -> None:
        """Start with empty files, one per array that the shard holds rows of."""
        self._layout, self._compressed = place.layout, place.compression == "zstd"
        self._files = files
        self._lengths: dict[ArrayName, list[int]] = {name: [] for name in files}

    def append(self, block: AnyBlock) -> None:
        """Write one block; every file grows by one inner chunk."""
        for name, file in self._files.items():
            if self._layout.is_shared(name) and self._lengths[name]:
                continue
            spec, values = self._layout.array(name), block.values(name)
            values = values[None] if spec.per == "block" else values
            if not len(values):  # the samples with a row have come before
                continue
            values = np.ascontiguousarray(values, dtype=spec.dtype)
            length = spec.rows_per_block * spec.row_bytes
            if self._compressed:
                frame = encode(values, spec.rows_per_block)
                length = len(frame)
                file.write(frame)
            else:
                file.write(values.data)
                # The last chunk of a split is stored whole, as the format asks; what lies past
                # the array's end is zero and belongs to no sample.
                file.write(bytes(length - values.nbytes))
            self._lengths[name].append(length)

    def close(self) -> None:
        """Write the index of each file."""
        for name, file in self._files.items():
            total = chunks_per_shard(self._layout.array(name), self._layout)
            file.write(_index(self._lengths[name], total))


class ZarrStorage:
    """One split as a Zarr v3 group."""

    def __init__(self, place: SplitPlace) -> None:
        """Name the split; nothing is read or written."""
        self._place, self._layout = place, place.layout
        self._group = f"{place.split}.zarr"

    def metadata(self) -> dict[str, bytes]:
        """The zarr.json of the group and of each array."""
        files = zarr_metadata(self._place)
        return {f"{self._group}/{path}": content for path, content in sorted(files.items())}

    def metadata_paths(self) -> tuple[str, ...]:
        """Paths of the zarr.json of the group and of each array."""
        arrays = (f"{self._group}/{spec.name}/zarr.json" for spec in self._layout.arrays())
        return tuple(sorted((f"{self._group}/zarr.json", *arrays)))

    def check_metadata(self, files: DatasetFiles) -> None:
        """Refuse Zarr metadata that gives another version, shape, type or codec than the manifest.

        Args:
            files: Files of the dataset.

        Raises:
            DatasetError: If an array is of another version, shape, type or codec.
        """
        group = self._place.directory / self._group
        arrays: dict[str, dict[str, Any]] = {}
        for spec in self._layout.arrays():
            with files.open(f"{self._group}/{spec.name}/zarr.json") as file:
                path = group / spec.name / "zarr.json"
                arrays[spec.name] = check_array_metadata(file, path, spec, self._place)
        with files.open(f"{self._group}/zarr.json") as file:
            check_group_metadata(file, group / "zarr.json", arrays)

    def shard_paths(self, shard: Shard) -> tuple[str, ...]:
        """Paths of the files of one shard, one per array that has rows in it."""
        return tuple(self._shard_path(spec, shard) for spec in self._specs(shard))

    @contextmanager
    def shard_sink(self, shard: Shard) -> Iterator[ZarrShardSink]:
        """Write one shard; its files take their names when the block ends without an error."""
        with ExitStack() as stack:
            files = {
                spec.name: stack.enter_context(
                    first_file(self._place.directory / self._shard_path(spec, shard))
                )
                for spec in self._specs(shard)
            }
            sink = ZarrShardSink(self._place, files)
            yield sink
            sink.close()

    def map_shard(self, shard: Shard, files: DatasetFiles) -> dict[ArrayName, ArrayRows]:
        """The rows in the files of one shard, for each array that has rows in it.

        Args:
            shard: The shard.
            files: Files of the dataset.

        Raises:
            DatasetError: If the chunks are not in order, one behind the other.
        """
        return {spec.name: self._map(spec, shard, files) for spec in self._specs(shard)}

    def _specs(self, shard: Shard) -> tuple[ArraySpec, ...]:
        return tuple(s for s in self._layout.arrays() if self._layout.rows(s.name, shard))

    def _shard_path(self, spec: ArraySpec, shard: Shard) -> str:
        inner = ["0"] * (len(spec.shape) - 1)
        return "/".join((self._group, spec.name, "c", str(shard.number), *inner))

    def _map(self, spec: ArraySpec, shard: Shard, files: DatasetFiles) -> ArrayRows:
        path = self._shard_path(spec, shard)
        with files.open(path) as file:
            return self._rows(spec, shard, file, partial(files.map, path, file))

    def _rows(
        self, spec: ArraySpec, shard: Shard, file: IO[bytes], mapped: Callable[[], mmap.mmap]
    ) -> ArrayRows:
        path = self._place.directory / self._shard_path(spec, shard)
        rows = len(self._layout.rows(spec.name, shard))
        used, total = -(-rows // spec.rows_per_block), chunks_per_shard(spec, self._layout)
        chunk_bytes = spec.rows_per_block * spec.row_bytes
        if self._place.compression == "zstd":
            lengths = _lengths(file, path, used, total)
            places = tuple(zip(_offsets(lengths), lengths, strict=True))
            return CompressedRows(path, mapped(), spec, rows, spec.rows_per_block, places)
        # The size first: an index that a hostile manifest implies may be larger than the memory.
        if (
            _size(file) != used * chunk_bytes + _index_bytes(total)
            or _lengths(file, path, used, total) != [chunk_bytes] * used
        ):
            raise _other_index(path)
        return ContiguousRows.of(mapped(), 0, spec.dtype, (rows, *spec.shape[1:]))


def _index_bytes(total: int) -> int:
    return total * _INDEX_ENTRY_BYTES + _CRC_BYTES


def _offsets(lengths: list[int]) -> list[int]:
    return [0, *np.cumsum(lengths).tolist()][:-1]


def _index(lengths: list[int], total: int) -> bytes:
    entries = list(zip(_offsets(lengths), lengths, strict=True))
    entries += [(_NO_CHUNK, _NO_CHUNK)] * (total - len(lengths))
    index = b"".join(struct.pack("<QQ", *entry) for entry in entries)
    return index + struct.pack("<I", google_crc32c.value(index))


def _size(file: IO[bytes]) -> int:
    return os.fstat(file.fileno()).st_size


def _lengths(file: IO[bytes], path: Path, used: int, total: int) -> list[int]:
    """Lengths of the consecutive chunks of a file, from its index."""
    size = _size(file) - _index_bytes(total)
    index = b""
    if size >= 0:
        file.seek(size)
        index = file.read(_index_bytes(total))
    if len(index) != _index_bytes(total):
        raise _other_index(path)
    entries = np.frombuffer(index, "<u8", 2 * used).reshape(-1, 2)
    if len(absent := np.flatnonzero(entries[:, 0] == _NO_CHUNK)):
        raise _other_index(path, f"an index without chunk {absent[0]}")
    lengths: list[int] = entries[:, 1].tolist()
    if sum(lengths) != size or _index(lengths, total) != index:
        raise _other_index(path)
    return lengths


def _other_index(path: Path, got: str = "another index") -> DatasetError:
    return DatasetError(
        f"A shard must be whole chunks in order and their index; got {got} ({path}; rule "
        "Z2). The file is damaged or was written by other software; get it from the dataset's "
        "source again."
    )

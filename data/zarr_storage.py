"""Zarr v3 storage: one group per split, sharded along the first axis, mapped into memory.

Uncompressed inner chunks in order make the bytes of a shard one contiguous array, followed by the
index of the sharding codec: offset and length of each chunk as little-endian uint64, then crc32c.
"""

import json
import struct
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import IO, Any

import google_crc32c
import numpy as np

from hypermagnetics.data.layout import ArrayName, ArraySpec, Block, Shard, SplitLayout
from hypermagnetics.data.storage import SplitPlace
from hypermagnetics.errors import DatasetError
from hypermagnetics.files import atomic_file

_NO_CHUNK = 2**64 - 1
_CRC_BYTES = 4
_INDEX_ENTRY_BYTES = 16


class ZarrShardSink:
    """Appends blocks to the files of one shard, one per array."""

    def __init__(self, layout: SplitLayout, files: Mapping[ArrayName, IO[bytes]]) -> None:
        """Start with empty files, one per array that the shard holds rows of."""
        self._layout = layout
        self._files = files
        self._chunks = dict.fromkeys(files, 0)

    def append(self, block: Block) -> None:
        """Write one block; every file grows by one inner chunk."""
        for name, file in self._files.items():
            if name == "grid" and self._layout.shared_grid and self._chunks[name]:
                continue
            spec = self._layout.array(name)
            values = getattr(block, name)[None] if name == "grid" else getattr(block, name)
            file.write(np.ascontiguousarray(values, dtype=spec.dtype).data)
            # The last chunk of a split is stored whole, as the format asks; what lies past the
            # array's end is zero and belongs to no sample.
            file.write(bytes((spec.rows_per_block - len(values)) * spec.row_bytes))
            self._chunks[name] += 1

    def close(self) -> None:
        """Write the index of each file."""
        for name, file in self._files.items():
            spec = self._layout.array(name)
            chunk_bytes = spec.rows_per_block * spec.row_bytes
            total = _chunks_per_shard(spec, self._layout)
            file.write(_index(self._chunks[name], total, chunk_bytes))


class ZarrStorage:
    """One split as a Zarr v3 group."""

    def __init__(self, place: SplitPlace) -> None:
        """Name the split; nothing is read or written."""
        self._place, self._layout = place, place.layout
        self._group = f"{place.split}.zarr"

    def metadata(self) -> dict[str, bytes]:
        """The zarr.json of the group and of each array."""
        import zarr  # read only to write: opening a dataset need not wait for it

        store: dict[str, Any] = {}
        group = zarr.create_group(zarr.storage.MemoryStore(store))
        for spec in self._layout.arrays():
            attributes: dict[str, Any] = {"units": spec.unit}
            if spec.name == "sources":
                attributes = {
                    "columns": list(self._place.columns),
                    "units": list(self._place.column_units),
                }
            group.create_array(
                spec.name,
                shape=spec.shape,
                dtype=spec.dtype,
                chunks=(spec.rows_per_block, *spec.shape[1:]),
                shards=(_rows_per_shard(spec, self._layout), *spec.shape[1:]),
                compressors=None,
                filters=None,
                fill_value=-1 if spec.dtype.kind == "i" else float("nan"),
                dimension_names=spec.dimensions,
                attributes=attributes,
            )
        return {f"{self._group}/{path}": value.to_bytes() for path, value in sorted(store.items())}

    def metadata_paths(self) -> tuple[str, ...]:
        """Paths of the zarr.json of the group and of each array."""
        arrays = (f"{self._group}/{spec.name}/zarr.json" for spec in self._layout.arrays())
        return tuple(sorted((f"{self._group}/zarr.json", *arrays)))

    def check_metadata(self) -> None:
        """Refuse Zarr metadata that gives another version, shape, type or codec than the manifest.

        Raises:
            DatasetError: If an array is of another version, shape, type or codec.
        """
        for spec in self._layout.arrays():
            path = self._place.directory / self._group / spec.name / "zarr.json"
            try:
                found = json.loads(path.read_bytes())
            except (ValueError, RecursionError) as error:
                raise DatasetError(
                    f"Zarr metadata must be JSON; got: {error} ({path}). "
                    "Get the file from the dataset's source again."
                ) from error
            for key, wanted in _essential_metadata(spec, self._layout).items():
                got = found.get(key) if isinstance(found, dict) else found
                if got != wanted:
                    raise DatasetError(
                        f"Zarr metadata {key!r} must be {json.dumps(wanted)}; got "
                        f"{json.dumps(got)[:200]} ({path}). "
                        "Get the file from the dataset's source again."
                    )

    def shard_paths(self, shard: Shard) -> tuple[str, ...]:
        """Paths of the files of one shard, one per array that has rows in it."""
        return tuple(self._shard_path(spec, shard) for spec in self._specs(shard))

    @contextmanager
    def shard_sink(self, shard: Shard) -> Iterator[ZarrShardSink]:
        """Write one shard; its files take their names when the block ends without an error."""
        with ExitStack() as stack:
            files = {
                spec.name: stack.enter_context(
                    atomic_file(self._place.directory / self._shard_path(spec, shard))
                )
                for spec in self._specs(shard)
            }
            sink = ZarrShardSink(self._layout, files)
            yield sink
            sink.close()

    def map_shard(self, shard: Shard) -> dict[ArrayName, np.ndarray]:
        """Views of the files of one shard, one per array that has rows in it.

        Raises:
            DatasetError: If the bytes are not one contiguous array, as format version 1 asks.
        """
        return {spec.name: self._map(spec, shard) for spec in self._specs(shard)}

    def _specs(self, shard: Shard) -> tuple[ArraySpec, ...]:
        return tuple(s for s in self._layout.arrays() if self._layout.rows(s.name, shard))

    def _shard_path(self, spec: ArraySpec, shard: Shard) -> str:
        inner = ["0"] * (len(spec.shape) - 1)
        return "/".join((self._group, spec.name, "c", str(shard.number), *inner))

    def _map(self, spec: ArraySpec, shard: Shard) -> np.ndarray:
        path = self._place.directory / self._shard_path(spec, shard)
        rows = len(self._layout.rows(spec.name, shard))
        used, total = -(-rows // spec.rows_per_block), _chunks_per_shard(spec, self._layout)
        chunk_bytes = spec.rows_per_block * spec.row_bytes
        index_bytes = total * _INDEX_ENTRY_BYTES + _CRC_BYTES
        # The size first: an index that a hostile manifest implies may be larger than the memory.
        sound = path.stat().st_size == used * chunk_bytes + index_bytes
        if sound:
            with path.open("rb") as file:
                file.seek(used * chunk_bytes)
                sound = file.read(index_bytes) == _index(used, total, chunk_bytes)
        if not sound:
            raise DatasetError(
                f"A shard must be whole chunks in order and their index; got another index "
                f"({path}). The file is damaged or was written by other software; get it from the "
                "dataset's source again."
            )
        return np.memmap(path, spec.dtype, "r", shape=(rows, *spec.shape[1:]))


def _rows_per_shard(spec: ArraySpec, layout: SplitLayout) -> int:
    return spec.rows_per_block * _chunks_per_shard(spec, layout)


def _chunks_per_shard(spec: ArraySpec, layout: SplitLayout) -> int:
    return 1 if spec.name == "grid" and layout.shared_grid else layout.blocks_per_shard


def _essential_metadata(spec: ArraySpec, layout: SplitLayout) -> dict[str, Any]:
    little_endian = {"name": "bytes", "configuration": {"endian": "little"}}
    sharding = {
        "chunk_shape": [spec.rows_per_block, *spec.shape[1:]],
        "codecs": [little_endian],
        "index_codecs": [little_endian, {"name": "crc32c"}],
        "index_location": "end",
    }
    shard_shape = [_rows_per_shard(spec, layout), *spec.shape[1:]]
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(spec.shape),
        "data_type": spec.dtype.name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": shard_shape}},
        "codecs": [{"name": "sharding_indexed", "configuration": sharding}],
        "dimension_names": list(spec.dimensions),
    }


def _index(used: int, total: int, chunk_bytes: int) -> bytes:
    entries = [(i * chunk_bytes, chunk_bytes) for i in range(used)]
    entries += [(_NO_CHUNK, _NO_CHUNK)] * (total - used)
    index = b"".join(struct.pack("<QQ", *entry) for entry in entries)
    return index + struct.pack("<I", google_crc32c.value(index))

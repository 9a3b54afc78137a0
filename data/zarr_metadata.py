"""The zarr.json of groups and arrays: written by zarr-python, and compared key by key when read."""

import json
import os
from pathlib import Path
from typing import IO, Any

from hypermagnetics.data.consolidation import CONSOLIDATED
from hypermagnetics.data.layout import AnyLayout, ArraySpec, Compression
from hypermagnetics.data.rows import ZSTD_LEVEL
from hypermagnetics.data.storage import SplitPlace
from hypermagnetics.errors import DatasetError

_MAX_BYTES = 1 << 20
_LITTLE_ENDIAN = {"name": "bytes", "configuration": {"endian": "little"}}
_ZSTD = {"name": "zstd", "configuration": {"level": ZSTD_LEVEL, "checksum": True}}
_REPAIR = "Get the file from the dataset's source again."


def zarr_metadata(place: SplitPlace) -> dict[str, bytes]:
    """The zarr.json of a group and of each of its arrays.

    Args:
        place: The split.

    Returns:
        Content by path inside the group.
    """
    import zarr  # only to write: opening a dataset need not wait for it
    from zarr.codecs import ZstdCodec

    codec = ZstdCodec(level=ZSTD_LEVEL, checksum=True) if place.compression == "zstd" else None
    store: dict[str, Any] = {}
    group = zarr.create_group(zarr.storage.MemoryStore(store))
    for spec in place.layout.arrays():
        attributes: dict[str, Any] = {"units": spec.unit}
        if spec.name == "sources":
            attributes = {"columns": list(place.columns), "units": list(place.column_units)}
        group.create_array(
            spec.name,
            shape=spec.shape,
            dtype=spec.dtype,
            chunks=(spec.rows_per_block, *spec.shape[1:]),
            shards=(_rows_per_shard(spec, place.layout), *spec.shape[1:]),
            compressors=codec,
            filters=None,
            fill_value=-1 if spec.dtype.kind == "i" else float("nan"),
            dimension_names=spec.dimensions,
            attributes=attributes,
        )
    return {path: value.to_bytes() for path, value in store.items()}


def chunks_per_shard(spec: ArraySpec, layout: AnyLayout) -> int:
    """Number of chunks in the index of a shard."""
    return 1 if layout.is_shared(spec.name) else layout.blocks_per_shard


def check_group_metadata(file: IO[bytes], path: Path, arrays: dict[str, dict[str, Any]]) -> None:
    """Refuse a group of another version, or with consolidated metadata of other arrays.

    Args:
        file: The zarr.json.
        path: Its path.
        arrays: Metadata of the arrays, by name.

    Raises:
        DatasetError: If it is no group of Zarr v3, or consolidated metadata differs from that of
            the arrays, which other software would then read otherwise.
    """
    wanted = {"zarr_format": 3, "node_type": "group"}
    found = _compare(file, path, wanted, {"attributes", CONSOLIDATED})
    if CONSOLIDATED not in found:
        return
    consolidated = found[CONSOLIDATED]
    copies = consolidated.get("metadata") if isinstance(consolidated, dict) else None
    if copies != arrays:
        raise DatasetError(
            f"Consolidated metadata must be that of the arrays; got another ({path}; rule Z1). "
            f"Take {CONSOLIDATED!r} out of the file, or call zarr.consolidate_metadata again."
        )


def check_array_metadata(
    file: IO[bytes], path: Path, spec: ArraySpec, place: SplitPlace
) -> dict[str, Any]:
    """Refuse an array that differs from the manifest.

    Returns:
        Its metadata.

    Raises:
        DatasetError: If it is of another version, shape, type, fill value or codec.
    """
    return _compare(file, path, _expected(spec, place.layout, place.compression), {"attributes"})


def _compare(
    file: IO[bytes], path: Path, expected: dict[str, Any], free: set[str]
) -> dict[str, Any]:
    """Refuse missing, different and unknown keys; those of `free` may have any value."""
    size = os.fstat(file.fileno()).st_size
    if size > _MAX_BYTES:
        raise DatasetError(
            f"Zarr metadata must be below {_MAX_BYTES} bytes; got {size} ({path}; "
            f"rule Z1). {_REPAIR}"
        )
    try:
        found = json.loads(file.read())
    except (ValueError, RecursionError) as error:
        raise DatasetError(
            f"Zarr metadata must be JSON; got: {error} ({path}; rule Z1). {_REPAIR}"
        ) from error
    if not isinstance(found, dict):
        raise DatasetError(
            f"Zarr metadata must be a table; got {type(found).__name__} ({path}; rule Z1). "
            f"{_REPAIR}"
        )
    for key, wanted in expected.items():
        if found.get(key) != wanted:
            raise DatasetError(
                f"Zarr metadata {key!r} must be {json.dumps(wanted)}; got "
                f"{json.dumps(found.get(key))[:200]} ({path}; rule Z1). {_REPAIR}"
            )
    if odd := sorted(set(found) - set(expected) - free):
        raise DatasetError(
            f"Zarr metadata must have no keys but {', '.join(expected)}; got {odd[0][:80]!r} "
            f"({path}; rule Z1). {_REPAIR}"
        )
    return found


def _expected(spec: ArraySpec, layout: AnyLayout, compression: Compression) -> dict[str, Any]:
    sharding = {
        "chunk_shape": [spec.rows_per_block, *spec.shape[1:]],
        "codecs": [_LITTLE_ENDIAN, *([_ZSTD] if compression == "zstd" else [])],
        "index_codecs": [_LITTLE_ENDIAN, {"name": "crc32c"}],
        "index_location": "end",
    }
    shard_shape = [_rows_per_shard(spec, layout), *spec.shape[1:]]
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(spec.shape),
        "data_type": spec.dtype.name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": shard_shape}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": -1 if spec.dtype.kind == "i" else "NaN",
        "codecs": [{"name": "sharding_indexed", "configuration": sharding}],
        "dimension_names": list(spec.dimensions),
        "storage_transformers": [],
    }


def _rows_per_shard(spec: ArraySpec, layout: AnyLayout) -> int:
    return spec.rows_per_block * chunks_per_shard(spec, layout)

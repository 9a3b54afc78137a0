"""Predictions stored in a file, by any program, as subjects."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, NoReturn, Protocol, runtime_checkable

import h5py
import numpy as np
from numpy import ndarray

from hypermagnetics.data import ArrayName, Block, Split
from hypermagnetics.data.hdf5_reading import read_first
from hypermagnetics.errors import RunError, raise_refusal
from hypermagnetics.evaluate.subjects.subject import (
    BlockPredictor,
    PotentialAndField,
    as_floats,
    is_real,
)
from hypermagnetics.input_files import FileKind, Stamp

_QUANTITIES: tuple[ArrayName, ...] = ("potential", "field")
_FILE = FileKind("A file of predictions", 1 << 50, RunError)
_NO_CHUNK = 2**64 - 1
"""Offset in the index of a shard of a chunk that was never written."""
_REPAIR = "Write it again, as docs/subjects.md shows."


@runtime_checkable
class _StoredArray(Protocol):
    """An array on the disk, of HDF5 or Zarr."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype[np.generic]: ...

    def __getitem__(self, rows: slice) -> object: ...


_Find = Callable[[str, str], _StoredArray]
"""Finds the array of a split and a quantity."""


class PredictionFile:
    """A group for each split, with the arrays `potential` and `field` of all its samples."""

    def __init__(self, path: Path) -> None:
        """Open it; no values are read.

        Args:
            path: An HDF5 file, or the directory of a Zarr group.

        Raises:
            RunError: If it is none.
        """
        self._path = path
        with _one_line(path):
            self._find: _Find = _zarr_arrays(path) if path.is_dir() else _hdf5_arrays(path)

    def on_split(self, split: Split, num_samples: int) -> BlockPredictor:
        """The predictions of a split, read on demand.

        Args:
            split: The split; its layout sets the shapes of the arrays.
            num_samples: Most samples of one request.

        Returns:
            A function that reads them.

        Raises:
            RunError: If the group of the split or one of its arrays is missing, or the array has
                another shape or does not hold real numbers.
        """
        potential, field = (self._array(split, quantity) for quantity in _QUANTITIES)

        def read(block: Block, first: int) -> PotentialAndField:
            rows = slice(first, first + len(block.sources))
            with _one_line(self._path):
                return PotentialAndField(_floats(potential[rows]), _floats(field[rows]))

        return read

    def _array(self, split: Split, quantity: ArrayName) -> _StoredArray:
        where, shape = f"{split.name}/{quantity}", split.layout.array(quantity).shape
        with _one_line(self._path):
            array = self._find(split.name, quantity)
        if array.shape != shape:
            raise RunError(
                f"{where} must be of shape {shape}, as the dataset has it; got {array.shape} "
                f"({self._path}). Write a row for each sample of the split, in its order."
            )
        if not is_real(array.dtype):
            raise RunError(
                f"{where} must hold real numbers; got {array.dtype} ({self._path}). {_REPAIR}"
            )
        with _one_line(self._path):
            _refuse_unwritten(self._path, where, array)
        return array


def _floats(values: object) -> ndarray:
    return as_floats(np.asarray(values))


def _hdf5_arrays(path: Path) -> _Find:
    with _FILE.open(path) as raw:
        read_first([raw])
        file = h5py.File(path, "r")
        judged, opened = (os.fstat(one) for one in (raw.fileno(), file.id.get_vfd_handle()))
    if Stamp.of(judged) != Stamp.of(opened):
        raise RunError(
            f"Predictions must stay the same while they are opened; got another file ({path}). "
            "Give the same command again, and leave a file that is in use alone."
        )

    def find(split: str, quantity: str) -> _StoredArray:
        group = _own(path, file, split, h5py.Group)
        array = _own(path, group, quantity, h5py.Dataset)
        if array.is_virtual or array.external is not None:
            _refuse_absent(path, array.name, "one whose values lie in other files")
        stored: _StoredArray = array
        return stored

    return find


def _own(path: Path, group: h5py.Group, name: str, kind: type) -> h5py.Group | h5py.Dataset:
    # The link is looked at before the object: following an external one would open another file.
    link = group.get(name, getlink=True)
    found = group[name] if type(link) is h5py.HardLink else link
    if not isinstance(found, kind):
        got = type(found).__name__ if found is not None else f"only {', '.join(group) or 'nothing'}"
        _refuse_absent(path, f"{group.name}/{name}".lstrip("/"), got)
    return found


def _zarr_arrays(path: Path) -> _Find:
    import zarr  # only where predictions are in Zarr: it takes long to import

    root = zarr.open_group(path, mode="r", zarr_format=3)

    def find(split: str, quantity: str) -> _StoredArray:
        group = root.get(split)
        if not isinstance(group, zarr.Group):
            _refuse_absent(path, split, f"only {', '.join(sorted(root.keys())) or 'nothing'}")
        array = group.get(quantity)
        if not isinstance(array, zarr.Array):
            got = f"only {', '.join(sorted(group.keys())) or 'nothing'}"
            _refuse_absent(path, f"{split}/{quantity}", got)
        stored: _StoredArray = array
        return stored

    return find


def _refuse_unwritten(path: Path, where: str, array: Any) -> None:
    """Refuse an array with a chunk that was never written, which would read as a fill value."""
    find = _hdf5_chunks if isinstance(array, h5py.Dataset) else partial(_zarr_chunks, path / where)
    sizes, is_there = find(array)
    counts = [-(-length // size) for length, size in zip(array.shape, sizes, strict=True)]
    for chunk in product(*map(range, counts)):
        if not is_there(chunk):
            first = [number * size for number, size in zip(chunk, sizes, strict=True)]
            raise RunError(
                f"Predictions must be written for every sample; got {where} without the chunk that "
                f"begins at {first} ({path}). Write it; zarr-python leaves out chunks of nothing "
                "but the fill value unless write_empty_chunks is set."
            )


def _hdf5_chunks(array: h5py.Dataset) -> tuple[tuple[int, ...], Callable[[tuple[int, ...]], bool]]:
    """The shape of a chunk, and whether a chunk is there; all is one if nothing is chunked."""
    sizes = array.chunks
    if sizes is None:
        layout = array.id.get_create_plist().get_layout()
        is_there = layout != h5py.h5d.CONTIGUOUS or array.id.get_offset() is not None
        return array.shape, lambda chunk: is_there
    corners: set[tuple[int, ...]] = set()
    array.id.chunk_iter(lambda info: corners.add(info.chunk_offset))
    return sizes, lambda chunk: tuple(np.multiply(chunk, sizes).tolist()) in corners


def _zarr_chunks(
    place: Path, array: Any
) -> tuple[tuple[int, ...], Callable[[tuple[int, ...]], bool]]:
    """The shape of a chunk, and whether one is there, be it in a file of its own or in a shard."""
    from zarr.codecs import ShardingCodec  # imported by now

    name_of, codecs = array.metadata.encode_chunk_key, array.metadata.codecs
    if array.shards is None:
        _refuse_inner_shards(codecs, ShardingCodec)
        return array.chunks, lambda chunk: (place / name_of(chunk)).is_file()
    (sharding,) = codecs
    _refuse_inner_shards(sharding.codecs, ShardingCodec)
    per_shard = tuple(np.floor_divide(array.shards, array.chunks).tolist())

    @lru_cache(maxsize=64)  # chunks come row by row, and those of a row may lie in many shards
    def offsets(shard: tuple[int, ...]) -> np.ndarray | None:
        return _shard_offsets(place / name_of(shard), sharding, per_shard)

    def is_there(chunk: tuple[int, ...]) -> bool:
        shard, inner = zip(*map(divmod, chunk, per_shard), strict=True)
        found = offsets(shard)
        return found is not None and bool(found[inner] != _NO_CHUNK)

    return array.chunks, is_there


def _refuse_inner_shards(codecs: Iterable[object], sharding: type) -> None:
    if any(isinstance(codec, sharding) for codec in codecs):
        raise ValueError("an array with shards inside of shards, or behind other codecs")


def _shard_offsets(path: Path, sharding: Any, per_shard: tuple[int, ...]) -> np.ndarray | None:
    """Where the chunks of a shard begin in its file, by its index; None without a file."""
    codecs = [codec.to_dict() for codec in sharding.index_codecs]
    names = [codec["name"] for codec in codecs]
    little = codecs[0].get("configuration", {}).get("endian") == "little"
    if names not in (["bytes"], ["bytes", "crc32c"]) or not little:
        raise ValueError(f"a shard whose index has the codecs {names}, not bytes and crc32c")
    num_bytes = 16 * prod(per_shard) + 4 * names.count("crc32c")
    try:
        with _FILE.open(path) as file:
            size = os.fstat(file.fileno()).st_size
            if num_bytes > size:
                raise ValueError(f"a shard of {size} bytes, its index {num_bytes} ({path})")
            at_start = sharding.index_location.value == "start"
            file.seek(0 if at_start else size - num_bytes)
            index = file.read(num_bytes)
    except (FileNotFoundError, NotADirectoryError):
        return None
    offsets: np.ndarray = np.frombuffer(index, "<u8", 2 * prod(per_shard))[::2]
    return offsets.reshape(per_shard)


def _refuse_absent(path: Path, name: str, got: str) -> NoReturn:
    raise RunError(
        "Predictions must have a group for each evaluated split, with the arrays potential "
        f"and field in the file itself; got no {name}, but {got} ({path}). {_REPAIR}"
    )


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    """Turn errors of HDF5 and Zarr on an unreadable file into a `RunError` of one line."""
    try:
        yield
    except RunError:
        raise
    except (OSError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise_refusal(error, path)
        said = " ".join(str(error).split()).rstrip(".")
        raise RunError(
            f"Predictions must be an HDF5 file, or a Zarr group of version 3, that can be read; "
            f"got {type(error).__name__}: {said[:300]} ({path}). {_REPAIR}"
        ) from error

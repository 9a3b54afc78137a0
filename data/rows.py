"""The rows of one array in a shard: memory-mapped, or decoded chunk by chunk."""

import mmap
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from hypermagnetics.data.layout import ArraySpec
from hypermagnetics.errors import DatasetError

ZSTD_LEVEL = 3
_CHUNKS_KEPT = 8
"""Decoded chunks that a process keeps, so that samples of one block decode it once."""


@runtime_checkable
class ArrayRows(Protocol):
    """Entries along the first axis of one array in one shard, read-only."""

    def part(self, start: int, stop: int) -> np.ndarray:
        """Entries from `start` up to `stop`."""

    def take(self, indices: np.ndarray) -> np.ndarray:
        """Entries in the order of `indices`, which may repeat."""

    def will_need(self, start: int, stop: int) -> None:
        """Tell the operating system that these entries will be read soon."""


@dataclass(frozen=True)
class ContiguousRows:
    """Rows of an uncompressed array in a mapped file."""

    mapping: mmap.mmap
    offset: int
    values: np.ndarray

    @classmethod
    def of(
        cls, mapping: mmap.mmap, offset: int, dtype: np.dtype[np.generic], shape: tuple[int, ...]
    ) -> "ContiguousRows":
        """Part of a mapped file; the caller has checked that the file is long enough."""
        count = int(np.prod(shape, dtype=object))
        values = np.frombuffer(mapping, dtype, count, offset).reshape(shape)
        return cls(mapping, offset, values)

    def part(self, start: int, stop: int) -> np.ndarray:
        """A view of the file."""
        return self.values[start:stop]

    def take(self, indices: np.ndarray) -> np.ndarray:
        """A copy of the entries."""
        taken: np.ndarray = np.take(self.values, indices, axis=0)
        return taken

    def will_need(self, start: int, stop: int) -> None:
        """Begin to read these pages."""
        row = self.values.strides[0]
        _advise(self.mapping, self.offset + start * row, (stop - start) * row)


@dataclass(frozen=True, eq=False)
class CompressedRows:
    """Chunks of whole rows, each a zstd frame somewhere in a file."""

    path: Path
    mapping: mmap.mmap
    spec: ArraySpec
    num_rows: int
    chunk_rows: int
    places: tuple[tuple[int, int], ...]
    """Offset and length of each chunk in the file."""

    def part(self, start: int, stop: int) -> np.ndarray:
        """Decoded values; a part of a single chunk is a view of the decoded chunk."""
        if stop <= start:
            return np.empty((0, *self.spec.shape[1:]), self.spec.dtype)
        first, last = start // self.chunk_rows, (stop - 1) // self.chunk_rows
        chunks = [_decoded(self, number) for number in range(first, last + 1)]
        whole = chunks[0] if len(chunks) == 1 else np.concatenate(chunks)
        whole.setflags(write=False)
        return whole[start - first * self.chunk_rows : stop - first * self.chunk_rows]

    def take(self, indices: np.ndarray) -> np.ndarray:
        """A copy; each chunk is decoded once."""
        taken = np.empty((len(indices), *self.spec.shape[1:]), self.spec.dtype)
        chunks = indices // self.chunk_rows
        for number in np.unique(chunks).tolist():
            wanted = chunks == number
            taken[wanted] = _decoded(self, number)[indices[wanted] - number * self.chunk_rows]
        return taken

    def will_need(self, start: int, stop: int) -> None:
        """Begin to read the pages of these chunks."""
        if stop <= start:
            return
        first, last = start // self.chunk_rows, (stop - 1) // self.chunk_rows
        begin, (offset, length) = self.places[first][0], self.places[last]
        _advise(self.mapping, begin, offset + length - begin)

    def decode(self, number: int) -> np.ndarray:
        """One chunk, with rows past the end of the array cut off.

        Raises:
            DatasetError: If the bytes are no zstd frame of exactly the size of a chunk.
        """
        from numcodecs import zstd  # only compressed datasets wait for it

        offset, length = self.places[number]
        wanted = self.chunk_rows * self.spec.row_bytes
        with memoryview(self.mapping) as whole, whole[offset : offset + length] as frame:
            try:
                size, end = _measure(frame)
                if (size, end) != (wanted, length):
                    raise ValueError(f"a frame of {size} bytes, packed in {end} of {length}")
                values = np.empty((self.chunk_rows, *self.spec.shape[1:]), self.spec.dtype)
                # It decodes into memory that is there already, and nothing more.
                zstd.decompress(frame, values)
                missing = values[self.num_rows - number * self.chunk_rows :]
                if missing.any():
                    raise ValueError("missing rows that are not zero")
            except (ValueError, RuntimeError, MemoryError) as error:
                raise DatasetError(
                    f"A chunk must decode to {wanted} bytes; got: {error} (chunk {number} "
                    f"of {self.spec.name}, {self.path}; rule C1). Get the file from the dataset's "
                    "source again."
                ) from error
        values.setflags(write=False)
        return values[: self.num_rows - number * self.chunk_rows]


def encode(values: np.ndarray, chunk_rows: int) -> bytes:
    """A chunk as a zstd frame with a checksum; missing rows are zero.

    Args:
        values: At most `chunk_rows` rows.
        chunk_rows: Rows of a chunk.

    Returns:
        The frame.
    """
    from numcodecs import zstd

    if len(values) < chunk_rows:
        values = np.pad(values, [(0, chunk_rows - len(values))] + [(0, 0)] * (values.ndim - 1))
    frame: bytes = zstd.compress(np.ascontiguousarray(values), ZSTD_LEVEL, True)
    return frame


# Keyed by the identity of the rows: as many chunks as there are arrays in a block, and some more.
_decoded = lru_cache(maxsize=_CHUNKS_KEPT)(CompressedRows.decode)


def _advise(mapping: mmap.mmap, start: int, length: int) -> None:
    begin = start // mmap.PAGESIZE * mmap.PAGESIZE
    mapping.madvise(mmap.MADV_WILLNEED, begin, start + length - begin)


def _measure(frame: memoryview) -> tuple[int, int]:
    """Size of the content of a zstd frame, and its own length (RFC 8878, section 3.1.1)."""
    if bytes(frame[:4]) != b"\x28\xb5\x2f\xfd" or len(frame) < 6:
        raise ValueError("no zstd frame")
    descriptor = frame[4]
    is_single, has_checksum = descriptor >> 5 & 1, descriptor >> 2 & 1
    bytes_of_size = (1 if is_single else 0, 2, 4, 8)[descriptor >> 6]
    if not bytes_of_size or descriptor & 3:
        raise ValueError("a zstd frame without its size, or with a dictionary")
    place = 5 + (not is_single)
    size = int.from_bytes(frame[place : place + bytes_of_size], "little")
    size += 256 if bytes_of_size == 2 else 0
    place += bytes_of_size
    is_last = False
    while not is_last and place < len(frame):
        block = int.from_bytes(frame[place : place + 3], "little")
        is_last = bool(block & 1)
        repeats_one_byte = block >> 1 & 3 == 1
        place += 3 + (1 if repeats_one_byte else block >> 3)
    return size, place + 4 * has_checksum

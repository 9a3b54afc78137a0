"""Files of numpy, .npy, read a few rows at a time: they may be larger than the memory."""

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from hypermagnetics.errors import DatasetError
from hypermagnetics.files import sha256_of
from hypermagnetics.input_files import FileKind, Stamp

_FILE = FileKind("A file of numpy", 1 << 46, DatasetError)
_ZIP = b"PK\x03\x04"
_MAX_ROW_BYTES = 256e6
"""Most bytes of a row, the smallest part that is read."""
_GAP_BYTES = 1 << 18
"""Bytes between two wanted rows that are read through, as seeking takes longer."""


@dataclass(frozen=True)
class NpyFile:
    """Checked structure of a .npy file; `open` gives a reader of its rows."""

    path: Path
    stamp: Stamp
    """That of the file which was checked; no other one is read."""
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    offset: int
    """Place of the first value [bytes]."""

    @property
    def row_bytes(self) -> int:
        """Bytes of a row, which is an entry of the first axis."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    @contextmanager
    def open(self) -> Iterator["NpyReader"]:
        """Open the file to read rows.

        Raises:
            DatasetError: If it is another one than when it was checked.
        """
        with _FILE.open(self.path) as file:
            reader = NpyReader(file, self)
            reader.refuse_another()
            yield reader


class NpyReader:
    """An open .npy file."""

    def __init__(self, file: IO[bytes], about: NpyFile) -> None:
        """Use `NpyFile.open`."""
        self._file, self._about = file, about

    def sha256(self) -> str:
        """Hexadecimal sha256 of the file."""
        found = sha256_of(self._about.path)
        self.refuse_another()
        return found

    def refuse_another(self) -> None:
        """Refuse a file that was changed, or exchanged for another one, since it was checked.

        Raises:
            DatasetError: If it is another one.
        """
        named: Stamp | None = None
        with suppress(FileNotFoundError, NotADirectoryError):
            named = Stamp.of(self._about.path.stat())
        opened = Stamp.of(os.fstat(self._file.fileno()))
        if (named, opened) != (self._about.stamp, self._about.stamp):
            got = "no file any more" if named is None else "another file"
            repair = "Give the same command again, and leave a file that is in use alone."
            raise refusal(
                "A file must stay the same while it is imported", got, self._about.path, repair
            )

    def rows(self, numbers: Sequence[int] | np.ndarray) -> np.ndarray:
        """Rows of the file, rounded to float32.

        Args:
            numbers: Numbers of the rows, rising.

        Returns:
            The rows, (rows, *item).

        Raises:
            DatasetError: If a value is not finite or out of the range of float32, or the file is
                another.
        """
        wanted = np.asarray(numbers, np.int64)
        found = np.empty((len(wanted), *self._about.shape[1:]), np.float32)
        done = 0
        for run in _runs(wanted, self._about.row_bytes):
            first, last = int(run[0]), int(run[-1])
            values = self._read(first, last + 1)[run - first]
            self._refuse_nonfinite(values, run)
            with np.errstate(over="ignore"):  # the next lines name the value
                part = values.astype(np.float32)
            for index in np.argwhere(~np.isfinite(part))[:1]:
                rule = "Values must be in the range of float32, in which they are stored"
                raise refusal(rule, values[tuple(index)], self._place(run, index), "Scale them.")
            found[done : done + len(run)] = part
            done += len(run)
        self.refuse_another()
        return found

    def _read(self, first: int, stop: int) -> np.ndarray:
        about = self._about
        buffer = bytearray((stop - first) * about.row_bytes)
        self._file.seek(about.offset + first * about.row_bytes)
        if self._file.readinto(buffer) != len(buffer):  # type: ignore[attr-defined]
            self.refuse_another()
            raise _cut_off(about.path)
        values = np.frombuffer(buffer, about.dtype)
        return values.reshape(stop - first, *about.shape[1:])

    def _refuse_nonfinite(self, values: np.ndarray, rows: np.ndarray) -> None:
        for index in np.argwhere(~np.isfinite(values))[:1]:
            repair = "Compute it again, or take the sample out of all files."
            got = values[tuple(index)]
            raise refusal("Values must be finite", got, self._place(rows, index), repair)

    def _place(self, rows: np.ndarray, index: np.ndarray) -> str:
        within = f", index {index[1:].tolist()}" if len(index) > 1 else ""
        return f"sample {rows[index[0]]}{within}, {self._about.path}"


def read_npy(path: Path) -> NpyFile:
    """Read the header of a .npy file, and check that its values can be read row by row.

    Args:
        path: The file.

    Returns:
        Its structure; no values are read.

    Raises:
        DatasetError: If there is no such file, it is none of numpy, holds Python objects or other
            values than real numbers, is in Fortran's order, is empty, or is cut off.
    """
    try:
        opened = _FILE.open(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise refusal("A file to import must exist", "no file", path, "Check the path.") from error
    with opened as file:
        stamp = Stamp.of(os.fstat(file.fileno()))
        shape, is_fortran, dtype = _header(file, path)
        offset = file.tell()
    if dtype.hasobject:
        repair = "Save numbers: np.save(path, np.stack(values).astype(np.float32))."
        got = "Python objects, which would be unpickled"
        raise refusal("A file of numpy must hold real numbers", got, path, repair)
    if dtype.kind not in "fiu" or dtype.itemsize > 8:
        repair = "Save it as float32 or float64."
        raise refusal("A file of numpy must hold real numbers", dtype, path, repair)
    if len(shape) < 2 or 0 in shape:
        rule = "A file must have shape (samples, ...), of at least two axes without one of length 0"
        repair = "Save an array with a row for each sample; one number a sample has shape (N, 1)."
        raise refusal(rule, list(shape), path, repair)
    if is_fortran:
        repair = "Save np.ascontiguousarray of it."
        rule = "A file must be in C order, so that the values of a sample lie together"
        raise refusal(rule, "Fortran's order", path, repair)
    found = NpyFile(path, stamp, shape, dtype, offset)
    if found.row_bytes > _MAX_ROW_BYTES:
        rule = f"A sample must take at most {_MAX_ROW_BYTES:.0f} bytes"
        raise refusal(rule, found.row_bytes, path, "Give fewer values a sample.")
    whole = offset + shape[0] * found.row_bytes
    if stamp.bytes < whole:
        raise _cut_off(path)
    if stamp.bytes > whole:
        rule, repair = (
            "A file of numpy must hold one array",
            "Save each array by itself.",
        )
        raise refusal(rule, f"{stamp.bytes - whole} bytes behind it", path, repair)
    return found


def _header(file: IO[bytes], path: Path) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    beginning = file.read(len(_ZIP))
    file.seek(0)
    if beginning == _ZIP:
        repair = "Save each array of it by np.save."
        raise refusal("A file of numpy must be a .npy file", "an archive (.npz)", path, repair)
    try:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            return np.lib.format.read_array_header_1_0(file)
        return np.lib.format.read_array_header_2_0(file)
    except (ValueError, EOFError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        repair = "Write it by np.save."
        raise refusal("A file of numpy must be a whole .npy file", reason, path, repair) from error


def _runs(numbers: np.ndarray, row_bytes: int) -> Iterator[np.ndarray]:
    """Cut rising numbers into runs that are read at once, gaps included."""
    start = 0
    most = max(_GAP_BYTES // row_bytes, 1)
    for end in range(1, len(numbers) + 1):
        if end == len(numbers) or numbers[end] - numbers[end - 1] > most:
            yield numbers[start:end]
            start = end


def _cut_off(path: Path) -> DatasetError:
    rule, repair = "A file of numpy must hold all the values of its header", "Copy it again."
    return refusal(rule, "a file that is cut off", path, repair)


def refusal(rule: str, got: object, where: object, repair: str) -> DatasetError:
    """The error of an unsound file, in the form of all error messages."""
    return DatasetError(f"{rule}; got {got} ({where}). {repair}")

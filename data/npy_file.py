"""Files of numpy, .npy, read a few rows at a time, as they may be larger than the memory, or whole.

A file that is changed between the check of its header and the reading of its values is refused.
"""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np

from hypermagnetics.data.origin import OriginFile
from hypermagnetics.data.row_files import NamedTypes
from hypermagnetics.errors import DatasetError
from hypermagnetics.files import digest_of, name_in_text
from hypermagnetics.input_files import FileKind, Stamp

_FILE = FileKind("A file of numpy", 1 << 46, DatasetError)
_ZIP = b"PK\x03\x04"
_ABSENT = (FileNotFoundError, NotADirectoryError)
_MAX_ROW_BYTES = 256e6
"""Most bytes of a row, the smallest part that is read."""
_GAP_BYTES = 1 << 18
"""Bytes between two wanted rows that are read through, as seeking takes longer."""


@dataclass(frozen=True)
class NpyFile:
    """Checked structure of a .npy file; `open` gives a reader of its values."""

    path: Path
    stamp: Stamp
    """That of the file which was checked; no other one is read."""
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    offset: int
    """Place of the first value [bytes]."""
    is_fortran: bool = False
    """Whether the first index changes fastest; then it can only be read whole."""
    axes_exchanged: bool = False
    """Whether rows are given with their first two axes exchanged."""

    @property
    def num_rows(self) -> int:
        """Number of rows, the entries of the first axis."""
        return self.shape[0]

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    @property
    def name(self) -> str:
        """Name of the file, as texts hold it."""
        return name_in_text(self.path.name)

    @property
    def types(self) -> tuple[NamedTypes, ...]:
        """Name of the file, with the type of its values."""
        return (NamedTypes(self.name, (self.dtype,)),)

    @contextmanager
    def open(self) -> Iterator["NpyReader"]:
        """Open the file to read values.

        Raises:
            DatasetError: If it is another one than when it was checked.
        """
        try:
            opened = _FILE.open(self.path)
        except _ABSENT as error:
            raise self._another("no file any more") from error
        with opened as file:
            reader = NpyReader(file, self)
            reader.refuse_another()
            yield reader

    def refuse_another(self) -> None:
        """Refuse a file that was changed, or exchanged for another one, since it was checked.

        Raises:
            DatasetError: If the path leads to another one, or to none.
        """
        try:
            self.refuse_unless(self.path.stat())
        except _ABSENT as error:
            raise self._another("no file any more") from error

    def refuse_unless(self, found: os.stat_result) -> None:
        """Refuse a file that is another one than was checked.

        Args:
            found: Answer of the operating system about it.

        Raises:
            DatasetError: If it is another one.
        """
        if Stamp.of(found) != self.stamp:
            raise self._another("another file")

    def _another(self, got: str) -> DatasetError:
        repair = "Give the same command again, and leave a file that is in use alone."
        return refusal("A file must stay the same while it is imported", got, self.path, repair)


class NpyReader:
    """An open .npy file."""

    def __init__(self, file: IO[bytes], about: NpyFile) -> None:
        """Use `NpyFile.open`."""
        self._file, self._about = file, about

    def sha256(self) -> str:
        """Hexadecimal sha256 of the file.

        Raises:
            DatasetError: If the file is another than when it was checked.
        """
        self._file.seek(0)
        found = digest_of(self._file)
        self.refuse_another()
        return found

    def origin(self) -> OriginFile:
        """Name, type and sha256 of the file; errors as of `sha256`."""
        about = self._about
        return OriginFile(
            file=about.name,
            sha256=self.sha256(),
            dtype=about.dtype.name,
            axes_exchanged=about.axes_exchanged,
        )

    def refuse_another(self) -> None:
        """Refuse a file that was changed, or exchanged for another one, since it was checked.

        Raises:
            DatasetError: If it is another one.
        """
        self._about.refuse_another()
        self._about.refuse_unless(os.fstat(self._file.fileno()))

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
        about = self._about
        wanted = np.asarray(numbers, np.int64)
        found = np.empty((len(wanted), *about.shape[1:]), np.float32)
        per_row = math.prod(about.shape[1:])
        done = 0
        for run in _runs(wanted, about.row_bytes):
            first, last = int(run[0]), int(run[-1])
            read = self._read(first * per_row, (last + 1 - first) * per_row)
            values = read.reshape(-1, *about.shape[1:])[run - first]
            found[done : done + len(run)] = _rounded(values, partial(self._place, run))
            done += len(run)
        self.refuse_another()
        return np.swapaxes(found, 1, 2) if about.axes_exchanged else found

    def whole(self) -> np.ndarray:
        """The array of the file, rounded to float32.

        Returns:
            The array.

        Raises:
            DatasetError: If a value is not finite or out of the range of float32, or the file is
                another.
        """
        about = self._about
        read = self._read(0, math.prod(about.shape))
        values = read.reshape(about.shape, order="F" if about.is_fortran else "C")
        found = _rounded(values, lambda index: f"index {index.tolist()}, {about.path}")
        self.refuse_another()
        return found

    def _read(self, first: int, count: int) -> np.ndarray:
        about = self._about
        buffer = bytearray(count * about.dtype.itemsize)
        self._file.seek(about.offset + first * about.dtype.itemsize)
        if self._file.readinto(buffer) != len(buffer):  # type: ignore[attr-defined]
            self.refuse_another()
            raise _cut_off(about.path)
        return np.frombuffer(buffer, about.dtype)

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
    found = read_npy_header(path)
    if len(found.shape) < 2 or min(found.shape) < 1:
        rule = "A file must have shape (samples, ...), of at least two axes without one of length 0"
        repair = "Save an array with a row for each sample; one number a sample has shape (N, 1)."
        raise refusal(rule, list(found.shape), path, repair)
    if found.is_fortran:
        repair = "Save np.ascontiguousarray of it."
        rule = "A file must be in C order, so that the values of a sample lie together"
        raise refusal(rule, "Fortran's order", path, repair)
    if found.row_bytes > _MAX_ROW_BYTES:
        rule = f"A sample must take at most {_MAX_ROW_BYTES:.0f} bytes"
        raise refusal(rule, found.row_bytes, path, "Give fewer values a sample.")
    return found


def read_npy_header(path: Path) -> NpyFile:
    """Read the header of a .npy file, and check that it holds one whole array of real numbers.

    Args:
        path: The file.

    Returns:
        Its structure; no values are read.

    Raises:
        DatasetError: If there is no such file, it is none of numpy, holds Python objects or other
            values than real numbers, or is cut off.
    """
    try:
        opened = _FILE.open(path)
    except _ABSENT as error:
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
    whole = offset + math.prod(shape) * dtype.itemsize
    if stamp.bytes < whole:
        raise _cut_off(path)
    if stamp.bytes > whole:
        rule, repair = "A file of numpy must hold one array", "Save each array by itself."
        raise refusal(rule, f"{stamp.bytes - whole} bytes behind it", path, repair)
    return NpyFile(path, stamp, shape, dtype, offset, is_fortran)


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


def _rounded(values: np.ndarray, place: Callable[[np.ndarray], str]) -> np.ndarray:
    """Values as float32, all finite; `place` puts an index into the words of a message."""
    for index in np.argwhere(~np.isfinite(values))[:1]:
        repair = "Compute it again, or leave the sample out of all files."
        raise refusal("Values must be finite", values[tuple(index)], place(index), repair)
    with np.errstate(over="ignore"):  # the next lines name the value
        found = values.astype(np.float32, order="C")
    for index in np.argwhere(~np.isfinite(found))[:1]:
        rule = "Values must be in the range of float32, in which they are stored"
        raise refusal(rule, values[tuple(index)], place(index), "Scale them.")
    return found


def _cut_off(path: Path) -> DatasetError:
    rule, repair = "A file of numpy must hold all the values of its header", "Copy it again."
    return refusal(rule, "a file that is cut off", path, repair)


def refusal(rule: str, got: object, where: object, repair: str) -> DatasetError:
    """The error of an unsound file, in the form of all error messages."""
    return DatasetError(f"{rule}; got {got} ({where}). {repair}")

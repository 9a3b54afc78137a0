"""Files that become an array: apart, as one file and the files of patterns share no code."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from hypermagnetics.data.origin import OriginFile, OriginMaps


class NamedTypes(NamedTuple):
    """Types of the values of a file, or of all files of a pattern."""

    name: str
    """Name of the file, or the pattern, as texts hold it."""
    dtypes: tuple[np.dtype[np.generic], ...]
    """Each once, in the order of the first file that has it."""

    @property
    def conversion(self) -> str | None:
        """Name and types, as in "m.npy (big-endian float64)"; None if all are float32."""
        if all(dtype == np.float32 for dtype in self.dtypes):
            return None
        # A type of a single byte has no order; ">" is never that of this machine.
        words = ("big-endian " * (d.byteorder == ">") + d.name for d in self.dtypes)
        return f"{self.name} ({', '.join(words)})"


@runtime_checkable
class RowReader(Protocol):
    """Reader of checked files."""

    def origin(self) -> OriginFile | tuple[OriginMaps, ...]:
        """Names, types and sha256 of the files, all of which are read.

        Raises:
            DatasetError: If one is another file than when it was checked.
        """

    def rows(self, numbers: Sequence[int] | np.ndarray) -> np.ndarray:
        """Rows of the array, rounded to float32.

        Args:
            numbers: Numbers of the rows, rising.

        Returns:
            The rows, (rows, *item).

        Raises:
            DatasetError: If a value is not finite or out of the range of float32, or a file is
                another than when it was checked.
        """

    def refuse_another(self) -> None:
        """Refuse files that were changed since they were checked.

        Raises:
            DatasetError: If one is another file.
        """


@runtime_checkable
class RowFiles(Protocol):
    """Checked files that become an array with a row for each sample."""

    @property
    def num_rows(self) -> int:
        """Number of rows."""

    @property
    def types(self) -> tuple[NamedTypes, ...]:
        """Names of the file or of all patterns, with the types of their values."""

    def open(self) -> AbstractContextManager[RowReader]:
        """Open the files to read rows.

        Raises:
            DatasetError: If one is another file than when it was checked.
        """

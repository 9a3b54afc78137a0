"""Large temporary arrays of an evaluation: in memory, or in an unnamed file."""

import os
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

_BYTES_IN_MEMORY = 1 << 26


def large_array(shape: tuple[int, ...], dtype: DTypeLike, directory: Path) -> np.ndarray:
    """An array to be filled, in an unnamed file if it is large.

    Args:
        shape: Its shape.
        dtype: Its type.
        directory: Directory of the file, for arrays larger than 64 MiB. The file has no name, so
            that nothing is left of it however the process ends.

    Returns:
        The array, with arbitrary content.

    Raises:
        OSError: If there is no room for the file. Later, a full disk would end the process.
    """
    size = int(np.prod(shape, dtype=object)) * np.dtype(dtype).itemsize
    if size <= _BYTES_IN_MEMORY:
        return np.empty(shape, dtype)
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=directory) as file:
        os.posix_fallocate(file.fileno(), 0, size)
        return np.memmap(file, dtype, "r+", shape=shape)

"""A first reading of HDF5 files that come from others, by a process that may hang or crash.

The HDF5 library loops for ever on some damaged files, and holds the interpreter meanwhile: no
thread and no handler of a signal can end that. So a child reads the structure of a file first.
"""

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from hypermagnetics.child_processes import run_script

SECONDS = 60.0
"""Longest time for the structure of one file, on a slow disk."""
_MOST_BYTES = 1 << 31
"""Most memory for it."""
_SECONDS_TO_START = 60.0
_SCRIPT = Path(__file__).with_name("hdf5_trial.py")


def read_first(files: Sequence[IO[bytes]]) -> int:
    """Let a child process read the structure of files: all but the values of their arrays.

    Args:
        files: Open files, of which the first is needed at once.

    Returns:
        Number of files, from the first, that the HDF5 library came through, at least one. What it
        refuses in them, it refuses again.

    Raises:
        OSError: If it hangs or crashes on the first, or needs too much memory.
    """
    from hypermagnetics.data.hdf5_trial import MORE_MEMORY  # h5py, which Zarr does without

    descriptors = [file.fileno() for file in files]
    words = [SECONDS, _MOST_BYTES, os.getpid(), *descriptors]
    ended = run_script(
        _SCRIPT, list(map(str, words)), descriptors, _SECONDS_TO_START + SECONDS * len(files)
    )
    if count := len(ended.output.split()):
        return count
    if ended.code in (None, -signal.SIGALRM):
        raise OSError(f"one that the HDF5 library did not finish reading within {SECONDS:g} s")
    if ended.code == MORE_MEMORY:
        raise OSError(f"one for which the HDF5 library needs more than {_MOST_BYTES} bytes")
    if ended.code < 0:
        raise OSError(f"one on which the HDF5 library crashed (signal {-ended.code})")
    said = ended.complaints.strip().rpartition("\n")[2]
    raise OSError(f"exit code {ended.code} of the process that reads it first: {said}")

"""Reads the structure of HDF5 files; run as a script, which may loop or crash instead of a program.

It imports h5py alone, so that it starts quickly. A number is written for each file that was read.
"""

import ctypes
import os
import resource
import signal
import sys
from typing import IO

import h5py

MORE_MEMORY = 3
"""Exit code if the library asks for more memory than is allowed."""

_DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of Linux."""
_MOST_VALUE_BYTES = 200
"""Largest attribute that is read, as in team files."""


def main() -> None:
    """Read the files of open descriptors: `SECONDS MEMORY_BYTES PARENT DESCRIPTOR...`."""
    seconds, memory, parent, *descriptors = sys.argv[1:]
    _end_with_parent(int(parent))
    _limit_memory(int(memory))
    # The default action of a signal: no handler of Python's runs while HDF5 loops.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    for descriptor in descriptors:
        signal.setitimer(signal.ITIMER_REAL, float(seconds))
        with os.fdopen(int(descriptor), "rb") as raw:
            read_structure(raw)
        os.write(sys.stdout.fileno(), b"%s\n" % descriptor.encode())


def read_structure(raw: IO[bytes]) -> None:
    """Read all names, types, shapes, short attributes and places of chunks of a file, no values.

    Whatever is refused is passed over: the program that asks comes upon it again.
    """
    try:
        with h5py.File(raw, "r") as file:
            _walk(file)
    except Exception as error:
        _end_without_memory(error)


def _walk(file: h5py.File) -> None:
    todo, seen = [file["/"]], set()
    while todo:
        found = todo.pop()
        place = h5py.h5o.get_info(found.id).addr
        if place in seen:  # hard links may form a ring
            continue
        seen.add(place)
        try:
            _read(found)
        except Exception as error:
            _end_without_memory(error)
        for name in found if isinstance(found, h5py.Group) else ():
            try:
                if type(found.get(name, getlink=True)) is h5py.HardLink:
                    todo.append(found[name])
            except Exception as error:
                _end_without_memory(error)


def _read(found: h5py.Group | h5py.Dataset | h5py.Datatype) -> None:
    for name in found.attrs:
        kept = found.attrs.get_id(name)
        if kept.shape == () and kept.dtype.itemsize <= _MOST_VALUE_BYTES:
            found.attrs[name]
    if isinstance(found, h5py.Dataset):
        _ = found.dtype, found.shape, found.is_virtual, found.external, found.id.get_offset()
        if found.chunks is not None:
            found.id.chunk_iter(lambda info: None)


def _end_without_memory(error: Exception) -> None:
    # HDF5 says "unable to allocate" or "memory allocation failed", each in its own way.
    if isinstance(error, MemoryError) or "alloc" in str(error):
        os._exit(MORE_MEMORY)


def _end_with_parent(parent: int) -> None:
    """End this process when its parent ends, also while HDF5 loops; elsewhere the time does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _limit_memory(most: int) -> None:
    """Limit further memory, on Linux; other systems know no such limit."""
    if sys.platform == "linux":
        with open("/proc/self/statm") as file:  # noqa: PTH123  (pathlib would be one more import)
            now = int(file.read().split()[0]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        limit = now + most if hard == resource.RLIM_INFINITY else min(now + most, hard)
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


if __name__ == "__main__":
    main()

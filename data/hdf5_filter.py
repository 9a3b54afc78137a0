"""The zstd filter of HDF5, named in our files but never run by HDF5 here."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import h5py

from hypermagnetics.errors import DatasetError

ZSTD_FILTER = 32015
"""https://github.com/HDFGroup/hdf5_plugins/blob/master/docs/RegisteredFilterPlugins.md"""


class _Registry:
    """State of the filter in HDF5 before the first open file, restored after the last one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files = 0
        self._was_known = False
        self._places: list[bytes] = []

    def enter(self) -> None:
        with self._lock:
            if not self._files:
                self._forget()
            self._files += 1

    def leave(self) -> None:
        with self._lock:
            self._files -= 1
            if not self._files:
                self._remember()

    def _forget(self) -> None:
        self._places = [h5py.h5pl.get(number) for number in range(h5py.h5pl.size())]
        for _ in self._places:
            h5py.h5pl.remove(0)
        self._was_known = h5py.h5z.filter_avail(ZSTD_FILTER)
        try:
            if self._was_known:
                h5py.h5z.unregister_filter(ZSTD_FILTER)
        except RuntimeError as error:
            self._was_known = False  # so there is nothing to bring back
            self._remember()
            raise DatasetError(
                f"Every dataset with HDF5's filter {ZSTD_FILTER} must be closed while a compressed "
                f"one is written; got: {error}. Close the files that this process reads with h5py "
                "and hdf5plugin."
            ) from error

    def _remember(self) -> None:
        for place in self._places:
            h5py.h5pl.append(place)
        # What HDF5 finds by those places, it finds again when it needs it.
        plugin = sys.modules.get("hdf5plugin")
        if self._was_known and plugin is not None:
            plugin.register("zstd", force=True)


_registry = _Registry()


@contextmanager
def unknown_filter() -> Iterator[None]:
    """Hide the filter from HDF5 while files are written, in any number of threads.

    HDF5 writes the name of a filter that it knows into the file, and finds plugins by environment
    variables. The bytes of a dataset must not depend on that.

    Raises:
        DatasetError: If this process reads a dataset by the filter meanwhile.
    """
    _registry.enter()
    try:
        yield
    finally:
        _registry.leave()

"""The zstd filter of HDF5, which is named in our files and never run by HDF5 here."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import h5py

ZSTD_FILTER = 32015
"""https://github.com/HDFGroup/hdf5_plugins/blob/master/docs/RegisteredFilterPlugins.md"""

_lock = threading.Lock()


@contextmanager
def unknown_filter() -> Iterator[None]:
    """Keep HDF5 from knowing the filter while a dataset is created.

    HDF5 writes the name of a filter that it knows into the file, and its plugins are found by
    environment variables. The bytes of a dataset must not depend on that.
    """
    with _lock:
        places = [h5py.h5pl.get(number) for number in range(h5py.h5pl.size())]
        for _ in places:
            h5py.h5pl.remove(0)
        was_known = h5py.h5z.filter_avail(ZSTD_FILTER)
        try:
            if was_known:
                h5py.h5z.unregister_filter(ZSTD_FILTER)
            yield
        finally:
            for place in places:
                h5py.h5pl.append(place)
            # What is found by its place is found again when it is needed.
            plugin = sys.modules.get("hdf5plugin")
            if was_known and plugin is not None:
                plugin.register("zstd", force=True)

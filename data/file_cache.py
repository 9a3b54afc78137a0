"""A cache of files by content on this machine: checked before they have a name, least used go."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from hypermagnetics.data.manifest import FileEntry
from hypermagnetics.errors import HypermagneticsError
from hypermagnetics.files import atomic_file, lock_if_free
from hypermagnetics.machine import user_cache

DIRECTORY_VARIABLE = "HYPERMAGNETICS_CACHE"
LIMIT_VARIABLE = "HYPERMAGNETICS_CACHE_GB"

_GB = 10**9
_LOOK_SECONDS = 0.02
"""Time between two looks at a file that another process fetches."""

_DIGITS = 64
"""Of a sha256; locks and parts have longer names."""

_LOCK, _ROOM = ".lock", "room.lock"
"""End of the name of the lock of a file, and the lock of whoever makes room."""

Fetch = Callable[[FileEntry, IO[bytes]], None]
"""Writes the bytes of a file, and raises unless they have its sha256."""


@dataclass(frozen=True)
class FileCache:
    """Files under their sha256, shared by all processes that name the directory.

    A file is written under another name, and gets its own when its bytes have its sha256. One
    process fetches it; others wait. Any file may be deleted at any time: it is fetched again.
    """

    directory: Path
    most_bytes: int | None = None
    """Bytes of all files, also of those under way; those go that were not used for longest. None
    for no limit. A file that is larger has the cache for itself."""

    @classmethod
    def of_environment(cls) -> "FileCache":
        """That of HYPERMAGNETICS_CACHE, or in the cache directory of the user.

        Raises:
            HypermagneticsError: If there is no place for it, or the limit is no number.
        """
        limit = os.environ.get(LIMIT_VARIABLE)
        most = None
        if limit:
            with suppress(ValueError, OverflowError):
                most = int(float(limit) * _GB)
            if most is None or most <= 0:
                raise HypermagneticsError(
                    f"The limit of the cache of datasets must be a positive number of GB; got "
                    f"{limit!r} ({LIMIT_VARIABLE}). Change it, or unset it for no limit."
                )
        if chosen := os.environ.get(DIRECTORY_VARIABLE):
            return cls(Path(chosen), most)
        if (root := user_cache()) is None:
            raise HypermagneticsError(
                "The cache of datasets must have a directory; got no home directory. Set "
                f"{DIRECTORY_VARIABLE}."
            )
        return cls(root / "datasets", most)

    def has(self, entry: FileEntry) -> bool:
        """Whether a file is there."""
        try:
            return self._path(entry).stat().st_size == entry.bytes
        except FileNotFoundError:
            return False

    @contextmanager
    def open(self, entry: FileEntry, fetch: Fetch) -> Iterator[IO[bytes]]:
        """Open a file to read it; fetch it first if it is absent.

        Args:
            entry: The file of a manifest.
            fetch: Fetches it.

        Yields:
            The file.

        Raises:
            HypermagneticsError: As of `fetch`, or if the directory cannot be written to, as on a
                full disk.
        """
        while (file := self._opened(entry)) is None:
            self.fill(entry, fetch)
        with file:
            yield file

    def fill(self, entry: FileEntry, fetch: Fetch) -> None:
        """Fetch a file, or wait until another process has; arguments and errors as of `open`."""
        try:
            self._fill(entry, fetch)
        except OSError as error:
            raise HypermagneticsError(
                f"The cache of datasets must be writable, with room for {entry.bytes} bytes more; "
                f"got {error.strerror or error} ({self.directory}). Make room or choose another "
                f"directory ({DIRECTORY_VARIABLE}), perhaps with a limit ({LIMIT_VARIABLE}); what "
                "was fetched is kept."
            ) from error

    def _fill(self, entry: FileEntry, fetch: Fetch) -> None:
        path = self._path(entry)
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.with_name(f"{path.name}{_LOCK}")) as lock:
            if not self.has(entry):
                if self.most_bytes is not None:
                    self._reserve(entry.bytes, lock, self.most_bytes)
                with atomic_file(path) as file:
                    fetch(entry, file)

    def _path(self, entry: FileEntry) -> Path:
        return self.directory / "sha256" / entry.sha256[:2] / entry.sha256

    def _opened(self, entry: FileEntry) -> IO[bytes] | None:
        path = self._path(entry)
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return None
        if os.fstat(file.fileno()).st_size != entry.bytes:  # cut off since, as by a failing disk
            file.close()
            path.unlink(missing_ok=True)
            return None
        with suppress(OSError):  # of another user, say: it may go sooner
            os.utime(path)
        return file

    def _reserve(self, wanted: int, lock: IO[bytes], most_bytes: int) -> None:
        """Make room for a file, and say so to others: its lock becomes as long as it will be."""
        lock.truncate(0)  # of a killed process, perhaps
        while True:
            with _locked(self.directory / _ROOM):
                if self._make_room(wanted, most_bytes):
                    lock.truncate(wanted)
                    return
            time.sleep(_LOOK_SECONDS)

    def _make_room(self, wanted: int, most_bytes: int) -> bool:
        """Delete those files that were not used for longest, until some bytes have room.

        Returns:
            Whether they have; else those that are under way must come first, and may go then.
        """
        found, under_way = [], 0
        for path in (self.directory / "sha256").glob("*/*"):
            with suppress(FileNotFoundError):
                status = path.stat()
                if len(path.name) == _DIGITS:
                    found.append((status.st_mtime, status.st_size, path))
                elif path.suffix == _LOCK and status.st_size and not _is_left(path):
                    under_way += status.st_size
        total = under_way + sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total + wanted <= most_bytes:
                break
            path.unlink(missing_ok=True)
            total -= size
        return not under_way or total + wanted <= most_bytes


@contextmanager
def _locked(path: Path) -> Iterator[IO[bytes]]:
    """Hold the lock of a path, which is there as long."""
    while (held := lock_if_free(path)) is None:
        time.sleep(_LOOK_SECONDS)
    with held:
        try:
            yield held
        finally:
            path.unlink(missing_ok=True)


def _is_left(lock: Path) -> bool:
    """Whether a killed process has left the lock of a file; it goes then, with half of the file."""
    if (held := lock_if_free(lock)) is None:
        return False
    with held:
        lock.with_suffix(".part").unlink(missing_ok=True)
        lock.unlink(missing_ok=True)
    return True

"""The files of a dataset, which stay the same as long as a program reads them."""

import hashlib
import mmap
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import IO

from hypermagnetics.data.consolidation import before_consolidation
from hypermagnetics.data.hdf5_reading import read_first
from hypermagnetics.data.manifest import MANIFEST_NAME, FileEntry
from hypermagnetics.errors import DatasetError, raise_refusal
from hypermagnetics.files import digest_of
from hypermagnetics.input_files import Stamp

_MOST_METADATA = 1 << 20
"""Largest zarr.json that is read for consolidated metadata [bytes]."""

_READ_TOGETHER = 16
"""Files that one process reads first, as its start takes most of the time."""

_EFFECTIVE = os.access in os.supports_effective_ids


class DatasetFiles:
    """Opens the files of one dataset, and notices if it is replaced meanwhile.

    A file has the stamp that it had when the dataset was opened. If not, as after a copy or where
    files are numbered anew, it has the sha256 of the manifest.
    """

    def __init__(self, directory: Path, files: tuple[FileEntry, ...]) -> None:
        """Name the files; none is looked at."""
        self.root = directory.resolve()
        self._entries = {entry.path: entry for entry in files}
        self._stamps: dict[str, Stamp] = {}
        self._read_first: set[str] = set()
        """Files that have the sha256 of the manifest, or that the HDF5 library came through."""

    def check(self, entry: FileEntry) -> None:
        """Check the presence and size of a file, and remember it.

        Args:
            entry: The file.

        Raises:
            DatasetError: If it is missing, of another size or no plain file, or may not be read.
        """
        path = f"{self.root}/{entry.path}"
        try:
            found = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise DatasetError(
                f"Every file of the manifest must exist; got no file {entry.path} ({self.root}; "
                "rule D3). Copy it from the dataset's source again."
            ) from error
        except PermissionError as error:
            raise self._forbidden(entry.path) from error
        if not stat.S_ISREG(found.st_mode):
            raise DatasetError(
                f"A file of a dataset must be a plain file inside it; got a link or special file "
                f"({path}; rule D2). Copy the real file there."
            )
        if found.st_size != entry.bytes and not self._is_consolidated(entry):
            raise DatasetError(
                f"{entry.path} must have {entry.bytes} bytes; got {found.st_size} ({self.root}; "
                "rule D4). The file was cut off or changed; copy it from the dataset's source "
                "again."
            )
        if not os.access(path, os.R_OK, effective_ids=_EFFECTIVE):
            raise self._forbidden(entry.path)
        self._stamps[entry.path] = Stamp.of(found)

    @contextmanager
    def open(self, path: str) -> Iterator[IO[bytes]]:
        """Open a file to read it, the same one each time.

        Args:
            path: Its path in the manifest.

        Yields:
            The file.

        Raises:
            DatasetError: If it lies behind a link, or is another one than before.
        """
        if path not in self._stamps:
            self.check(self._entries[path])
        _refuse_links(f"{self.root}/{path}")
        with self._opened(path) as file:
            found = Stamp.of(os.fstat(file.fileno()))
            if found != self._stamps[path]:
                self._refuse_other_bytes(file, found, self._entries[path])
                self._stamps[path] = found
            yield file

    def is_here(self, path: str) -> bool:
        """Whether a file is on a disk of this machine; else its bytes are checked when it comes."""
        return path in self._entries

    def fetch_ahead(self, paths: Sequence[str]) -> bool:
        """Begin to fetch files that will be read.

        Args:
            paths: Their paths in the manifest.

        Returns:
            Whether more may be asked for.
        """
        return False

    def stop_fetching(self) -> None:
        """Give up files that are under way, as when a program ends."""

    def map(self, path: str, file: IO[bytes]) -> mmap.mmap:
        """Map an open file into memory, read-only; processes that map it share its pages.

        Args:
            path: Its path in the manifest.
            file: The file as opened.

        Returns:
            The mapping.
        """
        try:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise_refusal(error, self.root / path)
            raise

    def sha256_of(self, path: str) -> str:
        """Hexadecimal sha256 of a file as it was written; arguments and errors as `open`.

        Consolidated metadata that was added to it since is left out.
        """
        with self.open(path) as file:
            return _digest_as_written(file, path)

    def read_hdf5_first(self, path: str) -> None:
        """Let a child process read an HDF5 file first, and some behind it, once.

        Its sha256 says nothing here: who makes a harmful file can make its manifest, too.

        Args:
            path: Its path in the manifest.

        Raises:
            OSError: If the HDF5 library hangs or crashes on it.
            DatasetError: As of `open`.
        """
        if path in self._read_first:
            return
        names = list(self._entries)
        behind = (
            name
            for name in names[names.index(path) :]
            if name not in self._read_first and (name == path or self.is_here(name))
        )
        together = list(islice(behind, _READ_TOGETHER))
        with ExitStack() as stack:
            files = [stack.enter_context(self.open(path))]
            # One behind it that cannot be opened is refused when it is needed.
            with suppress(DatasetError, OSError):
                files.extend(stack.enter_context(self.open(name)) for name in together[1:])
            self._read_first.update(together[: read_first(files)])

    def refuse_another_manifest(self, sha256: str) -> None:
        """Refuse a directory that holds another dataset by now.

        Args:
            sha256: The sha256 of the manifest that was read.

        Raises:
            DatasetError: If its manifest is another one.
        """
        path = self.root / MANIFEST_NAME
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except FileNotFoundError as error:
            raise self._gone(MANIFEST_NAME) from error
        if found != sha256:
            raise self._replaced(MANIFEST_NAME)

    def _opened(self, path: str) -> IO[bytes]:
        # Not to wait for the writer of a pipe that has taken the file's place.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            return os.fdopen(os.open(self.root / path, flags), "rb")
        except (FileNotFoundError, NotADirectoryError) as error:
            raise self._gone(path) from error
        except PermissionError as error:
            raise self._forbidden(path) from error

    def _refuse_other_bytes(self, file: IO[bytes], found: Stamp, entry: FileEntry) -> None:
        if found.bytes != entry.bytes and not _may_be_consolidated(entry.path):
            raise self._replaced(entry.path)
        if _digest_as_written(file, entry.path) != entry.sha256:
            raise self._replaced(entry.path)
        file.seek(0)

    def _is_consolidated(self, entry: FileEntry) -> bool:
        """Whether a file of another size is that of the manifest but for consolidated metadata."""
        if not _may_be_consolidated(entry.path):
            return False
        with self._opened(entry.path) as file:
            return _digest_as_written(file, entry.path) == entry.sha256

    def _replaced(self, path: str) -> DatasetError:
        return DatasetError(
            f"A dataset must stay the same while it is read; got another {path} than when it was "
            f"opened ({self.root}). Open the dataset anew, or give the same command "
            "again, and leave a dataset that is in use alone."
        )

    def _gone(self, path: str) -> DatasetError:
        return DatasetError(
            f"A dataset must stay in its place while it is read; got no {path} any more "
            f"({self.root}). Put it back, then open the dataset anew, or give the same "
            "command again."
        )

    def _forbidden(self, path: str) -> DatasetError:
        return DatasetError(
            f"Every file of the manifest must be readable; got no permission to read {path} "
            f"({self.root}; rule D3). Ask its owner for the permission, or, if it is yours, set it "
            "with chmod."
        )


def _may_be_consolidated(path: str) -> bool:
    return path.endswith(".zarr/zarr.json")


def _digest_as_written(file: IO[bytes], path: str) -> str:
    if not _may_be_consolidated(path):
        return digest_of(file)
    if os.fstat(file.fileno()).st_size > _MOST_METADATA:
        return digest_of(file)
    return hashlib.sha256(before_consolidation(file.read())).hexdigest()


def _refuse_links(path: str) -> None:
    """Refuse a path that leads through a link below a resolved directory."""
    if os.path.realpath(path) != path:
        raise DatasetError(
            f"A file of a dataset must be a plain file inside it; got a link on the way ({path}; "
            "rule D2). Copy the real files there."
        )

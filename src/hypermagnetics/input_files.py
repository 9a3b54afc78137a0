"""Files that are read and may come from anyone: of a known kind, of limited size, known again."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

from hypermagnetics.errors import HypermagneticsError


class Stamp(NamedTuple):
    """Marks by which a file is known again without reading it."""

    inode: int
    bytes: int
    changed_ns: int
    """Time of the last change [ns]."""

    @classmethod
    def of(cls, found: os.stat_result) -> "Stamp":
        """The stamp in the answer of the operating system."""
        return cls(found.st_ino, found.st_size, found.st_mtime_ns)


@dataclass(frozen=True)
class FileKind:
    """Kind of a file that may come from anyone: its name in messages, and its largest size.

    Opening never waits, as for the other end of a pipe, and reading never takes more memory than
    a file of this kind deserves.
    """

    what: str
    """With its article, as in "A recipe"."""
    most_bytes: int
    error: type[HypermagneticsError]
    """Error of a file that is none of this kind."""
    most_values: int | None = None
    """Most values in a text of JSON or TOML; parsed, each takes some hundred bytes."""

    def open(self, path: Path) -> IO[bytes]:
        """Open a file of this kind for reading.

        Args:
            path: The file.

        Returns:
            The file, to be closed.

        Raises:
            HypermagneticsError: The error of this kind, if it is no plain file, or too large.
            OSError: If it is absent, or must not be read.
        """
        # A device may act when it is opened, so it is looked at before; after, for certainty.
        self._refuse_special(path, path.stat())
        # Without O_NONBLOCK a pipe that takes the place of the file now would be waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            found = os.fstat(descriptor)
            self._refuse_special(path, found)
            if found.st_size > self.most_bytes:
                raise self._too_large(path, str(found.st_size))
        except BaseException:
            os.close(descriptor)
            raise
        return os.fdopen(descriptor, "rb")

    def read(self, path: Path) -> bytes:
        """Read a whole file of this kind; arguments and errors as of `open`."""
        with self.open(path) as file:
            # Memory is taken for all that is asked for, so no more than the file seems to have.
            size = os.fstat(file.fileno()).st_size
            content = file.read(size + 1)
            if len(content) > size:
                content += file.read(self.most_bytes + 1 - len(content))
        if len(content) > self.most_bytes:  # it has grown, or is of those that tell no size
            raise self._too_large(path, f"more than {self.most_bytes}")
        if self.most_values is not None and most_values_in(content) > self.most_values:
            raise self.error(
                f"{self.what} must hold at most {self.most_values} values; got more ({path}). "
                "Check the path."
            )
        return content

    def _refuse_special(self, path: Path, found: os.stat_result) -> None:
        if not stat.S_ISREG(found.st_mode):
            is_directory = stat.S_ISDIR(found.st_mode)
            raise self.error(
                f"{self.what} must be a plain file; got "
                f"{'a directory' if is_directory else 'a pipe, socket or device'} ({path}). "
                "Check the path."
            )

    def _too_large(self, path: Path, size: str) -> HypermagneticsError:
        return self.error(
            f"{self.what} must be a file of at most {self.most_bytes} bytes; got {size} ({path}). "
            "Check the path."
        )


def most_values_in(text: bytes) -> int:
    """A bound on the number of values in a text of JSON or TOML, without parsing it.

    Each is behind a comma or an equals sign, or the first of a list or a table; dots in a key of
    TOML make tables.
    """
    return 1 + sum(map(text.count, (b"[", b"{", b",", b"=", b".")))

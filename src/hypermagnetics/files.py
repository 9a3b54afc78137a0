"""Files that are either whole or absent, and directories with one writer at a time."""

import fcntl
import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from hypermagnetics.errors import HypermagneticsError

_CHUNK_BYTES = 1 << 22
_SECONDS_TO_WAIT = 2.0


def name_in_text(name: str | Path) -> str:
    r"""The name of a file as a text that every file, page and picture can hold.

    Args:
        name: A name or a path.

    Returns:
        The same; bytes that are no UTF-8, which a name may hold, are escaped as in "run\xff".
    """
    return os.fsencode(name).decode(errors="backslashreplace")


def sha256_of(path: Path) -> str:
    """Hexadecimal sha256 of a file's bytes.

    Args:
        path: The file.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(_CHUNK_BYTES))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
    return digest.hexdigest()


def sync_directory(directory: Path) -> None:
    """Make renames inside `directory` survive a power cut."""
    sync_file(directory)


def sync_file(path: Path) -> None:
    """Make the bytes of a file, or the names of a directory, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directories(root: Path) -> None:
    """Make all names below a directory, and its own, survive a power cut."""
    for directory, _, _ in os.walk(root):
        sync_directory(Path(directory))
    sync_directory(root.absolute().parent)


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that takes its name only when it is written, flushed and synced.

    Its bytes survive a power cut, its name perhaps not: `sync_directories` sees to all names at
    once, which is much faster than one by one.

    Args:
        path: The final name. Until the block ends without an error nothing, or the old file, is
            there; a leftover of a killed process is `path` with `.part` behind it.

    Yields:
        The file, open for writing and reading in binary.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        # Remove the leftover of a killed process, or a planted link, instead of following it.
        part.unlink(missing_ok=True)
        with _opened(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """A `whole_file` whose name survives a power cut, too."""
    with whole_file(path) as file:
        yield file
    sync_directory(path.parent)


def write_text_atomically(path: Path, text: str) -> None:
    """Write a UTF-8 text file, whole or not at all."""
    with atomic_file(path) as file:
        file.write(text.encode())


def first_foreign_file(directory: Path, ours: re.Pattern[str]) -> str | None:
    """The first file, in order of its name, that does not belong in a directory.

    Args:
        directory: Directory to search, with all directories below.
        ours: Pattern of the paths, relative to `directory`, of files that belong.

    Returns:
        The relative path, or None if all belong. A file still being written, with `.part` behind
        its name, belongs too.
    """
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        is_file = path.is_symlink() or not path.is_dir()
        if is_file and not ours.fullmatch(name.removesuffix(".part")):
            return name
    return None


def remove_contents(directory: Path, *kept: str) -> None:
    """Delete everything inside a directory but the files of the given names.

    The directory itself stays: it may be a link or a mount point.
    """
    for path in directory.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name not in kept:
            path.unlink()


def remove_tree(path: Path) -> None:
    """Delete a directory with all in it, or the file or link of that name; nothing if absent."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


@contextmanager
def only_writer(path: Path, what: str) -> Iterator[IO[bytes]]:
    """Hold the exclusive lock on a file, which dies with the process.

    Args:
        path: The file that carries the lock; made if absent, opened for appending.
        what: Name of the written object, for the message.

    Yields:
        The locked file, open for reading and appending.

    Raises:
        HypermagneticsError: If another process holds the lock.
    """
    start = time.monotonic()
    while (file := lock_if_free(path)) is None:
        # The workers of a program that was killed need a moment to see it and to end.
        if time.monotonic() - start > _SECONDS_TO_WAIT:
            raise HypermagneticsError(
                f"{what} must have one writer; got a second (another process holds the lock on "
                f"{path}). Wait for that process, or end it."
            )
        time.sleep(0.05)
    with file:
        yield file


def lock_if_free(path: Path) -> IO[bytes] | None:
    """Take the exclusive lock on a file, which dies with the process.

    Args:
        path: The file that carries the lock; made if absent, opened for appending.

    Returns:
        The locked file, to be closed, open for reading and appending; None if the lock is held.
    """
    while True:
        file = _opened(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, "a+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        # Another process may have removed the file between opening and locking it; a lock on
        # what has no name keeps nobody out.
        if _is_named(file, path):
            return file
        file.close()


def _opened(path: Path, flags: int, mode: str) -> IO[bytes]:
    """Open a file, but no link to one."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    return os.fdopen(descriptor, mode)


def _is_named(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False

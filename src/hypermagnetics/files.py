"""Files that are either whole or absent, and directories with one writer at a time."""

import errno
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import socket
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from hypermagnetics.errors import HypermagneticsError
from hypermagnetics.log import say

_CHUNK_BYTES = 1 << 22
_SECONDS_TO_WAIT = 2.0
_UNSUPPORTED = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
"""Error numbers of operations that a file system lacks (CIFS, Lustre, some of FUSE)."""
_TO_APPEND = os.O_RDWR | os.O_CREAT | os.O_APPEND
_NO_LOCKS = _UNSUPPORTED | {errno.ENOLCK}
_NO_REPLACING = _UNSUPPORTED | {errno.EEXIST, errno.EPERM, errno.EACCES}
_ASIDE = ".replaced"
_PART = re.compile(r"\.part(-[\w-]+)?$")
"""End of the name of a file that is being written, with its maker where there may be several."""
_NO_LINKING = _UNSUPPORTED | {errno.EPERM, errno.EMLINK, errno.EXDEV}
_said: set[str] = set()
"""Messages about file systems that this process has shown."""


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
    with path.open("rb") as file:
        return digest_of(file)


def digest_of(file: IO[bytes]) -> str:
    """Hexadecimal sha256 of an open file, from where it stands to its end."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(_CHUNK_BYTES))
    while count := file.readinto(buffer):  # type: ignore[attr-defined]  # not in IO, but in files
        digest.update(buffer[:count])
    return digest.hexdigest()


def sync_directory(directory: Path) -> None:
    """Make renames inside `directory` survive a power cut, where the file system can do so."""
    try:
        sync_file(directory)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        _say_once(
            "The file system cannot sync directories: a power cut may cost the last files written",
            f"{directory}: {error.strerror}",
        )


def sync_file(path: Path) -> None:
    """Make the bytes of a file, or the names of a directory, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        error.filename = str(path)  # a message must name it
        raise
    finally:
        os.close(descriptor)


def sync_directories(root: Path) -> None:
    """Make all names below a directory, and its own, survive a power cut."""
    for directory, _, _ in os.walk(root):
        sync_directory(Path(directory))
    sync_directory(root.absolute().parent)


def put_in_place(part: Path, path: Path) -> None:
    """Give a finished file or directory its name, which may be taken.

    At every moment a whole one is there, but its name may lack for a moment, where a directory or
    a file system does not let itself be replaced: what has the name is renamed aside, to `path`
    with `.replaced` behind it, and deleted after the new one is in place. `restore` undoes what a
    kill has left in between.

    Args:
        part: The finished one, in the same directory.
        path: Its name.
    """
    if part.is_dir() and os.path.lexists(path):
        _exchange(part, path)
        return
    try:
        part.replace(path)
    except OSError as error:
        if error.errno not in _NO_REPLACING or not os.path.lexists(path):
            raise
        _exchange(part, path)
        _say_once(
            "The file system cannot rename over existing files: a program that is killed while "
            "it exchanges one leaves the old one as NAME.replaced, which its next start puts back",
            f"{path}: {error.strerror}",
        )


def _exchange(part: Path, path: Path) -> None:
    aside = aside_of(path)
    remove_tree(aside)
    path.rename(aside)
    try:
        part.rename(path)
    except BaseException:
        restore(path)
        raise
    sync_directory(path.parent)
    remove_tree(aside)


def aside_of(path: Path) -> Path:
    """Path of the old file or directory while `put_in_place` exchanges it."""
    return path.with_name(path.name + _ASIDE)


def is_aside(path: Path) -> bool:
    """Whether a process was killed while it exchanged the file or directory of a name."""
    return os.path.lexists(aside_of(path))


def restore(path: Path) -> None:
    """Put a file or directory right whose exchange was cut short by a kill.

    Args:
        path: The final name. If nothing has it, what was renamed aside gets it back; else the
            exchange was complete.
    """
    if not is_aside(path):
        return
    if os.path.lexists(path):
        remove_tree(aside_of(path))
    else:
        aside_of(path).rename(path)
        sync_directory(path.parent)


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
    part = path.with_name(path.name + ".part")
    # Remove the leftover of a killed process, or a planted link, instead of following it.
    part.unlink(missing_ok=True)
    with _whole(part, path, put_in_place) as file:
        yield file


@contextmanager
def first_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a `whole_file` that several makers may write at once, on any machines.

    Each writes a part of its own. The first that is done gives its file the name, and the others
    find theirs to be the same. One that differs is a leftover of an earlier work, and is replaced.

    Args:
        path: The final name. A leftover of a killed maker is `path` with `.part-HOST-PID-RANDOM`
            behind it, see `remove_parts`.

    Yields:
        The file, open for writing and reading in binary.
    """
    host = re.sub(r"\W", "-", socket.gethostname())[:40]
    part = path.with_name(f"{path.name}.part-{host}-{os.getpid()}-{secrets.token_hex(4)}")
    with _whole(part, path, _put_first) as file:
        yield file


@contextmanager
def _whole(part: Path, path: Path, put: Callable[[Path, Path], None]) -> Iterator[IO[bytes]]:
    """Open the part of a file, which is put in its place when it is written and synced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    restore(path)
    try:
        with _opened(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        put(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _put_first(part: Path, path: Path) -> None:
    """Give a finished file its name, unless one of the same bytes has it."""
    if not os.path.lexists(path):
        try:
            # A hard link fails where a renaming would replace the file of another maker.
            os.link(part, path)
        except FileExistsError:
            pass
        except OSError as error:
            if error.errno not in _NO_LINKING:
                raise
            put_in_place(part, path)
            return
        else:
            part.unlink()
            return
    if path.is_file() and not path.is_symlink() and sha256_of(path) == sha256_of(part):
        part.unlink()
    else:
        put_in_place(part, path)


def remove_parts(directory: Path) -> None:
    """Delete all files below a directory that killed makers have left unfinished.

    Args:
        directory: A directory that nothing else is written to.
    """
    for root, _, names in os.walk(directory):
        for name in names:
            if _PART.search(name):
                Path(root, name).unlink(missing_ok=True)


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


def make_shared(path: Path) -> None:
    """Make an empty file if none is there, with the rights that the umask leaves to a group.

    Libraries that make files with rights of their own, as SQLite does, keep those of a file that
    is there, so that whatever one member of a group began, another can go on with.
    """
    _opened(path, os.O_RDWR | os.O_CREAT, "r+b").close()


def first_foreign_file(directory: Path, ours: re.Pattern[str]) -> str | None:
    """The first file, in order of its name, that does not belong in a directory.

    Args:
        directory: Directory to search, with all directories below.
        ours: Pattern of the paths, relative to `directory`, of files that belong.

    Returns:
        The relative path, or None if all belong. A file still being written or exchanged, with
        `.part`, also of a maker, or `.replaced` behind its name, belongs too.
    """
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        is_file = path.is_symlink() or not path.is_dir()
        if is_file and not ours.fullmatch(_PART.sub("", name).removesuffix(_ASIDE)):
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
        The locked file, open for reading and appending; not locked, and that is said, where the
        file system has no locks.

    Raises:
        HypermagneticsError: If another process holds the lock.
    """
    start = time.monotonic()
    while (file := _locked_if_possible(path)) is None:
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

    Raises:
        HypermagneticsError: If the file system has no locks.
    """
    try:
        return _locked(path)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        raise HypermagneticsError(
            f"The file system must lock files for processes that share work; got {error.strerror} "
            f"({path}). Choose a directory on another file system, or mount this one with locks."
        ) from error


def _locked_if_possible(path: Path) -> IO[bytes] | None:
    try:
        return _locked(path)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        _say_once(
            "The file system cannot lock files: start no other program that writes to the same "
            "directory, as nothing keeps it out",
            f"{path}: {error.strerror}",
        )
        return _opened(path, _TO_APPEND, "a+b")


def _locked(path: Path) -> IO[bytes] | None:
    while True:
        file = _opened(path, _TO_APPEND, "a+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        except OSError:
            file.close()
            raise
        # Another process may have removed the file between opening and locking it; a lock on
        # what has no name keeps nobody out.
        if _is_named(file, path):
            return file
        file.close()


def _opened(path: Path, flags: int, mode: str) -> IO[bytes]:
    """Open a plain file, and no link to one."""
    flags |= os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    descriptor = os.open(path, flags, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise HypermagneticsError(
            f"A file that a program writes must be a plain file; got a pipe, socket or device "
            f"({path}). Move it away."
        )
    return os.fdopen(descriptor, mode)


def _is_named(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _say_once(lacking: str, place: str) -> None:
    if lacking not in _said:
        _said.add(lacking)
        say(f"hypermagnetics: {lacking} ({place}).")

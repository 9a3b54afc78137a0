"""Directories for files on their way to or from a store, deleted also after a kill."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from hypermagnetics.errors import HypermagneticsError
from hypermagnetics.files import lock_if_free
from hypermagnetics.log import in_bytes

_PREFIX = "hypermagnetics-shard-"
_LOCK_NAME = "lock"


@contextmanager
def scratch_directory(num_bytes: int) -> Iterator[Path]:
    """Make a directory among the temporary files, and delete it when the block ends.

    It holds a locked file, so that the next one to be made finds those of killed processes and
    deletes them.

    Args:
        num_bytes: About the bytes that will be written there.

    Yields:
        The directory, empty.

    Raises:
        HypermagneticsError: If the disk has no room.
    """
    root = Path(tempfile.gettempdir())
    _sweep(root)
    free = shutil.disk_usage(root).free
    if num_bytes > free:
        raise HypermagneticsError(
            f"The directory of temporary files must have {in_bytes(num_bytes)} free for a shard "
            f"on its way to or from a store; got {in_bytes(free)} ({root}). Set TMPDIR to a "
            "directory on a larger disk, or make smaller shards (storage.shard_mb)."
        )
    made, lock = _locked_directory(root)
    try:
        with lock:
            files = made / "files"
            files.mkdir()
            yield files
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _locked_directory(root: Path) -> tuple[Path, IO[bytes]]:
    """Make a directory that no other process sweeps away."""
    while True:
        made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=root))
        # Another process may sweep between the making of its lock and the locking.
        with suppress(FileNotFoundError):
            if (lock := lock_if_free(made / _LOCK_NAME)) is not None:
                return made, lock


def _sweep(root: Path) -> None:
    """Delete the directories of killed processes of this user."""
    for found in root.glob(f"{_PREFIX}*"):
        lock = found / _LOCK_NAME
        # Another process may make or delete one at this moment.
        with suppress(OSError, HypermagneticsError):
            if found.is_symlink() or found.lstat().st_uid != os.getuid() or not lock.is_file():
                continue
            if (held := lock_if_free(lock)) is not None:
                with held:
                    shutil.rmtree(found, ignore_errors=True)

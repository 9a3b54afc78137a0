"""Checkpoints named in the errors that end a run."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from hypermagnetics.errors import DivergenceError, RunWriteError
from hypermagnetics.run_files import RunFiles

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Errors of a full or failing disk; missing permissions or directories are another matter."""


@contextmanager
def divergence_named(files: RunFiles) -> Iterator[None]:
    """Add the kept checkpoint and the remedy to an error of divergence.

    Args:
        files: The run.

    Raises:
        DivergenceError: With that.
    """
    try:
        yield
    except DivergenceError as error:
        raise DivergenceError(
            f"{error} ({files.directory}; {_kept(files)}). Begin another run with a lower "
            "schedule.learning_rate, or with optimiser.clip_norm set."
        ) from error


@contextmanager
def full_disk_named(files: RunFiles) -> Iterator[None]:
    """Add the kept checkpoint and the remedy to an error of a full disk.

    Args:
        files: The run.

    Raises:
        RunWriteError: In place of the OSError.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise RunWriteError(
            f"The directory of a run must take what is written; got {error.strerror} "
            f"({error.filename or files.directory}; {_kept(files)}). Make room, then give the same "
            f"command again{' with --resume' if files.provenance.exists() else ''}."
        ) from error


def _kept(files: RunFiles) -> str:
    steps = files.checkpoint_steps()
    if steps:
        return f"the last good checkpoint is {files.checkpoint(steps[-1])}"
    return "no checkpoint had been made"

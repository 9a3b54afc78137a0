"""Exit codes of hm-train beyond 0 and 2, of sysexits.h, for schedulers."""

from hypermagnetics.errors import InterruptedRunError, RunWriteError

TRY_AGAIN = 75
"""EX_TEMPFAIL: a signal stopped the run; the command can be queued again with --resume."""

CANNOT_WRITE = 74
"""EX_IOERR: the directory of the run cannot be written, as on a full disk."""


def exit_code(error: InterruptedRunError | RunWriteError) -> int:
    """Exit code of a run."""
    return TRY_AGAIN if isinstance(error, InterruptedRunError) else CANNOT_WRITE

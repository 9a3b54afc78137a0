"""Functions that workers of a cluster import, as they cannot those of a test."""

import os
import signal
import sys


def squared(item: int) -> tuple[int, int]:
    """A result, and the process that found it."""
    return item * item, os.getpid()


def refuse(error: Exception) -> None:
    """Raise an error."""
    raise error


def end(_: int) -> None:
    """End the process, as a system without memory does."""
    os.kill(os.getpid(), signal.SIGKILL)


def variables(names: tuple[str, ...]) -> dict[str, str | None]:
    """Variables of the environment."""
    return {name: os.environ.get(name) for name in names}


def first_path(_: int) -> str:
    """Where modules are looked for first."""
    return sys.path[0]

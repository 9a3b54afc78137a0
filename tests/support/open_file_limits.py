"""A limit of the files that this process may have open at a time."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def at_most_open(count: int) -> Iterator[None]:
    """Lower the limit of open files, of whose numbers some are in use."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@contextmanager
def none_may_be_opened() -> Iterator[None]:
    """Set the limit to nothing: the next file is one too many, even if others are closed for it."""
    with at_most_open(0):
        yield

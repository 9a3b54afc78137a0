"""A limit of the files that this process may have open at a time."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def none_may_be_opened() -> Iterator[None]:
    """Set the limit to nothing: the next file is one too many, even if others are closed for it."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

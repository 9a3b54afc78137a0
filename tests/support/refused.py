"""What is refused is refused in one line of the form that all messages have."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hypermagnetics.errors import HypermagneticsError

FORM = re.compile(r"['\w].* must .*; got:? .*\. [A-Z].*[.?]")


@contextmanager
def refused(kind: type[HypermagneticsError], *fragments: str) -> Iterator[None]:
    """See that an error is raised, in that form and with these texts in it."""
    with pytest.raises(kind) as caught:
        yield
    message = str(caught.value)
    assert FORM.fullmatch(message), message
    for fragment in fragments:
        assert fragment in message, message

"""Style of pictures in files, for three packages: matplotlib's defaults, not a user's settings."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import matplotlib.style

_PLAIN = {"text.parse_math": False}
"""A dollar sign in the name of a run begins no formula."""


@contextmanager
def plain_style(settings: Mapping[str, object] | None = None) -> Iterator[None]:
    """Style of a picture, as a context or a decorator.

    With a user's settings, such as `text.usetex` on a machine without LaTeX, or a resolution,
    pictures of the programs would fail, or differ from machine to machine.

    Args:
        settings: Further settings of matplotlib, by name.
    """
    with matplotlib.style.context(["default", {**_PLAIN, **(settings or {})}]):
        yield

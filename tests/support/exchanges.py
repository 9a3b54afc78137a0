"""A dataset that another one replaces while it is read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hypermagnetics.data.dataset_files import DatasetFiles


def exchange(place: Path) -> None:
    """Put the dataset `other` of a directory in the place of `data`, which is then `old`."""
    (place / "data").rename(place / "old")
    (place / "other").rename(place / "data")


@contextmanager
def exchanged_after(count: int, place: Path) -> Iterator[None]:
    """Exchange the dataset right before a file is opened, after some others."""
    opened = DatasetFiles._opened
    left = iter(range(count))

    def open_or_exchange(self: DatasetFiles, path: str) -> object:
        if next(left, None) is None and not (place / "old").exists():
            exchange(place)
        return opened(self, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatasetFiles, "_opened", open_or_exchange)
        yield
    assert (place / "old").exists(), "fewer files were opened"

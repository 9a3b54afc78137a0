"""The page of an earlier evaluation, known by its title."""

from pathlib import Path

from hypermagnetics.run_files import PAGE_NAME

TITLE = "hypermagnetics evaluation"
_HEAD_BYTES = 4096
"""Leading bytes of a page that contain its title."""


def remove_page(out: Path) -> None:
    """Delete the page of an earlier evaluation, which contradicts new results.

    Args:
        out: Directory of the page. A page that is not ours, or none, is left alone.
    """
    place = out / PAGE_NAME
    if is_page(place):
        place.unlink()


def is_page(place: Path) -> bool:
    """Whether a file is the page of an evaluation."""
    return place.is_file() and TITLE.encode() in _head(place)


def _head(place: Path) -> bytes:
    with place.open("rb") as file:
        return file.read(_HEAD_BYTES)

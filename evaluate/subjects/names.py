"""Unique names for the words of a command line."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path


def place_of(path: Path) -> Path:
    """The absolute path of a file or directory, the same for all spellings of the path.

    A link at the end is not followed, since its name is the one that was chosen.

    Args:
        path: The path as written.

    Returns:
        The path, without `.`, `..` and links above the last part.
    """
    if path.name in ("", ".."):
        return path.resolve()
    return path.parent.resolve() / path.name


def distinct_names(places: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """A short unique name for each place: its last part, or more parts where places share it.

    Args:
        places: The parts of the paths, no two alike.

    Returns:
        The names, all different.

    Examples:
        >>> distinct_names([("a", "run"), ("a", "old", "run"), ("a", "other")])
        ('a/run', 'old/run', 'other')
    """
    shared = Counter(place[-1] for place in places)
    return tuple(
        place[-1] if shared[place[-1]] == 1 else _longer(place, places) for place in places
    )


def _longer(place: tuple[str, ...], places: Sequence[tuple[str, ...]]) -> str:
    """The fewest parts that distinguish all places with the same last part."""
    alike = [other for other in places if other[-1] == place[-1]]
    for length in range(2, max(map(len, alike)) + 1):
        if len({other[-length:] for other in alike}) == len(alike):
            return Path(*place[-length:]).as_posix()
    raise AssertionError(f"places must be different; got {alike}")

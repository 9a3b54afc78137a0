"""Names that tell the words of a command line apart."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path


def place_of(path: Path) -> Path:
    """The absolute path of what was named: two paths of one file or directory give one place.

    A link at the end is not followed, since its name is the one that was chosen.

    Args:
        path: As it was given.

    Returns:
        The path, without `.`, `..` and links above the last part.
    """
    if path.name in ("", ".."):
        return path.resolve()
    return path.parent.resolve() / path.name


def distinct_names(places: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """A short name for each place: its last part, or where that is another's too, some more.

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
    """As many parts as it takes to tell all places of the same last part apart."""
    alike = [other for other in places if other[-1] == place[-1]]
    for length in range(2, max(map(len, alike)) + 1):
        if len({other[-length:] for other in alike}) == len(alike):
            return Path(*place[-length:]).as_posix()
    raise AssertionError(f"places must be different; got {alike}")

"""Safe and unique file names, for any names of runs and datasets."""

import re

_LONGEST = 100
_UNSAFE = re.compile(r"[^A-Za-z0-9_+-]+")


class FileNames:
    """Makes unique file names from words."""

    def __init__(self) -> None:
        """Start with no name taken."""
        self._taken: set[str] = set()

    def new(self, *words: str) -> str:
        """Join words to a name that is safe in file systems and links.

        Args:
            words: Parts of the name.

        Returns:
            The name, without an ending; numbered if it is taken, also on file systems that ignore
            case.
        """
        plain = "-".join(_UNSAFE.sub("-", word).strip("-") or "x" for word in words)[:_LONGEST]
        name, number = plain, 1
        while name.lower() in self._taken:
            number += 1
            name = f"{plain}-{number}"
        self._taken.add(name.lower())
        return name

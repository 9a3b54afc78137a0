"""Names of files that are safe and different, whatever users call their runs and datasets."""

import re

_LONGEST = 100
_UNSAFE = re.compile(r"[^A-Za-z0-9_+-]+")


class FileNames:
    """Makes names from words and remembers those that are taken."""

    def __init__(self) -> None:
        """No name is taken."""
        self._taken: set[str] = set()

    def new(self, *words: str) -> str:
        """Words joined, with nothing in them that a file system or a link could mistake.

        Args:
            words: What the name should tell.

        Returns:
            The name, without an ending; numbered if another one would be the same, also on a file
            system that takes capitals for small letters.
        """
        plain = "-".join(_UNSAFE.sub("-", word).strip("-") or "x" for word in words)[:_LONGEST]
        name, number = plain, 1
        while name.lower() in self._taken:
            number += 1
            name = f"{plain}-{number}"
        self._taken.add(name.lower())
        return name

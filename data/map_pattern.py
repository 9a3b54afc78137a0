"""Patterns of file names with one `*`, whose word names a sample."""

import os
from dataclasses import dataclass
from pathlib import Path

from hypermagnetics.data.npy_file import refusal
from hypermagnetics.errors import DatasetError
from hypermagnetics.files import name_in_text

_WILDCARDS = frozenset("*?[")


def is_pattern(path: Path) -> bool:
    """Whether a path is a pattern: a file that is there by that very name is none."""
    return not _WILDCARDS.isdisjoint(str(path)) and not path.exists()


@dataclass(frozen=True)
class MapPattern:
    """A pattern with one `*`, in the name of the files or in that of one directory."""

    path: Path
    part: int
    """Number of the part of the path that has the `*`."""

    @classmethod
    def of(cls, path: Path, option: str = "--inputs or --targets") -> "MapPattern":
        """Check a pattern.

        Args:
            path: The pattern.
            option: The option that names it, for messages.

        Returns:
            The same, checked.

        Raises:
            DatasetError: If it has another wildcard, or more than one.
        """
        text = str(path)
        if sum(map(text.count, _WILDCARDS)) != 1 or "*" not in text:
            rule = "A pattern must have one *, whose word names the sample, and no ?, [ or **"
            repair = "Write for example 'in_*.npy'."
            raise refusal(rule, repr(text), option, repair)
        return cls(path, next(i for i, part in enumerate(path.parts) if "*" in part))

    @property
    def matches_nothing(self) -> DatasetError:
        """The error of a pattern without files."""
        repair = "Check it; in quotes, ~ and variables stay as they are."
        return refusal("A pattern must match a file", "none", self.path, repair)

    @property
    def name(self) -> str:
        """The pattern from the part with the `*` on, as texts hold it."""
        return name_in_text(Path(*self.path.parts[self.part :]))

    def path_of(self, word: str) -> Path:
        """Path of the file of a word."""
        parts = list(self.path.parts)
        parts[self.part] = parts[self.part].replace("*", word)
        return Path(*parts)

    def words(self) -> set[str]:
        """Words of the files that are there.

        As in a shell, the `*` stands for any characters, and for no dot at the beginning of a name.
        """
        before, after = self.path.parts[self.part].split("*")
        behind = self.path.parts[self.part + 1 :]
        directory = Path(*self.path.parts[: self.part])
        found = set()
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    name = entry.name
                    if not name.startswith(before) or not name.endswith(after):
                        continue
                    if len(name) < len(before) + len(after) or (not before and name[0] == "."):
                        continue
                    if not behind or os.path.lexists(Path(entry.path, *behind)):
                        found.add(name[len(before) : len(name) - len(after)])
        except (FileNotFoundError, NotADirectoryError):
            return set()
        return found

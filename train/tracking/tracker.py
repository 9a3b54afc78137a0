"""What a tracker is, and what it is told before the first step."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from pydantic import JsonValue

from hypermagnetics.files import write_text_atomically


@dataclass(frozen=True)
class TrackedRun:
    """The run that is tracked."""

    name: str
    """For people."""
    directory: Path
    """Where a tracker may keep files of its own, each in a directory of its name."""
    recipe: dict[str, JsonValue]
    """With every default filled in."""
    steps_done: int
    """Steps up to the checkpoint that this process goes on from; later ones are made again."""

    def remembered(self, name: str, make: Callable[[], str]) -> tuple[str, bool]:
        """A word that all processes of the run share, such as the run's number at a tracker.

        Args:
            name: What the word is kept under.
            make: Makes it, the first time.

        Returns:
            The word, and whether it has just been made.
        """
        path = self.directory / f"{name}.txt"
        if path.is_file():
            return path.read_text(encoding="utf-8").strip(), False
        word = make()
        self.directory.mkdir(parents=True, exist_ok=True)
        write_text_atomically(path, word + "\n")
        return word, True


@runtime_checkable
class Tracker(Protocol):
    """Somewhere a run is shown. Any error ends the tracking there, and nothing else."""

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Take numbers, by the names that metrics.jsonl has for them, after a step."""

    def picture(self, step: int, png: bytes) -> None:
        """Take a picture of a sample, a PNG file, after a step."""

    def close(self, finished: bool) -> None:
        """Take no more; `finished` says whether the run has come to its end."""

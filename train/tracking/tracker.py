"""Interface of a tracker, and its information before the first step."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from pydantic import JsonValue

from hypermagnetics.files import write_text_atomically


@dataclass(frozen=True)
class TrackedRun:
    """The tracked run."""

    name: str
    """Display name."""
    directory: Path
    """Directory for the files of trackers, each in a subdirectory of its name."""
    recipe: dict[str, JsonValue]
    """Recipe with every default filled in."""
    steps_done: int
    """Steps up to the checkpoint from which this process resumes; later ones are made again."""

    def remembered(self, name: str, make: Callable[[], str]) -> tuple[str, bool]:
        """Word shared by all processes of the run, such as the run's number at a tracker.

        Args:
            name: Name under which the word is kept.
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
    """Display of a run elsewhere. Any error ends the tracking there, and nothing else."""

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Log numbers after a step, by their names in metrics.jsonl."""

    def picture(self, step: int, png: bytes) -> None:
        """Log a picture of a sample, a PNG file, after a step."""

    def close(self, finished: bool) -> None:
        """Close the tracker; `finished` says whether the run has come to its end."""

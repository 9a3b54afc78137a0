"""Paths of the parts of a sweep."""

from dataclasses import dataclass
from pathlib import Path

from hypermagnetics.run_files import LOCK_NAME, RunFiles


@dataclass(frozen=True)
class SweepFiles:
    """The files of a sweep's directory."""

    directory: Path

    @property
    def lock(self) -> Path:
        """Lock, held while the sweep is opened."""
        return self.directory / LOCK_NAME

    @property
    def definition(self) -> Path:
        """Definition of the sweep."""
        return self.directory / "sweep.json"

    @property
    def database(self) -> Path:
        """Trials, for all processes: SQLite."""
        return self.directory / "trials.sqlite"

    def trial(self, number: int) -> RunFiles:
        """Directory of the run of a trial."""
        return RunFiles(self.directory / f"trial-{number:04d}")

    def recipe(self, number: int) -> Path:
        """Recipe of a trial."""
        return self.directory / "recipes" / f"trial-{number:04d}.json"

    def log(self, number: int) -> Path:
        """Output of the process of a trial."""
        return self.directory / "logs" / f"trial-{number:04d}.log"

    def trial_lock(self, number: int) -> Path:
        """Lock, held by the process that works on a trial."""
        return self.directory / "locks" / f"trial-{number:04d}"

    @property
    def csv(self) -> Path:
        """The table, for programs."""
        return self.directory / "table.csv"

    @property
    def markdown(self) -> Path:
        """The table, for people."""
        return self.directory / "table.md"

    @property
    def picture(self) -> Path:
        """The parallel coordinates."""
        return self.directory / "parallel.png"

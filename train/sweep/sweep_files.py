"""Where the parts of a sweep are."""

from dataclasses import dataclass
from pathlib import Path

from hypermagnetics.run_files import RunFiles


@dataclass(frozen=True)
class SweepFiles:
    """The files of a sweep's directory."""

    directory: Path

    @property
    def lock(self) -> Path:
        """Held while the sweep is opened."""
        return self.directory / "lock"

    @property
    def definition(self) -> Path:
        """What the sweep does."""
        return self.directory / "sweep.json"

    @property
    def database(self) -> Path:
        """The trials, for all processes: SQLite."""
        return self.directory / "trials.sqlite"

    def trial(self, number: int) -> RunFiles:
        """The run of a trial."""
        return RunFiles(self.directory / f"trial-{number:04d}")

    def recipe(self, number: int) -> Path:
        """The recipe that a trial is started with."""
        return self.directory / "recipes" / f"trial-{number:04d}.json"

    def log(self, number: int) -> Path:
        """What the process of a trial has said."""
        return self.directory / "logs" / f"trial-{number:04d}.log"

    def trial_lock(self, number: int) -> Path:
        """Held by whoever works on a trial."""
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

"""The metrics of a run as JSON lines."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from pydantic import JsonValue

from hypermagnetics.files import restore, write_text_atomically
from hypermagnetics.run_files import metrics_lines, parsed_metrics, read_metrics
from hypermagnetics.train import processes


@runtime_checkable
class Log(Protocol):
    """Takes the lines of a run."""

    failure: OSError | None
    """The error of a line that could not be written, if it waits to be raised."""

    def write(self, record: dict[str, JsonValue]) -> None:
        """Append one line."""

    def close(self) -> None:
        """Take no further line."""


class MetricsLog:
    """Appends JSON lines; after a resume, lines past the checkpoint are cut off."""

    def __init__(
        self,
        path: Path,
        steps_done: int,
        track: Callable[[dict[str, JsonValue]], None] = lambda record: None,
        validated_every: int = 1,
    ) -> None:
        """Keep the lines of the first `steps_done` steps.

        Args:
            path: The file.
            steps_done: Number of steps made.
            track: Called with each line that is added.
            validated_every: Validations after other numbers of steps are forgotten: one that was
                made where the run ended, and that the run which goes on does not make.
        """
        restore(path)
        kept = _lines_until(path, steps_done, validated_every) if path.exists() else []
        # Whole or not at all: a kill here must not lose the lines of many hours.
        write_text_atomically(path, "".join(line + "\n" for line in kept))
        self._file = path.open("a", encoding="utf-8")
        self._track = track
        self.failure: OSError | None = None

    def write(self, record: dict[str, JsonValue]) -> None:
        """Append one line."""
        self._file.write(json.dumps(record, allow_nan=False) + "\n")
        self._file.flush()
        self._track(record)

    def close(self) -> None:
        """Close the file, which holds every line that was written without an error.

        The rest of a line that a full disk refused is tried again here, to no avail.
        """
        with suppress(OSError):
            self._file.close()


class SharedLog(MetricsLog):
    """The log of the first of several processes, which keeps an error until all can end."""

    def write(self, record: dict[str, JsonValue]) -> None:
        """Append one line, unless one before it failed."""
        if self.failure is None:
            try:
                super().write(record)
            except OSError as error:
                self.failure = error


class NoLog:
    """The log of the other processes, whose lines would be the same."""

    def __init__(self) -> None:
        """Take lines, and keep none."""
        self.failure: OSError | None = None

    def write(self, record: dict[str, JsonValue]) -> None:
        """See `Log`."""

    def close(self) -> None:
        """See `Log`."""


def open_log(
    path: Path,
    steps_done: int,
    track: Callable[[dict[str, JsonValue]], None],
    validated_every: int,
) -> Log:
    """Open the log of a run; arguments as of `MetricsLog`. Only the first process writes it."""
    kind = MetricsLog if processes.count() == 1 else SharedLog

    def begin() -> Log:
        if processes.is_first():
            return kind(path, steps_done, track, validated_every)
        return NoLog()

    return processes.together(begin)


def _lines_until(path: Path, steps_done: int, validated_every: int) -> list[str]:
    kept = []
    for line in metrics_lines(path):
        record = parsed_metrics(line)
        if record is None:
            continue  # torn by a kill, or damaged since; that line alone is lost
        is_regular = "validation" not in record or record["step"] % validated_every == 0
        if record["step"] <= steps_done and is_regular:
            kept.append(line.decode(errors="replace"))
    return kept


def wait_share(path: Path) -> float:
    """Share of the time of the steps that a run waited for its loader.

    Args:
        path: The metrics.jsonl of the run. Steps among which some were compiled do not count,
            unless there are no others.

    Returns:
        A fraction.
    """
    waits = {compiles: np.zeros(2) for compiles in (False, True)}
    for line in read_metrics(path):
        if "wait_share" in line:
            seconds = line["seconds_per_step"] * line["steps"]
            waits[line["compiles"]] += (line["wait_share"] * seconds, seconds)
    waited, seconds = waits[False] if waits[False][1] else waits[True]
    return float(waited / seconds)

"""The metrics of a run as JSON lines, and the losses of the steps between two lines."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from pydantic import JsonValue

from hypermagnetics.files import write_text_atomically
from hypermagnetics.run_files import parsed_metrics, read_metrics
from hypermagnetics.train.objective import Losses


class MetricsLog:
    """Appends JSON lines; after a resume, lines past the checkpoint are cut off."""

    def __init__(
        self,
        path: Path,
        steps_done: int,
        tell: Callable[[dict[str, JsonValue]], None] = lambda record: None,
        validated_every: int = 1,
    ) -> None:
        """Keep the lines of the first `steps_done` steps.

        Args:
            path: The file.
            steps_done: How many steps have been made.
            tell: Hears each line that is added.
            validated_every: Validations after other numbers of steps are forgotten: one that was
                made where the run ended, and that the run which goes on does not make.
        """
        kept = _lines_until(path, steps_done, validated_every) if path.exists() else []
        # Whole or not at all: a kill here must not lose the lines of many hours.
        write_text_atomically(path, "".join(line + "\n" for line in kept))
        self._file = path.open("a", encoding="utf-8")
        self._tell = tell

    def write(self, record: dict[str, JsonValue]) -> None:
        """Append one line."""
        self._file.write(json.dumps(record, allow_nan=False) + "\n")
        self._file.flush()
        self._tell(record)

    def close(self) -> None:
        """Close the file, which holds every line that was written without an error.

        What is left of one that a full disk did not take is tried again here, to no avail.
        """
        with suppress(OSError):
            self._file.close()


class Window:
    """The steps since the last line: their losses, still on the device, and their time."""

    def __init__(self, wait_seconds: float) -> None:
        """Begin now.

        Args:
            wait_seconds: How long the loop has waited for the loader so far.
        """
        self._on_device: list[Losses] = []
        self._wait_before = wait_seconds
        self.count, self.seconds, self.waited, self.compiling = 0, 0.0, 0.0, 0.0
        self.ended = time.perf_counter()

    def add(self, losses: Losses, count: int, compiling: float) -> None:
        """Remember the losses of some steps without waiting for them.

        Args:
            losses: On the device.
            count: How many steps.
            compiling: How long compiling them took [s].
        """
        self._on_device.append(losses)
        self.count += count
        self.compiling += compiling

    def close(self, wait_seconds: float) -> None:
        """No more steps come."""
        self.waited = wait_seconds - self._wait_before
        self.ended = time.perf_counter()

    def wait(self) -> None:
        """Wait for the device; the window ends only then."""
        jax.block_until_ready(self._on_device)
        self.ended = time.perf_counter()

    def fetch(self, since: float) -> "Fetched":
        """Wait for the losses.

        Args:
            since: When the window before it ended, by time.perf_counter.

        Returns:
            The losses of the steps.
        """
        self.seconds = self.ended - since
        found = [jax.device_get(losses) for losses in self._on_device]
        names = found[0].terms
        return Fetched(
            np.concatenate([losses.total for losses in found]).astype(np.float64),
            {
                name: np.concatenate([losses.terms[name] for losses in found]).astype(np.float64)
                for name in names
            },
        )

    def record(self, fetched: "Fetched", samples_per_step: int) -> dict[str, JsonValue]:
        """Mean losses and speed, for a line of the log.

        Args:
            fetched: The losses.
            samples_per_step: Samples of a batch.

        Returns:
            The fields of the line.
        """
        return {
            "loss": float(fetched.total.mean()),
            "losses": {name: float(values.mean()) for name, values in fetched.terms.items()},
            "steps": self.count,
            "compiles": self.compiling > 0,
            "seconds_per_step": self.seconds / self.count,
            "samples_per_second": self.count * samples_per_step / self.seconds,
            "wait_share": self.waited / self.seconds,
        }


class Fetched(NamedTuple):
    """The losses of consecutive steps."""

    total: np.ndarray
    terms: dict[str, np.ndarray]

    def first_nonfinite(self) -> int | None:
        """How many steps came before the first non-finite loss; None if all are finite."""
        bad = np.flatnonzero(~np.isfinite(self.total))
        return int(bad[0]) if bad.size else None


def _lines_until(path: Path, steps_done: int, validated_every: int) -> list[str]:
    kept = []
    for line in path.read_bytes().splitlines():
        record = parsed_metrics(line)
        if record is None:
            break  # torn by a kill; nothing follows it
        is_regular = "validation" not in record or record["step"] % validated_every == 0
        if record["step"] <= steps_done and is_regular:
            kept.append(line.decode())
    return kept


def wait_share(path: Path) -> float:
    """Share of the time of the steps that a run waited for its loader.

    Args:
        path: The metrics.jsonl of the run. Steps among which some were compiled do not count,
            unless there are no others.

    Returns:
        A fraction.
    """
    windows = [line for line in read_metrics(path) if "wait_share" in line]
    warm = [line for line in windows if not line["compiles"]] or windows
    seconds = np.array([line["seconds_per_step"] * line["steps"] for line in warm])
    shares = np.array([line["wait_share"] for line in warm])
    return float((shares * seconds).sum() / seconds.sum())

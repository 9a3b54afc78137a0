"""The metrics of a run as JSON lines, and the losses of the steps between two lines."""

import json
import time
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from hypermagnetics.files import write_text_atomically
from hypermagnetics.train.objective import Losses


class MetricsLog:
    """Appends JSON lines; after a resume, lines past the checkpoint are cut off."""

    def __init__(self, path: Path, steps_done: int) -> None:
        """Keep the lines of the first `steps_done` steps."""
        kept = _lines_until(path, steps_done) if path.exists() else []
        # Whole or not at all: a kill here must not lose the lines of many hours.
        write_text_atomically(path, "".join(line + "\n" for line in kept))
        self._file = path.open("a", encoding="utf-8")

    def write(self, record: dict[str, JsonValue]) -> None:
        """Append one line."""
        self._file.write(json.dumps(record, allow_nan=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Window:
    """The steps since the last line: their losses, still on the device, and their time."""

    def __init__(self, wait_seconds: float) -> None:
        """Begin now.

        Args:
            wait_seconds: How long the loop has waited for the loader so far.
        """
        self._on_device: list[Losses] = []
        self._losses = np.empty((0, 3))
        self._start, self._wait_before = time.perf_counter(), wait_seconds
        self.seconds, self.waited = 0.0, 0.0

    def __len__(self) -> int:
        """Number of steps."""
        return len(self._on_device)

    def add(self, losses: Losses) -> None:
        """Remember the losses of a step without waiting for them."""
        self._on_device.append(losses)

    def close(self, wait_seconds: float) -> None:
        """Wait for the device and stop the clock."""
        self._losses = np.array(
            [(loss.total, loss.potential, loss.field) for loss in self._on_device], np.float64
        )
        self.seconds = time.perf_counter() - self._start
        self.waited = wait_seconds - self._wait_before

    def first_nonfinite(self) -> int | None:
        """How many steps came before the first non-finite loss; None if all are finite."""
        bad = np.flatnonzero(~np.isfinite(self._losses[:, 0]))
        return int(bad[0]) if bad.size else None

    def record(self, samples_per_step: int, *, compiles: bool) -> dict[str, JsonValue]:
        """Mean losses and speed, for a line of the log.

        Args:
            samples_per_step: Samples of a batch.
            compiles: Whether this is the first window of its process, in which it compiled.

        Returns:
            The fields of the line.
        """
        total, potential, field = (float(mean) for mean in self._losses.mean(axis=0))
        return {
            "loss": total,
            "potential_loss": potential,
            "field_loss": field,
            "steps": len(self),
            "compiles": compiles,
            "seconds_per_step": self.seconds / len(self),
            "samples_per_second": len(self) * samples_per_step / self.seconds,
            "wait_share": self.waited / self.seconds,
        }


def _lines_until(path: Path, steps_done: int) -> list[str]:
    kept = []
    for line in path.read_bytes().splitlines():
        try:
            step = json.loads(line)["step"]
            if step <= steps_done:
                kept.append(line.decode())
        except (ValueError, TypeError, KeyError, RecursionError):
            break  # torn by a kill; nothing follows it
    return kept


def wait_share(path: Path) -> float:
    """Share of the time of the steps that a run waited for its loader.

    Args:
        path: The metrics.jsonl of the run. Steps among which some were compiled do not count,
            unless there are no others.

    Returns:
        A fraction.
    """
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    windows = [line for line in lines if "wait_share" in line]
    warm = [line for line in windows if not line["compiles"]] or windows
    seconds = np.array([line["seconds_per_step"] * line["steps"] for line in warm])
    shares = np.array([line["wait_share"] for line in warm])
    return float((shares * seconds).sum() / seconds.sum())

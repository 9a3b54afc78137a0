"""Windows of steps: their losses and times, as lines of the log and as a status line."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import numpy as np

from hypermagnetics.errors import DivergenceError
from hypermagnetics.run_files import AnyValidation
from hypermagnetics.train.clock import Clock, Reading
from hypermagnetics.train.metrics_log import Log
from hypermagnetics.train.objective import Losses
from hypermagnetics.train.phases import Phase
from hypermagnetics.train.setup import Setup

_RECENT = 10
"""Number of windows averaged for the displayed speed."""


class Pace(NamedTuple):
    """Loss, speed and wait of the last steps."""

    loss: float
    samples_per_second: float
    wait_share: float
    """Share of time spent waiting for the loader."""


@dataclass
class Window:
    """Consecutive steps between two lines of the log, with their losses still on the device."""

    begun: Reading
    ended: Reading
    """Readings of the clock at the ends of the window before and of this one."""
    phase: Phase
    """Phase of the last step."""
    losses: list[Losses] = field(default_factory=list)
    count: int = 0
    """Number of steps."""

    @property
    def seconds(self) -> float:
        """Duration [s]."""
        return self.ended.time - self.begun.time

    @property
    def waited(self) -> float:
        """Time spent waiting for the loader [s]."""
        return self.ended.since(self.begun, "loader")

    @property
    def compiling(self) -> float:
        """Time spent compiling the steps [s]."""
        return self.ended.since(self.begun, "compiling")

    def total(self) -> np.ndarray:
        """The loss of each step; waits for the device."""
        return np.concatenate([np.asarray(some.total, np.float64) for some in self.losses])

    def mean_terms(self) -> dict[str, float]:
        """Mean of each term of the losses over the steps."""
        parts = [jax.device_get(some.terms) for some in self.losses]
        return {
            name: float(np.concatenate([part[name] for part in parts]).astype(np.float64).mean())
            for name in parts[0]
        }

    def last_numbers(self) -> dict[str, Any]:
        """Numbers of the last step beside its loss, as of Fisher information; none of others."""
        return self.losses[-1].last_numbers()


class Speed(NamedTuple):
    """Samples, and the time of their steps [s]."""

    samples: int = 0
    seconds: float = 0.0

    def plus(self, samples: int, seconds: float) -> "Speed":
        """Both with those of another window."""
        return Speed(self.samples + samples, self.seconds + seconds)

    @property
    def samples_per_second(self) -> float:
        """Zero before the first window."""
        return self.samples / self.seconds if self.seconds else 0.0


class Windows:
    """Windows of steps; the device may still be busy with the last two.

    A window is written after the next one is closed, so that the device always has steps to make
    while the host reads losses and writes a line. It ends, for the clock, when its last step was
    dispatched, which is when all but the last few were made: the loop is never further ahead.
    """

    def __init__(self, log: Log, clock: Clock, setup: Setup, first: int) -> None:
        """Begin the first window.

        Args:
            log: Log of the lines.
            clock: Clock of the process.
            setup: The parts of the training.
            first: Steps that were made before.
        """
        self._log, self._clock, self._setup = log, clock, setup
        self._open: Window | None = None
        self._closed: Window | None = None
        self._recent: deque[Window] = deque(maxlen=_RECENT)
        self._warm, self._all = Speed(), Speed()
        self.restart()
        self.seen = first
        """Number of steps whose losses are known to be finite."""
        self.pace: Pace | None = None
        """Loss of the last written window, and speed of the last few."""

    def restart(self) -> None:
        """Begin a window now, after work that is no step."""
        self._begun = self._clock.read()

    def add(self, losses: Losses, count: int, phase: Phase) -> None:
        """Keep the losses of some steps, still on the device."""
        if self._open is None:
            self._open = Window(self._begun, self._begun, phase)
        self._open.losses.append(losses)
        self._open.count += count
        # A window may reach into the next phase; the rate that is logged is that of its last step.
        self._open.phase = phase

    def close(self) -> None:
        """Close the window; write the one before it.

        Raises:
            DivergenceError: If a loss of the one before is not finite.
        """
        before, self._closed, self._open = self._closed, self._open, None
        if self._closed is not None:
            self._begun = self._closed.ended = self._clock.read()
        if before is not None:
            self._write(before)

    def drain(self) -> None:
        """Wait for the closed window and write it; errors as of `close`."""
        if self._closed is not None:
            window, self._closed = self._closed, None
            jax.block_until_ready(window.losses)
            window.ended = self._clock.read()
            self._write(window)

    @property
    def samples_per_second(self) -> float:
        """Speed in the windows without compilation, if there are any."""
        return (self._warm if self._warm.seconds else self._all).samples_per_second

    def _write(self, window: Window) -> None:
        total = window.total()
        self._refuse_nonfinite(total)
        self.seen += window.count
        samples = window.count * self._setup.samples_per_step
        self._log.write(
            {
                "step": self.seen,
                "learning_rate": window.phase.learning_rate(self.seen - 1),
                "loss": float(total.mean()),
                "losses": {**window.mean_terms()},
                **window.last_numbers(),
                "steps": window.count,
                "compiles": window.compiling > 0,
                "seconds_per_step": window.seconds / window.count,
                "samples_per_second": samples / window.seconds,
                "wait_share": window.waited / window.seconds,
            }
        )
        self._recent.append(window)
        # Sums, not the windows: a run may have millions of them.
        self._all = self._all.plus(samples, window.seconds)
        if not window.compiling:
            self._warm = self._warm.plus(samples, window.seconds)
        window.losses.clear()
        other = window.waited + window.compiling + window.ended.since(window.begun, "tracking")
        self._clock.add("steps", max(window.seconds - other, 0.0))
        recent = _warm(list(self._recent))
        seconds = sum(window.seconds for window in recent)
        samples = sum(window.count for window in recent) * self._setup.samples_per_step
        waited = sum(window.waited for window in recent)
        self.pace = Pace(float(total.mean()), samples / seconds, waited / seconds)

    def _refuse_nonfinite(self, total: np.ndarray) -> None:
        bad = np.flatnonzero(~np.isfinite(total))
        if bad.size:
            step = self.seen + int(bad[0]) + 1
            raise DivergenceError(
                f"The loss must be finite; got {total[bad[0]]:g} at step {step}, on "
                f"{self._setup.samples_of(step)}"
            )


def _warm(windows: list[Window]) -> list[Window]:
    """Windows without compilation; all if there are none."""
    return [window for window in windows if not window.compiling] or windows


def status_line(pace: Pace | None, found: AnyValidation | None) -> str:
    """Loss, error, speed and wait, the most important first: a narrow terminal cuts off the end.

    Args:
        pace: Of the last steps that are known; None before there are any.
        found: The last validation of this process, if there was one.

    Returns:
        The line, as in "loss 0.012, error 3.4 %, 51200 samples/s, wait 2 %". The error is the
        median relative error of the potential, or of the targets; of summaries it is det F.
    """
    parts = []
    if pace is not None:
        parts.append(f"loss {pace.loss:.3g}")
    if found is not None and found.status is not None:
        parts.append(found.status)
    if pace is not None:
        parts += [f"{pace.samples_per_second:.0f} samples/s", f"wait {100 * pace.wait_share:.0f} %"]
    return ", ".join(parts)

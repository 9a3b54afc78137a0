"""Losses and time of the steps between two log lines; fetched late."""

import time

from hypermagnetics.errors import DivergenceError
from hypermagnetics.train.clock import Clock
from hypermagnetics.train.log import Fetched, MetricsLog, Window
from hypermagnetics.train.note import Pace
from hypermagnetics.train.objective import Losses
from hypermagnetics.train.phases import Phase
from hypermagnetics.train.setup import Setup

_RECENT = 10
"""Number of windows averaged for the displayed speed."""


class Windows:
    """Windows of steps, of which the device may still be busy with the last two.

    A window is fetched after the next one is closed, so that the device always has steps to make
    while the host reads losses and writes a line. It ends, for the clock, when its last step was
    dispatched, which is when all but the last few were made: the loop is never further ahead.
    """

    def __init__(self, log: MetricsLog, clock: Clock, setup: Setup, first: int) -> None:
        """Start the timer.

        Args:
            log: Log of the lines.
            clock: Clock of the process.
            setup: The parts of the training.
            first: Steps that were made before.
        """
        self._log, self._clock, self._setup = log, clock, setup
        self._samples_per_step = setup.samples_per_step
        self._open: tuple[Window, Phase] | None = None
        self._closed: tuple[Window, Phase] | None = None
        self._waited = 0.0
        self.skip()
        self._timed: list[Window] = []
        self.seen = first
        """Number of steps whose losses are known to be finite."""
        self.pace: Pace | None = None
        """Loss of the last fetched window, and speed of the last few."""

    def add(self, losses: Losses, count: int, phase: Phase, compiling: float) -> None:
        """Store the losses of some steps, and the time to compile them [s]."""
        window = Window(self._waited) if self._open is None else self._open[0]
        window.add(losses, count, compiling)
        # A window may reach into the next phase; the rate that is told is that of its last step.
        self._open = window, phase

    def close(self, waited: float) -> None:
        """Close the window; fetch the one before it.

        Args:
            waited: Time that the loop has waited for the loader so far [s].

        Raises:
            DivergenceError: If a loss of the one before is not finite.
        """
        before, self._closed, self._open = self._closed, self._open, None
        if self._closed is not None:
            self._closed[0].close(waited)
        self._waited = waited
        if before is not None:
            self._fetch(*before)

    def drain(self) -> None:
        """Wait for the closed window and fetch it; errors as of `close`."""
        if self._closed is not None:
            (window, phase), self._closed = self._closed, None
            window.wait()
            self._fetch(window, phase)

    def skip(self) -> None:
        """Restart the timer, after work that is no step."""
        self._mark, self._tracked = time.perf_counter(), self._clock.spent("tracking")

    @property
    def samples_per_second(self) -> float:
        """Speed in the windows without compilation, if there are any."""
        warm = [window for window in self._timed if not window.compiling] or self._timed
        seconds = sum(window.seconds for window in warm)
        steps = sum(window.count for window in warm)
        return steps * self._samples_per_step / seconds if seconds else 0.0

    def _fetch(self, window: Window, phase: Phase) -> None:
        fetched = window.fetch(self._mark)
        other = self._clock.spent("tracking") - self._tracked + window.waited + window.compiling
        self._mark, self._tracked = window.ended, self._clock.spent("tracking")
        self._refuse_nonfinite(fetched)
        self.seen += window.count
        record = window.record(fetched, self._samples_per_step)
        rate = phase.learning_rate(self.seen - 1)
        self._log.write({"step": self.seen, "learning_rate": rate, **record})
        self._timed.append(window)
        self.pace = self._pace(fetched)
        self._clock.add("loader", window.waited)
        self._clock.add("compiling", window.compiling)
        self._clock.add("steps", max(window.seconds - other, 0.0))

    def _pace(self, fetched: Fetched) -> Pace:
        recent = self._timed[-_RECENT:]
        recent = [window for window in recent if not window.compiling] or recent
        seconds = sum(window.seconds for window in recent)
        samples = self._samples_per_step * sum(window.count for window in recent)
        waited = sum(window.waited for window in recent)
        return Pace(float(fetched.total.mean()), samples / seconds, waited / seconds)

    def _refuse_nonfinite(self, fetched: Fetched) -> None:
        good = fetched.first_nonfinite()
        if good is not None:
            step = self.seen + good + 1
            raise DivergenceError(
                f"The loss must be finite; got {fetched.total[good]:g} at step {step}, on "
                f"{self._setup.samples_of(step)}"
            )

"""The steps of one process, and the conditions that end a run."""

import signal
import time
from collections import deque
from contextlib import nullcontext
from functools import partial

import jax
from pydantic import JsonValue

from hypermagnetics.data import Split
from hypermagnetics.errors import DivergenceError, InterruptedRunError
from hypermagnetics.log import Listener
from hypermagnetics.models import ModelInputs
from hypermagnetics.run_files import RunFiles
from hypermagnetics.train import processes
from hypermagnetics.train.checkpoint import Reached, load_agreed
from hypermagnetics.train.clock import Clock
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.feed import Feed
from hypermagnetics.train.keeper import Keeper, Kept
from hypermagnetics.train.metrics_log import open_log
from hypermagnetics.train.objective import Losses
from hypermagnetics.train.phases import Phase, phase_of
from hypermagnetics.train.processes import Agreement, Word
from hypermagnetics.train.setup import Setup
from hypermagnetics.train.signals import StopRequest
from hypermagnetics.train.step import State, Steps, compiled_steps
from hypermagnetics.train.tracking.pictures import Pictures
from hypermagnetics.train.tracking.tracking import open_tracking
from hypermagnetics.train.windows import Windows, status_line

_AHEAD = 2
"""Dispatches queued on the device: enough to keep it busy. More would hold more batches, and times
of steps would be those of dispatching."""


class Loop:
    """The steps of one process, dispatched without waiting for the device.

    Only a validation or a checkpoint waits for all of them.
    """

    def __init__(
        self,
        setup: Setup,
        files: RunFiles,
        provenance: dict[str, JsonValue],
        listener: Listener,
    ) -> None:
        """Read the newest checkpoint, or begin; arguments as of `train`."""
        self._setup, self._files, self._listener = setup, files, listener
        self.clock = Clock()
        self._state, self.progress, self._phase = self._begin()
        self.ending = reason_to_end(setup.recipe, self.progress)
        self._done, self._steps = self.progress.step, self._compiled()
        self._is_compiled = False
        # A finished run has no news.
        is_whole = self.ending is not None and processes.first_finds(files.model.exists)
        self.is_finished = is_whole
        """Whether the run was finished by an earlier process."""
        names = () if is_whole or not processes.is_first() else setup.recipe.tracking.to
        valid = setup.valid
        pictures = None
        if isinstance(setup.inputs, ModelInputs) and isinstance(valid, Split):
            pictures = Pictures(setup.dataset, valid)
        self._tracking = open_tracking(
            names, setup.recipe, pictures, files, self._done, self.clock, listener
        )
        # A finished run keeps all its log lines.
        every = 1 if is_whole else setup.recipe.validation.every
        scalars = self._tracking.scalars
        self._log = open_log(files.metrics, self._done, scalars, every)
        self._windows = Windows(self._log, self.clock, setup, self._done)
        show = self._tracking.picture
        self._keeper = Keeper(setup, files, provenance, self._log, self.clock, show)
        self._in_flight: deque[Losses] = deque()
        self._agreement = Agreement(_AHEAD)
        self._status = ""
        self._start, self._seconds_before = time.monotonic(), self.progress.seconds or 0.0

    def run(self, feed: Feed, stop: StopRequest) -> None:
        """Make the remaining steps.

        Args:
            feed: Their batches.
            stop: Whether a signal has come.
        """
        try:
            self._run(feed, stop)
        except DivergenceError as error:
            # All processes have the same losses, so all come here after the same step.
            processes.together(partial(_raise, error))

    def _run(self, feed: Feed, stop: StopRequest) -> None:
        self._windows.restart()
        while self.ending is None:
            count = self._make_steps(feed)
            # The signal is looked at once: it may come at any moment.
            own = Word(stop.signal or 0, self._seconds_here(), self._log.failure is not None)
            word = self._agreement.after_dispatch(own)
            if word.failed:
                processes.together(self._raise_failure)
            self._after_steps(word)
            self._listener.advance(count, self._status)
            if word.signal and self.ending is None:
                processes.together(partial(self._stop, signal.Signals(word.signal)))

    def finish(self) -> Kept:
        """Keep the final model.

        Returns:
            The file of the result.
        """
        return self._keeper.finish(self._state, self.progress)

    def close(self) -> None:
        """Close the log and the trackers."""
        self._log.close()
        self._tracking.close(finished=self.ending is not None)

    @property
    def keeper(self) -> Keeper:
        """Keeper of models and checkpoints."""
        return self._keeper

    @property
    def samples_per_second(self) -> float:
        """Speed of the steps of this process."""
        return self._windows.samples_per_second

    def _begin(self) -> tuple[State, Reached, Phase]:
        setup = self._setup
        found = load_agreed(self._files, setup, self._listener)
        if found is None:
            phase = setup.phases[0]
            state, progress = phase.method.begin(setup.new_model()), Reached()
        else:
            state, progress = found
            phase = phase_of(setup.phases, max(progress.step - 1, 0))
        return setup.devices.copies(state), progress, phase

    def _compiled(self) -> Steps:
        return compiled_steps(self._phase.method, self._setup.steps_per_dispatch)

    def _make_steps(self, feed: Feed) -> int:
        """Dispatch the steps until something is due, or as many as fit."""
        phase = phase_of(self._setup.phases, self._done)
        if phase is not self._phase:
            self._phase, self._is_compiled = phase, False
            state = phase.method.begin(self._state.model, self._state.average)
            self._state, self._steps = self._setup.devices.copies(state), self._compiled()
        waited = feed.wait_seconds
        dispatch = feed.next(self._is_idle)
        self.clock.add("loader", feed.wait_seconds - waited)
        with nullcontext() if self._is_compiled else self.clock.during("compiling"):
            self._state, losses = self._steps(self._state, dispatch, self._done)
        self._is_compiled = True
        count = dispatch.count
        self._windows.add(losses, count, phase)
        self._in_flight.append(losses)
        if len(self._in_flight) > _AHEAD:
            jax.block_until_ready(self._in_flight.popleft())
        self._done += count
        return count

    def _is_idle(self) -> bool:
        """Whether the device has made all steps that were dispatched."""
        if not self._in_flight:
            return True
        is_ready: bool = self._in_flight[-1].total.is_ready()  # type: ignore[attr-defined]
        return is_ready

    def _stop(self, by: signal.Signals) -> None:
        raise InterruptedRunError(
            f"A run must reach step {self._setup.recipe.schedule.num_steps} to be finished; got "
            f"{by.name} after step {self._done} ({self._files.directory}). A checkpoint of that "
            "step is kept: give the same command with --resume, or if_exists='resume' in Python."
        )

    def _raise_failure(self) -> None:
        if self._log.failure is not None:
            raise self._log.failure

    def _after_steps(self, word: Word) -> None:
        """Log, validate and save as due."""
        recipe, done, stops = self._setup.recipe, self._done, word.signal != 0
        seconds = None
        if recipe.schedule.max_minutes is not None:
            # The first words of several processes are still to come, without a time.
            seconds = max(word.seconds, self._seconds_before)
        validates = done % recipe.validation.every == 0
        saves = stops or done % recipe.checkpoint.every == 0
        # Whether the patience is at its end is known after validating only.
        ends = reason_to_stop(recipe, done, seconds) is not None
        logs = done % recipe.tracking.log_every == 0
        if validates or saves or ends or logs:
            self._windows.close()
            self._status = status_line(self._windows.pace, self._keeper.validation)
        if not (validates or saves or ends):
            return
        self._windows.drain()
        processes.together(self._raise_failure)
        now = self.progress.model_copy(update={"step": done, "seconds": seconds})
        self.progress = self._keeper.validate(self._state, now) if validates else now
        # With the validation that was just made.
        self._status = status_line(self._windows.pace, self._keeper.validation)
        self.ending = reason_to_end(recipe, self.progress)
        if saves or self.ending is not None:
            self._keeper.save(self._state, self.progress)
        self._windows.restart()

    def _seconds_here(self) -> float:
        return self._seconds_before + time.monotonic() - self._start


def _raise(error: DivergenceError) -> None:
    raise error


def reason_to_end(recipe: TrainingRecipe, progress: Reached) -> str | None:
    """Reason why a run is finished, in words; None if it is not.

    It is a function of what a checkpoint holds, so a finished run is known as one, and goes on if
    its recipe is given a later end.

    Args:
        recipe: The recipe.
        progress: Progress of the run.

    Returns:
        As in "the last step, 8000, was reached".
    """
    over = reason_to_stop(recipe, progress.step, progress.seconds)
    validation = recipe.validation
    if over is not None:
        return over
    if validation.patience is None or progress.best_step is None:
        return None
    if progress.step % validation.every:
        # Else a signal or a checkpoint between two validations would move the end.
        return None
    waited = (progress.step - progress.best_step) // validation.every
    if waited >= validation.patience and progress.step >= validation.min_steps:
        return (
            f"{waited} validations had no new best loss (validation.patience {validation.patience})"
        )
    return None


def reason_to_stop(recipe: TrainingRecipe, step: int, seconds: float | None) -> str | None:
    """Reasons to end between two validations, checked after every step.

    Args:
        recipe: The recipe.
        step: Steps made.
        seconds: Time of training, if it ends the run.

    Returns:
        As `reason_to_end`.
    """
    schedule = recipe.schedule
    if step >= schedule.num_steps:
        return f"the last step, {schedule.num_steps}, was reached"
    if schedule.max_minutes is not None and (seconds or 0.0) >= 60 * schedule.max_minutes:
        return f"{schedule.max_minutes:g} minutes of training were over"
    return None

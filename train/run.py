"""A training from its start, or from its last checkpoint, to its model file."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import JsonValue

from hypermagnetics.errors import DivergenceError, InterruptedRunError
from hypermagnetics.files import atomic_file, write_text_atomically
from hypermagnetics.train.card import model_card
from hypermagnetics.train.checkpoint import (
    Reached,
    RunFiles,
    load_checkpoint,
    save_best,
    save_checkpoint,
)
from hypermagnetics.train.feed import Feed
from hypermagnetics.train.log import MetricsLog, Window
from hypermagnetics.train.placement import Placement, open_feed
from hypermagnetics.train.setup import Setup
from hypermagnetics.train.signals import StopRequest, stop_on_signals
from hypermagnetics.train.step import initial_state, make_step
from hypermagnetics.train.validation import Validation, Validator

_ADVICE = "Begin another run with a lower schedule.learning_rate, or with optimiser.clip_norm set."


@dataclass(frozen=True)
class Outcome:
    """What a process did for a run."""

    progress: Reached
    validation: Validation | None
    """The last one of this process; None if it made no step."""
    samples_per_second: float
    wait_share: float
    """Share of the time of the steps in which the loop waited for the loader."""
    placement: Placement
    """Where the training split lay."""


Advance = Callable[[int, str], None]
"""Called after each step with the number of steps and a note for people."""


def train(
    setup: Setup, files: RunFiles, provenance: dict[str, JsonValue], advance: Advance
) -> Outcome:
    """Train until the recipe's last step, from the last checkpoint if there is one.

    Args:
        setup: The parts of the training.
        files: Where the run is kept.
        provenance: What is written into every model file beside the parameters.
        advance: Told about every step.

    Returns:
        What was reached.

    Raises:
        DivergenceError: If the loss becomes non-finite; the last checkpoint is from before.
        InterruptedRunError: If SIGINT or SIGTERM asked to stop; a checkpoint of the last step is
            kept.
    """
    loop = _Loop(setup, files, provenance)
    advance(loop.progress.step, "")
    try:
        with (
            stop_on_signals() as stop,
            open_feed(setup.placement, setup.train, setup.schedule, loop.progress.step) as feed,
        ):
            loop.run(feed, stop, advance)
    finally:
        loop.log.close()
    # Before the model, which says that the run is finished.
    card = model_card(files, setup.dataset.directory.resolve().name, setup.code.model)
    write_text_atomically(files.card, card)
    with atomic_file(files.model) as model:
        model.write(files.best.read_bytes())
    return loop.outcome()


class _Loop:
    """The steps of one process."""

    def __init__(self, setup: Setup, files: RunFiles, provenance: dict[str, JsonValue]) -> None:
        self._setup, self._files, self._provenance = setup, files, provenance
        if files.last.exists():
            self._state, self.progress = load_checkpoint(files, setup.optimiser, setup.code.model)
        else:
            self._state = initial_state(setup.new_model(), setup.optimiser)
            self.progress = Reached()
        self._step = make_step(setup.objective, setup.optimiser)
        self._validate = Validator(setup.valid, setup.objective)
        self._validation: Validation | None = None
        self._windows: list[Window] = []
        self._note = ""
        self.log = MetricsLog(files.metrics, self.progress.step)

    def run(self, feed: Feed, stop: StopRequest, advance: Advance) -> None:
        """Go through the steps that are left."""
        recipe, last = self._setup.recipe, self._setup.recipe.schedule.num_steps
        window = Window(feed.wait_seconds)
        for done in range(self.progress.step + 1, last + 1):
            self._state, losses = self._step(self._state, feed.next())
            window.add(losses)
            stopped = stop.signal  # looked at once: a signal may come at any moment
            ends = done == last or stopped is not None
            validates = done == last or done % recipe.validate_every == 0
            saves = ends or done % recipe.checkpoint_every == 0
            if validates or saves or done % recipe.log_every == 0:
                window.close(feed.wait_seconds)
                self._finish_window(window, done)
                if validates:
                    self._look()
                if saves:
                    self._save()
                window = Window(feed.wait_seconds)
            advance(1, self._note)
            if stopped is not None and done < last:
                raise InterruptedRunError(
                    f"A run must reach step {last} to be finished; got {stopped.name} after step "
                    f"{done} ({self._files.directory}). A checkpoint of that step is kept: give "
                    "the same command with --resume."
                )

    def outcome(self) -> Outcome:
        """What this process reached, without its first window, in which it compiled."""
        windows = self._windows[1:] or self._windows
        seconds = sum(window.seconds for window in windows)
        steps = sum(len(window) for window in windows)
        return Outcome(
            self.progress,
            self._validation,
            steps * self._setup.samples_per_step / seconds if seconds else 0.0,
            sum(window.waited for window in windows) / seconds if seconds else 0.0,
            self._setup.placement,
        )

    def _finish_window(self, window: Window, done: int) -> None:
        """Look at the losses of the window and write its line."""
        good = window.first_nonfinite()
        if good is not None:
            step = self.progress.step + good + 1
            raise DivergenceError(
                f"The loss must be finite; got a loss that is not at step {step} "
                f"({self._files.directory}; {self._kept()}). {_ADVICE}"
            )
        self.progress = self.progress.model_copy(update={"step": done})
        rate = float(self._setup.learning_rate(done - 1))
        record = window.record(self._setup.samples_per_step, compiles=not self._windows)
        self.log.write({"step": done, "learning_rate": rate, **record})
        self._windows.append(window)
        self._note = f"loss {record['loss']:.3g}"

    def _look(self) -> None:
        """Validate, and keep the model if it is the best so far."""
        self._validation = found = self._validate(self._state.model)
        self.log.write({"step": self.progress.step, "validation": found.model_dump(mode="json")})
        if found.loss is None:
            raise DivergenceError(
                f"The validation loss must be finite; got one that is not after step "
                f"{self.progress.step} ({self._files.directory}; {self._kept()}). {_ADVICE}"
            )
        best = self.progress.best_loss
        if best is None or found.loss < best:
            self.progress = self.progress.model_copy(
                update={"best_step": self.progress.step, "best_loss": found.loss}
            )
            save_best(self._files, self._state.model, self.progress, self._provenance)

    def _kept(self) -> str:
        if self._files.last.exists():
            return f"the last good checkpoint is {self._files.last}"
        return "no checkpoint had been made"

    def _save(self) -> None:
        """Make a checkpoint, unless the last update has spoilt the parameters."""
        if not math.isfinite(self._validate.first_loss(self._state.model)):
            raise DivergenceError(
                f"The loss of the parameters that are saved must be finite; got one that is not "
                f"after step {self.progress.step} ({self._files.directory}; {self._kept()}). "
                f"{_ADVICE}"
            )
        save_checkpoint(self._files, self._state, self.progress, self._provenance)

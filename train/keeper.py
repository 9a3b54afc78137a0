"""Files kept by a run: its best model, its final one, and checkpoints."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from pydantic import JsonValue

from hypermagnetics.data import Split
from hypermagnetics.data.array_view import ArrayView
from hypermagnetics.errors import DivergenceError
from hypermagnetics.models import AnyModel, ArrayInputs, save_model
from hypermagnetics.run_files import AnyValidation, RunFiles
from hypermagnetics.train import processes
from hypermagnetics.train.array_validation import ArrayValidator
from hypermagnetics.train.checkpoint import Reached, save_checkpoint
from hypermagnetics.train.clock import Clock
from hypermagnetics.train.fisher.objective import FisherObjective
from hypermagnetics.train.fisher.validation import FisherValidator
from hypermagnetics.train.maps.validation import MapValidator
from hypermagnetics.train.metrics_log import Log
from hypermagnetics.train.rollouts.validation import RolloutValidator
from hypermagnetics.train.setup import Setup
from hypermagnetics.train.step import State
from hypermagnetics.train.validation import Validator


@dataclass(frozen=True)
class Kept:
    """Source of the result of a run: a file, and its step."""

    file: Path
    step: int


class Keeper:
    """Validates a run, and writes its models and checkpoints."""

    def __init__(
        self,
        setup: Setup,
        files: RunFiles,
        provenance: dict[str, JsonValue],
        log: Log,
        clock: Clock,
        show: Callable[[int, AnyModel, AnyValidation], None],
    ) -> None:
        """Store the parts; nothing is compiled yet.

        Args:
            setup: The parts of the training.
            files: Files of the run.
            provenance: Metadata of every file beside its arrays.
            log: Log of the validations.
            clock: Clock of the process.
            show: Given the step, the model and its errors, to draw a picture of.
        """
        self._setup, self._files, self._provenance = setup, files, provenance
        self._log, self._clock, self._show = log, clock, show
        self._validator = _validator(setup)
        self._is_warm = False
        self.validation: AnyValidation | None = None
        """The last validation."""

    def validate(self, state: State, progress: Reached) -> Reached:
        """Validate, and keep the model if it is the best so far.

        Args:
            state: The state.
            progress: Progress of the run.

        Returns:
            The same, with the best step and loss.

        Raises:
            DivergenceError: If the loss is not finite.
        """
        loss = self._validate(state, progress)
        if progress.best_loss is None or loss < progress.best_loss:
            progress = progress.model_copy(update={"best_step": progress.step, "best_loss": loss})
            best = self._files.best(progress.step)
            reached = progress
            sha256 = processes.of_first(lambda: self._save_model(best, state, reached))
            progress = progress.model_copy(update={"best_sha256": sha256})
        return progress

    def save(self, state: State, progress: Reached) -> None:
        """Make a checkpoint, unless the last update has spoilt the parameters.

        Raises:
            DivergenceError: If it has.
        """
        self._warm_up(state)
        with self._clock.during("checkpoints"):
            if not math.isfinite(loss := self._first_loss(state)):
                raise DivergenceError(
                    f"The validation loss of a checkpoint must be finite; got {loss:g} after step "
                    f"{progress.step}"
                )
            parts = state, progress, self._setup, self._provenance
            processes.on_first(lambda: save_checkpoint(self._files, *parts))

    def finish(self, state: State, progress: Reached) -> Kept:
        """Keep the final model, and return the file of the result: the best or the final one.

        A run that ends between two regular validations is validated once more. That one decides
        about the result alone, so that a run that goes on does as if it had never ended.
        """
        regular = progress.step and progress.step % self._setup.recipe.validation.every == 0
        loss = math.inf if regular else self._validate(state, progress)
        kept = Kept(self._files.final, progress.step)
        if progress.best_loss is None or loss < progress.best_loss:
            progress = progress.model_copy(update={"best_step": progress.step, "best_loss": loss})
        else:
            assert progress.best_step is not None, "there is a best loss"
            kept = Kept(self._files.best(progress.best_step), progress.best_step)
        reached = progress
        processes.on_first(lambda: self._save_model(self._files.final, state, reached))
        return kept

    def _validate(self, state: State, progress: Reached) -> float:
        self._warm_up(state)
        with self._clock.during("validation"):
            self.validation = found = self._validator(self._setup.devices.own_copy(state.result))
        self._log.write({"step": progress.step, "validation": found.model_dump(mode="json")})
        self._show(progress.step, state.result, found)
        if found.loss is None:
            raise DivergenceError(
                f"The validation loss must be finite; got NaN or infinity after step "
                f"{progress.step}"
            )
        return found.loss

    def _warm_up(self, state: State) -> None:
        """Compile ahead, so that no other time includes it."""
        if not self._is_warm:
            with self._clock.during("compiling"):
                self._first_loss(state)
            self._is_warm = True

    def _first_loss(self, state: State) -> float:
        return self._validator.first_loss(self._setup.devices.own_copy(state.model))

    def _save_model(self, file: Path, state: State, progress: Reached) -> str:
        reached = progress.model_dump(mode="json", exclude={"seconds", "best_sha256"})
        return save_model(file, state.result, {**self._provenance, **reached})


_AnyValidator = Validator | ArrayValidator | MapValidator | RolloutValidator | FisherValidator


def _validator(setup: Setup) -> _AnyValidator:
    parts = setup.devices.own, setup.prepare_valid
    if setup.windows_of_valid is not None:
        assert isinstance(setup.valid, ArrayView), "trajectories are arrays"
        windows, seed = setup.windows_of_valid, setup.recipe.seed
        return RolloutValidator(setup.valid, windows, seed, setup.objective, *parts)
    if isinstance(setup.inputs, ArrayInputs) and setup.inputs.map is not None:
        return MapValidator(setup.valid, setup.crops_of_valid, setup.objective, *parts)
    match setup.objective, setup.valid:
        case FisherObjective(), ArrayView():
            return FisherValidator(setup.valid, setup.objective, *parts)
        case objective, ArrayView():
            return ArrayValidator(setup.valid, objective, *parts)
        case objective, Split():
            return Validator(setup.valid, objective, *parts)
        case _:
            assert_never(setup.valid)

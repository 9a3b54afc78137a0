"""All trackers of a run at once, which never end it, and their requirements."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from pydantic import JsonValue

from hypermagnetics.errors import RunError
from hypermagnetics.extras import refuse_missing
from hypermagnetics.files import name_in_text
from hypermagnetics.log import Listener
from hypermagnetics.models import AnyModel, Model
from hypermagnetics.run_files import AnyValidation, RunFiles, Validation
from hypermagnetics.train.clock import Clock
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.config.run import Tracker as TrackerName
from hypermagnetics.train.tracking import mlflow, wandb
from hypermagnetics.train.tracking.pictures import Pictures
from hypermagnetics.train.tracking.tensorboard import TensorBoard
from hypermagnetics.train.tracking.tracker import TrackedRun, Tracker


class _Kind(NamedTuple):
    begin: Callable[[TrackedRun], Tracker]
    package: str
    environment: Mapping[str, str]
    """Environment variables, unless set by a user."""


_KINDS: dict[TrackerName, _Kind] = {
    "tensorboard": _Kind(TensorBoard, "tensorboardX", {}),
    "wandb": _Kind(wandb.Wandb, "wandb", wandb.DEFAULTS),
    "mlflow": _Kind(mlflow.MLflow, "mlflow", mlflow.DEFAULTS),
}

_NO_SCALARS = {"step", "steps"}
"""Keys of a line of metrics.jsonl that are labels, not metrics."""


class Tracking:
    """Forwards the progress of a run to every tracker, and drops one that fails.

    metrics.jsonl is the reference; trackers are for display only.
    """

    def __init__(self, pictures: Pictures | None, clock: Clock, listener: Listener) -> None:
        """Start without trackers.

        Args:
            pictures: Pictures of validations; None if there are none, as of arrays.
            clock: Clock of the process.
            listener: Receives a line about each tracker that fails.
        """
        self._pictures, self._clock, self._listener = pictures, clock, listener
        self._trackers: dict[str, Tracker] = {}
        self._draws = True

    def add(self, name: str, begin: Callable[[], Tracker]) -> None:
        """Open a tracker."""
        with self._clock.during("tracking"):
            try:
                self._trackers[name] = begin()
            except Exception as error:
                self._complain(name, error)

    def scalars(self, record: Mapping[str, JsonValue]) -> None:
        """Pass on a line of metrics.jsonl."""
        step, values = record["step"], dict(_numbers(record))
        assert isinstance(step, int), "every line has its step"
        self._each(lambda tracker: tracker.scalars(step, values))

    def picture(self, step: int, model: AnyModel, found: AnyValidation) -> None:
        """Draw the prediction of a model after a step, and pass it on."""
        if self._pictures is None or not (self._trackers and self._draws):
            return
        if not (isinstance(model, Model) and isinstance(found, Validation)):
            raise TypeError("pictures are of models of sources")
        try:
            png = self._pictures.draw(step, model, found, self._clock)
        except Exception as error:
            self._draws = False
            self._complain("pictures", error)
        else:
            self._each(lambda tracker: tracker.picture(step, png))

    def close(self, finished: bool) -> None:
        """Close all trackers; `finished` says whether the run has come to its end."""
        self._each(lambda tracker: tracker.close(finished))
        self._trackers = {}

    def _each(self, act: Callable[[Tracker], None]) -> None:
        with self._clock.during("tracking"):
            for name, tracker in list(self._trackers.items()):
                try:
                    act(tracker)
                except Exception as error:
                    del self._trackers[name]
                    self._complain(name, error)
                    # What it holds open is let go, if that still works.
                    with suppress(Exception):
                        tracker.close(False)

    def _complain(self, name: str, error: Exception) -> None:
        what = " ".join(str(error).split())[:300]
        self._listener.tell(
            f"A tracker must accept the metrics of a run; got {type(error).__name__}: {what} "
            f"({name}). The run goes on without it; metrics.jsonl has all numbers."
        )


def refuse_unusable(names: Sequence[TrackerName]) -> None:
    """Check that every tracker can be used.

    Args:
        names: The trackers that a recipe asks for.

    Raises:
        RunError: If a package is missing, or a key to send with.
    """
    for name in names:
        refuse_missing(_KINDS[name].package, f"The tracker {name!r} (tracking.to)", RunError)
    mode = os.environ.get("WANDB_MODE", "offline")
    sends = mode not in ("offline", "dryrun", "disabled")
    if "wandb" in names and sends and not any(map(os.environ.get, wandb.KEYS)):
        # wandb would prompt for it in a batch job.
        raise RunError(
            f"A key must be in the environment to send a run to wandb; got WANDB_MODE={mode} "
            "without WANDB_API_KEY (tracking.to). Set the key, or leave out WANDB_MODE to keep the "
            "run in its directory."
        )


def open_tracking(
    names: Sequence[TrackerName],
    recipe: TrainingRecipe,
    pictures: Pictures | None,
    files: RunFiles,
    steps_done: int,
    clock: Clock,
    listener: Listener,
) -> Tracking:
    """Open the trackers of a run.

    Args:
        names: Names of the trackers.
        recipe: The recipe.
        pictures: Pictures of validations.
        files: Files of the run.
        steps_done: Steps up to the checkpoint that the run goes on from.
        clock: Clock of the process.
        listener: Receives a line about each tracker that fails; the run goes on without it.

    Returns:
        Tracking by all of them.
    """
    tracking = Tracking(pictures, clock, listener)
    run = TrackedRun(
        name=name_in_text(files.directory.resolve().name),
        directory=files.tracking,
        recipe=recipe.resolved.model_dump(mode="json"),
        steps_done=steps_done,
    )
    for name in dict.fromkeys(names):
        for variable, value in _KINDS[name].environment.items():
            if not os.environ.get(variable):
                os.environ[variable] = value
        tracking.add(name, partial(_KINDS[name].begin, run))
    return tracking


def _numbers(record: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, float]]:
    """Numbers of a line under their names, as in validation/loss."""
    for name, value in record.items():
        if name in _NO_SCALARS:
            continue
        if isinstance(value, dict):
            yield from _numbers(value, f"{above}{name}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield above + name, float(value)

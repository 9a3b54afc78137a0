"""Trackers of a recipe, opened before the first step."""

from collections.abc import Callable, Sequence
from functools import partial

from hypermagnetics.run_files import RunFiles
from hypermagnetics.train.clock import Clock
from hypermagnetics.train.config.run import Tracker as TrackerName
from hypermagnetics.train.setup import Setup
from hypermagnetics.train.tracking.mlflow import MLflow
from hypermagnetics.train.tracking.pictures import Pictures
from hypermagnetics.train.tracking.requirements import settle_environment
from hypermagnetics.train.tracking.tensorboard import TensorBoard
from hypermagnetics.train.tracking.tracker import TrackedRun, Tracker
from hypermagnetics.train.tracking.tracking import Tracking
from hypermagnetics.train.tracking.wandb import Wandb

_KINDS: dict[TrackerName, Callable[[TrackedRun], Tracker]] = {
    "tensorboard": TensorBoard,
    "wandb": Wandb,
    "mlflow": MLflow,
}


def open_tracking(
    names: Sequence[TrackerName],
    setup: Setup,
    files: RunFiles,
    steps_done: int,
    clock: Clock,
    tell: Callable[[str], None],
) -> Tracking:
    """Open the trackers of a run.

    Args:
        names: Names of the trackers.
        setup: The parts of the training.
        files: Files of the run.
        steps_done: Steps up to the checkpoint that the run goes on from.
        clock: Clock of the process.
        tell: Told of a tracker that fails; the run goes on without it.

    Returns:
        Tracking by all of them.
    """
    tracking = Tracking(Pictures(setup.dataset, setup.valid), clock, tell)
    run = TrackedRun(
        name=files.directory.resolve().name,
        directory=files.tracking,
        recipe=setup.recipe.resolved.model_dump(mode="json"),
        steps_done=steps_done,
    )
    for name in dict.fromkeys(names):
        settle_environment(name)
        tracking.add(name, partial(_KINDS[name], run))
    return tracking

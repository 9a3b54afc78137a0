"""Requirements of trackers on this machine, checked before the first step."""

import os
from collections.abc import Sequence
from importlib.util import find_spec

from hypermagnetics.errors import RunError
from hypermagnetics.train.config.run import Tracker
from hypermagnetics.train.tracking import mlflow, wandb

_PACKAGES: dict[Tracker, str] = {
    "tensorboard": "tensorboardX",
    "wandb": "wandb",
    "mlflow": "mlflow",
}


def refuse_unusable(names: Sequence[Tracker]) -> None:
    """Check that every tracker can be used.

    Args:
        names: The trackers that a recipe asks for.

    Raises:
        RunError: If a package is missing, or a key to send with.
    """
    for name in names:
        if find_spec(_PACKAGES[name]) is None:
            raise RunError(
                f"A tracker must have its package, {_PACKAGES[name]}; got {name!r} without it "
                "(tracking.to). Install it: pip install 'hypermagnetics[tracking]'."
            )
    mode = os.environ.get("WANDB_MODE", "offline")
    sends = mode not in ("offline", "dryrun", "disabled")
    if "wandb" in names and sends and not any(map(os.environ.get, wandb.KEYS)):
        # Else wandb asks for it in the middle of a job that nobody watches.
        raise RunError(
            f"A key must be in the environment to send a run to wandb; got WANDB_MODE={mode} "
            "without WANDB_API_KEY (tracking.to). Set it, or leave out WANDB_MODE to keep the run "
            "in its directory."
        )


def settle_environment(name: Tracker) -> None:
    """Set the environment variables of a tracker, except those set by a user."""
    defaults = {"wandb": wandb.DEFAULTS, "mlflow": mlflow.DEFAULTS}.get(name, {})
    for variable, value in defaults.items():
        if not os.environ.get(variable):
            os.environ[variable] = value

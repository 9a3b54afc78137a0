"""Runs of Weights & Biases."""

import io
import os
import secrets
from collections.abc import Mapping

from PIL import Image

from hypermagnetics.train.tracking.tracker import TrackedRun

_OFFLINE = ("offline", "dryrun")

DEFAULTS = {
    "WANDB_MODE": "offline",
    # stderr is for the bar and for what a person should know.
    "WANDB_SILENT": "true",
    "WANDB_CONSOLE": "off",
    # Offline means that nobody is told of errors either.
    "WANDB_ERROR_REPORTING": "false",
    # A finished training waits so long for a network that is gone, not for ever [s].
    "WANDB_FINISH_TIMEOUT": "60",
}
"""Environment variables, unless set by a user."""

KEYS = ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE")
"""Environment variables of which one must be set to send anything."""


class Wandb:
    """One run of wandb for all processes of a run."""

    def __init__(self, run: TrackedRun) -> None:
        """Begin or resume the run."""
        import wandb

        self._image = wandb.Image
        number, _ = run.remembered("wandb-run", lambda: secrets.token_hex(4))
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or "hypermagnetics",
            name=run.name,
            id=number,
            dir=str(run.directory),
            config=run.recipe,
            # wandb warns of it where there is nobody to ask for the steps before.
            resume=None if os.environ["WANDB_MODE"] in _OFFLINE else "allow",
        )

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Log numbers; wandb itself drops steps already logged."""
        self._run.log(dict(values), step=step)

    def picture(self, step: int, png: bytes) -> None:
        """Log a picture."""
        self._run.log({"sample": self._image(Image.open(io.BytesIO(png)))}, step=step)

    def close(self, finished: bool) -> None:
        """End the run, as failed unless it is finished."""
        self._run.finish(exit_code=0 if finished else 1)

"""[validation], [checkpoint], [tracking], [compute]: organisation of a run."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from hypermagnetics.config import Config, Count, refusal
from hypermagnetics.precision import MatmulPrecision
from hypermagnetics.train.config.resume import MAY_CHANGE

Tracker = Literal["tensorboard", "wandb", "mlflow"]


class ValidationConfig(Config):
    """Interval of validation, and early stopping."""

    every: Count = 500
    """Steps between validations; the last step always validates."""
    patience: Annotated[Count | None, MAY_CHANGE] = None
    """Validations without a new best loss before the run is finished; null for no such end."""
    min_steps: Annotated[int, Field(ge=0, le=2**31 - 1), MAY_CHANGE] = 0
    """Steps before which `patience` has no effect."""

    @model_validator(mode="after")
    def _something_ends_after_the_least_steps(self) -> "ValidationConfig":
        if self.min_steps and self.patience is None:
            raise refusal(
                "min_steps",
                "be 0 unless validation.patience is set",
                self.min_steps,
                "Remove it, or set validation.patience.",
            )
        return self


class CheckpointConfig(Config):
    """Checkpoints for resuming a run."""

    every: Count = 500
    """Steps between checkpoints; the last step always makes one."""
    keep: Annotated[int, Field(ge=1, le=1000)] = 2
    """Number of newest checkpoints kept: should one be cut short, the one before it counts."""


class TrackingConfig(Config):
    """Logging and tracking of a run."""

    log_every: Count = 50
    """Steps between lines of metrics.jsonl, and between checks that the loss is finite."""
    norms: bool = False
    """Whether lines of metrics.jsonl have the norms of gradient and trained parameters before their
    last step."""
    to: tuple[Tracker, ...] = ()
    """Trackers beside metrics.jsonl: "tensorboard", "wandb", "mlflow"; they need the extra
    `tracking`."""


SumOrder = Literal["at-once", "by-block"]
"""Order of the sums over the samples of a batch."""


class ComputeConfig(Config):
    """Computation of a step. No setting changes the result beyond rounding."""

    devices: Annotated[Count | None, MAY_CHANGE] = None
    """Devices of this process that share the samples of a batch; null for all."""
    chunks: Count = 1
    """Parts in which the samples of a batch go through the model one after another: less memory for
    the same gradient (gradient accumulation)."""
    sums: SumOrder = "at-once"
    """Sums over the samples of a batch: "at-once", over all that a device has, or "by-block", one
    block after another, added in the order of the batch. Then losses and parameters are the same
    to the last bit for any number of devices and processes that divides the blocks of a batch, on
    machines of one kind; on a GPU that one block does not fill it is slower."""
    steps_per_dispatch: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Steps dispatched to the device at once; null for 1 on a CPU and 16 elsewhere."""
    matmul: MatmulPrecision = "float32"
    """Precision of the factors of matrix products in a step, on GPUs and TPUs: "float32", or,
    faster and less exactly, "tensorfloat32" or "bfloat16"; sums stay in float32. Fits, validations
    and all that a trained model predicts are in float32."""

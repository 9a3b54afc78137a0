"""What a training recipe may say."""

from functools import partial
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from hypermagnetics.config import Config
from hypermagnetics.data import CropConfig
from hypermagnetics.models import ModelConfig
from hypermagnetics.user_code import shipped_or_user_name

_Positive = Annotated[float, Field(gt=0)]
_NotNegative = Annotated[float, Field(ge=0)]
_Count = Annotated[int, Field(ge=1, le=2**31 - 1)]
_Fraction = Annotated[float, Field(ge=0, le=1)]
_Decay = Annotated[float, Field(ge=0, lt=1)]
_Loss = Annotated[str, AfterValidator(partial(shipped_or_user_name, ("huber", "mse")))]
_Normalisation = Annotated[str, AfterValidator(partial(shipped_or_user_name, ("rms",)))]


class DataConfig(Config):
    """What is read."""

    train: str = "train"
    """Split that is trained on."""
    valid: str = "valid"
    """Split that decides which parameters are the best."""
    blocks_per_batch: Annotated[int, Field(ge=1, le=4096)] = 1
    points_per_step: _Count | None = None
    """Points of each grid that a step looks at, drawn anew each step; null for all. Points are
    cheaper than samples: neighbours say nearly the same."""
    crop: CropConfig | None = None
    """Crops of regular grids: an epoch has each crop of each block, and a step looks at the points
    of a crop, padding included, instead of all."""
    mode: Literal["auto", "device", "stream"] = "auto"
    """"device": the split is copied to the device once; "stream": batches are read from the mapped
    files while steps run; "auto": "device" where it fits and is not a CPU. The values are equal."""
    device_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of the memory of the device that the split may take."""
    div_data: bool = False
    """Shards are read nearly in the order of files, for data sets larger than the memory."""
    div_shuffle_dist: Annotated[int, Field(ge=0, le=2**31 - 1)] = 1
    """With `div_data`: how many shards further than its place a block may come; about that many
    shards are in memory. 0 is the order of files."""
    check: Literal["all", "sizes"] = "all"
    """"all": every byte is compared with its sha256 before the first step."""


class ObjectiveConfig(Config):
    """The loss: weighted terms of potential and field, each in units of its root mean square."""

    loss: _Loss = "huber"
    """"huber", "mse", or a function of a user, "module:name"; see `PointLoss`."""
    delta: _Positive = 1.0
    """Where Huber's loss turns from quadratic to linear [root mean squares]."""
    potential: _NotNegative = 1.0
    """Weight of the potential."""
    field: _NotNegative = 1.0
    """Weight of the field."""

    @model_validator(mode="after")
    def _something_to_minimise(self) -> "ObjectiveConfig":
        if not self.potential + self.field > 0:
            raise ValueError("given at least one positive weight, potential or field")
        return self


class OptimiserConfig(Config):
    """Adam."""

    name: Literal["adam"] = "adam"
    b1: _Decay = 0.9
    b2: _Decay = 0.999
    clip_norm: _Positive | None = None
    """Largest norm of the gradient; null for no clipping."""


class PhaseConfig(Config):
    """A stretch of the learning rate."""

    steps: _Count
    learning_rate: _Positive
    """At the start of the phase."""
    final_fraction: _Fraction = 1.0
    """At its end, in units of the start, by a cosine."""


class ScheduleConfig(Config):
    """Steps and learning rate: warm-up and cosine decay, or a list of phases."""

    max_steps: _Count | None = None
    learning_rate: _Positive | None = None
    """Peak, reached after the warm-up."""
    warmup_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the steps in which the learning rate rises from 0 to its peak."""
    final_fraction: _Fraction = 0.0
    """Learning rate at the end, in units of the peak."""
    phases: tuple[PhaseConfig, ...] = ()

    @model_validator(mode="after")
    def _one_of_two_forms(self) -> "ScheduleConfig":
        simple = self.max_steps is not None and self.learning_rate is not None
        if simple == bool(self.phases) or (
            self.phases and (self.max_steps, self.learning_rate) != (None, None)
        ):
            raise ValueError(
                "given either with max_steps and learning_rate, or with phases, not both"
            )
        if self.phases and (self.warmup_fraction or self.final_fraction):
            raise ValueError(
                "given without warmup_fraction and final_fraction beside phases, which have their "
                "own final_fraction"
            )
        return self

    @property
    def num_steps(self) -> int:
        """Steps of the whole training."""
        return self.max_steps or sum(phase.steps for phase in self.phases)


class TrainingRecipe(Config):
    """A whole training."""

    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
    model: ModelConfig
    data: DataConfig = DataConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    normalisation: _Normalisation = "rms"
    """What is 1 inside the model: "rms", root mean squares over the training split, or a function
    of a user, "module:name"; see `Normalisation`."""
    optimiser: OptimiserConfig = OptimiserConfig()
    schedule: ScheduleConfig
    validate_every: _Count = 500
    """Steps between validations; the last step always validates."""
    checkpoint_every: _Count = 500
    """Steps between checkpoints; the last step always makes one."""
    log_every: _Count = 50
    """Steps between lines of metrics.jsonl, and between looks at whether the loss is finite."""

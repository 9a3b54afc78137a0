"""A whole training recipe, with its section [normalisation]."""

from functools import partial
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from hypermagnetics.config import Config, nearest, refusal
from hypermagnetics.models.inputs import MomentUnit, Outside, ValuesAs
from hypermagnetics.models.registry import ModelConfig
from hypermagnetics.table import SourceColumns
from hypermagnetics.train.config.data import DataConfig
from hypermagnetics.train.config.map import MapConfig
from hypermagnetics.train.config.objective import AnyObjectiveConfig, ObjectiveConfig
from hypermagnetics.train.config.resume import MAY_CHANGE
from hypermagnetics.train.config.run import (
    CheckpointConfig,
    ComputeConfig,
    TrackingConfig,
    ValidationConfig,
)
from hypermagnetics.train.config.schedule import OptimiserConfig, ScheduleConfig
from hypermagnetics.user_code import shipped_or_user_name

_Scales = Annotated[str, AfterValidator(partial(shipped_or_user_name, ("rms", "median")))]


class NormalisationConfig(Config):
    """Scales of a model, and the meaning of its values. All of it is kept in the model file."""

    scales: _Scales = "rms"
    """Values of one unit inside the model: "rms", root mean squares over the training split, which
    for the coordinates of points between -3 and 3 m is a length scale of 1.73 m; "median", medians
    of absolute values, which a few large ones do not reach; or a function of yours, "module:name",
    see docs/extending.md."""
    values: ValuesAs = "linear"
    """"linear": a value u of the network means the potential scale * u; "asinh": scale * sinh(u),
    so that peaks close to sources are less far from 1, for models that are not sums over sources by
    construction."""
    moment: MomentUnit = "dataset"
    """Unit of the moments. "dataset": one for all; "sample": for each configuration the root mean
    square of its own, which multiplies potential and field, so that the model is homogeneous in the
    moments."""


class TrainingRecipe(Config):
    """A whole training."""

    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
    """Seed of the initial parameters, the batches, and all other random choices."""
    outside: Outside | None = None
    """Treatment of sources and points outside of the model's domain, which is the ranges of the
    training split: "exact" computes their values by the closed forms of the bodies, "warn" takes
    the model's own with a warning, "raise" refuses them, "ignore" takes the model's own; null for
    "exact", and for "warn" of soft bodies, of which no pair alone has exact values."""
    model: ModelConfig
    """Model, by its `name`, shipped or module:Class of your own, with its settings."""
    map: MapConfig | None = None
    """Maps on regular grids that a network reads and gives; null for none. See docs/maps.md."""
    data: DataConfig = DataConfig()
    """Data of a step."""
    normalisation: NormalisationConfig = NormalisationConfig()
    """Scales by which the model reads and gives numbers of order 1. See docs/normalisation.md."""
    objective: AnyObjectiveConfig = ObjectiveConfig()
    """Loss that is made small. See docs/objectives.md."""
    optimiser: OptimiserConfig = OptimiserConfig()
    """Method by which it is made small."""
    schedule: ScheduleConfig
    """Number of steps, and learning rate."""
    validation: ValidationConfig = ValidationConfig()
    """Validation, by which the best model is chosen."""
    checkpoint: Annotated[CheckpointConfig, MAY_CHANGE] = CheckpointConfig()
    """Checkpoints, from which a stopped run goes on."""
    tracking: Annotated[TrackingConfig, MAY_CHANGE] = TrackingConfig()
    """Records of the run while it goes on. See docs/tracking.md."""
    compute: ComputeConfig = ComputeConfig()
    """Devices, memory and precision."""

    @model_validator(mode="after")
    def _phases_weigh_terms_that_exist(self) -> "TrainingRecipe":
        terms = self.objective.weights
        for number, phase in enumerate(self.schedule.phases):
            if phase.weights and not terms:
                raise refusal(
                    f"schedule.phases.{number}.weights",
                    f"be left out with an objective of kind {self.objective.kind!r}, which has no "
                    "terms",
                    phase.weights,
                    "Remove it.",
                )
            if unknown := sorted(set(phase.weights) - set(terms)):
                raise refusal(
                    f"schedule.phases.{number}.weights",
                    f"name terms of the objective, {', '.join(sorted(terms))}",
                    ", ".join(unknown),
                    nearest(unknown[0], terms),
                )
            if terms and not sum((terms | phase.weights).values()) > 0:
                raise refusal(
                    f"schedule.phases.{number}.weights",
                    "leave at least one term with a positive weight",
                    phase.weights,
                    "Change one, or leave out the phase.",
                )
        return self

    def for_bodies(self, columns: SourceColumns | None) -> "TrainingRecipe":
        """The same recipe, with the treatment of sources and points outside filled in.

        Args:
            columns: Columns of the source tables; None of a dataset without sources.
        """
        is_soft = columns is not None and columns.is_soft
        outside = self.outside or ("warn" if is_soft else "exact")
        return self.model_copy(update={"outside": outside})

    @property
    def resolved(self) -> "TrainingRecipe":
        """The same recipe, with all values derived from the number of steps filled in."""
        return self.model_copy(update={"schedule": self.schedule.resolved})

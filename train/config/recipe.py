"""A whole training recipe, with its section [normalisation]."""

from functools import partial
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from hypermagnetics.config import Config, nearest, refusal
from hypermagnetics.models.inputs import MomentUnit, ValuesAs
from hypermagnetics.models.registry import ModelConfig
from hypermagnetics.train.config.data import DataConfig
from hypermagnetics.train.config.objective import ObjectiveConfig
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
    """"rms", root mean squares over the training split, "median", medians of absolute values, which
    a few large ones do not reach, or a function of a user, "module:name"; see `Normalisation`."""
    values: ValuesAs = "linear"
    """"asinh": a value u of the network means the potential scale * sinh(u), so that peaks close to
    sources are less far from 1. For models that are not sums over sources by construction."""
    moment: MomentUnit = "dataset"
    """"sample": the moments of a configuration are read in units of their own root mean square,
    which multiplies potential and field, so that the model is homogeneous in the moments."""


class TrainingRecipe(Config):
    """A whole training."""

    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
    model: ModelConfig
    data: DataConfig = DataConfig()
    normalisation: NormalisationConfig = NormalisationConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    schedule: ScheduleConfig
    validation: ValidationConfig = ValidationConfig()
    checkpoint: Annotated[CheckpointConfig, MAY_CHANGE] = CheckpointConfig()
    tracking: Annotated[TrackingConfig, MAY_CHANGE] = TrackingConfig()
    compute: ComputeConfig = ComputeConfig()

    @model_validator(mode="after")
    def _phases_weigh_terms_that_exist(self) -> "TrainingRecipe":
        terms = self.objective.terms
        for number, phase in enumerate(self.schedule.phases):
            if unknown := sorted(set(phase.weights) - set(terms)):
                raise refusal(
                    f"schedule.phases.{number}.weights",
                    f"name terms of the objective, {', '.join(sorted(terms))}",
                    ", ".join(unknown),
                    nearest(unknown[0], terms),
                )
            weights = {name: term.weight for name, term in terms.items()} | phase.weights
            if not sum(weights.values()) > 0:
                raise refusal(
                    f"schedule.phases.{number}.weights",
                    "leave at least one term with a positive weight",
                    phase.weights,
                    "Change one, or leave out the phase.",
                )
        return self

    @property
    def resolved(self) -> "TrainingRecipe":
        """The same recipe, with all values derived from the number of steps filled in."""
        return self.model_copy(update={"schedule": self.schedule.resolved})

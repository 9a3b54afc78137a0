"""[optimiser] and [schedule]: the method of minimisation, its phases, and its end."""

from typing import Annotated

from pydantic import Field, JsonValue, model_validator

from hypermagnetics.config import Config, Count, NotNegative, Positive, refusal
from hypermagnetics.train.config.resume import MAY_CHANGE

_Fraction = Annotated[float, Field(ge=0, le=1)]


class MethodConfig(Config):
    """An optimiser of optax."""

    name: str = "adam"
    """Any optimiser of optax or optax.contrib that takes a learning rate."""
    arguments: dict[str, JsonValue] = Field(default_factory=dict)
    """Arguments of the optimiser besides the learning rate, by name."""
    clip_norm: Positive | None = None
    """Largest norm of the gradient; null for no clipping."""


class OptimiserConfig(MethodConfig):
    """Optimiser of all phases without one of their own, and the average of the parameters."""

    ema_decay: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Decay of an exponential moving average of the parameters, which is then validated and kept in
    the model file, such as 0.999; null for none."""

    @property
    def method(self) -> MethodConfig:
        """The optimiser alone."""
        return MethodConfig(name=self.name, arguments=self.arguments, clip_norm=self.clip_norm)


class PhaseConfig(Config):
    """A stretch of steps with its own learning rate, optimiser, weights and frozen parts."""

    steps: Count
    """Number of steps."""
    learning_rate: Positive
    """Peak learning rate, reached after the warm-up."""
    warmup_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the steps in which the learning rate rises to its peak, in equal parts."""
    final_fraction: _Fraction = 1.0
    """Learning rate at the end, in units of the peak, reached by a cosine."""
    optimiser: MethodConfig | None = None
    """Optimiser of the phase, which begins with a fresh state in any case; null for that of the
    recipe."""
    weights: dict[str, NotNegative] = Field(default_factory=dict)
    """Weights of terms of the objective, by name; other terms keep those of the objective."""
    freeze: tuple[str, ...] = ()
    """Frozen parts of the model, by the beginning of their names, such as "trunk" or
    "hypernetwork.layers.0"."""


class ScheduleConfig(Config):
    """Learning rate and phases as functions of the step, and the number of steps.

    A step never depends on the end of the training, so that a finished run can go on.
    """

    max_steps: Annotated[Annotated[int, Field(ge=0, le=2**31 - 1)] | None, MAY_CHANGE] = None
    """The last step; null for all steps of the phases, and 0 to keep the model as it is fitted,
    which needs no learning rate. Further steps go on in the last phase, at its final learning
    rate."""
    max_minutes: Annotated[Positive | None, MAY_CHANGE] = None
    """Minutes of training before the run is finished, all processes together; null for no such
    end."""
    learning_rate: Positive | None = None
    """Peak learning rate, reached after the warm-up; null beside phases, which have their own."""
    warmup_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the decay steps in which the learning rate rises to its peak, in equal parts."""
    final_fraction: _Fraction = 0.0
    """Learning rate at the end of the decay steps and beyond, in units of the peak."""
    decay_steps: Count | None = None
    """Steps of warm-up and cosine; null for max_steps. The recipe kept in a run has the number, so
    that more steps change nothing before them."""
    phases: tuple[PhaseConfig, ...] = ()
    """Instead of the four keys above: phases one after another, each a table
    [[schedule.phases]]."""

    @model_validator(mode="after")
    def _one_of_two_forms(self) -> "ScheduleConfig":
        simple = self.max_steps == 0 or None not in (self.max_steps, self.learning_rate)
        own = (self.learning_rate, self.decay_steps) != (None, None)
        if simple == bool(self.phases) or (self.phases and own):
            raise ValueError(
                "given either with max_steps and learning_rate, or with phases, not both"
            )
        for key in ("warmup_fraction", "final_fraction"):
            if self.phases and getattr(self, key):
                rule = "be 0 beside phases, which have their own"
                raise refusal(key, rule, getattr(self, key), "Move it into the phases.")
        return self

    @property
    def num_steps(self) -> int:
        """The last step."""
        return self.max_steps or sum(phase.steps for phase in self.phases)

    @property
    def stretches(self) -> tuple[PhaseConfig, ...]:
        """The phases; a single one in the simple form."""
        if self.phases:
            return self.phases
        if self.num_steps == 0:  # no step is made at this rate
            return (PhaseConfig(steps=1, learning_rate=self.learning_rate or 1.0),)
        assert self.learning_rate is not None, "the recipe gives one of the two forms"
        return (
            PhaseConfig(
                steps=self.decay_steps or self.num_steps,
                learning_rate=self.learning_rate,
                warmup_fraction=self.warmup_fraction,
                final_fraction=self.final_fraction,
            ),
        )

    @property
    def resolved(self) -> "ScheduleConfig":
        """The same, with the number of decay steps filled in."""
        if self.phases:
            return self.model_copy(update={"max_steps": self.num_steps})
        return self.model_copy(update={"decay_steps": self.decay_steps or self.num_steps or None})

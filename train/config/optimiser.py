"""[optimiser]: method of minimisation."""

from typing import Annotated

from pydantic import Field, JsonValue

from hypermagnetics.config import Config, Positive

_Arguments = dict[str, JsonValue]


class MethodConfig(Config):
    """An optimiser of optax."""

    name: str = "adam"
    """Any optimiser of optax or optax.contrib that takes a learning rate."""
    arguments: _Arguments = Field(default_factory=dict)
    """Its arguments besides the learning rate, by name."""
    clip_norm: Positive | None = None
    """Largest norm of the gradient; null for no clipping."""


class OptimiserConfig(Config):
    """Optimiser of all phases without one of their own, and the average of the parameters."""

    name: str = "adam"
    """Any optimiser of optax or optax.contrib that takes a learning rate."""
    arguments: _Arguments = Field(default_factory=dict)
    """Its arguments besides the learning rate, by name."""
    clip_norm: Positive | None = None
    """Largest norm of the gradient; null for no clipping."""
    ema_decay: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Decay of an exponential moving average of the parameters, which is then validated and kept in
    the model file; null for none."""

    @property
    def method(self) -> MethodConfig:
        """The optimiser alone."""
        return MethodConfig(name=self.name, arguments=self.arguments, clip_norm=self.clip_norm)

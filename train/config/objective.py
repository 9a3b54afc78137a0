"""[objective]: the loss, term by term."""

from functools import partial
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from hypermagnetics.config import Config, NotNegative, Positive, refusal
from hypermagnetics.user_code import is_user_name, shipped_or_user_name

_Power = Annotated[float, Field(ge=1, le=8)]
_Floor = Annotated[float, Field(ge=1e-6)]  # its square is a float32, and no less than one
_Order = Annotated[float, Field(ge=-4, le=4)]
_TermName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=40)]

_OPTIONS: dict[str, tuple[str, ...]] = {
    "huber": ("delta",),
    "mse": (),
    "relative": ("power", "floor"),
    "sample-relative": ("floor",),
    "spectral": ("order",),
}
"""Shipped losses and their options; docs/objectives.md has their formulas."""

_NUMBERS = ("delta", "power", "floor", "order")

_Loss = Annotated[str, AfterValidator(partial(shipped_or_user_name, tuple(_OPTIONS)))]


class LossConfig(Config):
    """A loss with the options of all losses."""

    loss: _Loss = "huber"
    """"huber", "mse", "relative", "sample-relative", "spectral", or a function of a user,
    "module:name"; see `PointLoss`."""
    delta: Positive = 1.0
    """"huber": transition from quadratic to linear [root mean squares]."""
    power: _Power = 1.0
    """"relative": the power of |error| / |truth|."""
    floor: _Floor = 0.01
    """"relative", "sample-relative": smaller truths count as this one [root mean squares]."""
    order: _Order = 1.0
    """"spectral": s of (1 + |k|²)^s."""


class RegionsConfig(Config):
    """Weights of points by their region among the bodies; see `region_codes`."""

    inside: NotNegative = 1.0
    near: NotNegative = 1.0
    beyond: NotNegative = 1.0

    @model_validator(mode="after")
    def _somewhere(self) -> "RegionsConfig":
        if not self.inside + self.near + self.beyond > 0:
            raise ValueError("given a positive weight for at least one region")
        return self


class TermConfig(Config):
    """One term: a loss of the error of potential or field."""

    of: Literal["potential", "field"]
    weight: NotNegative = 1.0
    loss: _Loss | None = None
    """null for the loss of the objective; likewise for all options of losses."""
    delta: Positive | None = None
    power: _Power | None = None
    floor: _Floor | None = None
    order: _Order | None = None
    regions: RegionsConfig | None = None
    """null for equal weights of all points."""


def _both() -> dict[str, TermConfig]:
    return {"potential": TermConfig(of="potential"), "field": TermConfig(of="field")}


class ObjectiveConfig(LossConfig):
    """The loss: a weighted sum of terms, each in units of the root mean square of its truth."""

    terms: dict[_TermName, TermConfig] = Field(default_factory=_both)
    """Terms by name, as in metrics.jsonl."""

    def loss_of(self, term: str) -> LossConfig:
        """Loss of a term: its own settings, completed by those of the objective."""
        defaults = {key: getattr(self, key) for key in LossConfig.model_fields}
        own = {key: getattr(self.terms[term], key) for key in defaults}
        return LossConfig(**{k: defaults[k] if v is None else v for k, v in own.items()})

    def place_of(self, loss: str) -> str:
        """The first key of the recipe that names a loss."""
        terms = {name: term for term, name in reversed(self.losses_of_terms.items())}
        return "objective.loss" if loss == self.loss else f"objective.terms.{terms[loss]}.loss"

    @property
    def losses_of_terms(self) -> dict[str, str]:
        """Losses set by the terms themselves, by term."""
        return {name: term.loss for name, term in self.terms.items() if term.loss is not None}

    @model_validator(mode="after")
    def _something_to_minimise(self) -> "ObjectiveConfig":
        if not sum(term.weight for term in self.terms.values()) > 0:
            raise ValueError("given at least one term of positive weight")
        return self

    @model_validator(mode="after")
    def _terms_say_nothing_in_vain(self) -> "ObjectiveConfig":
        for name, term in self.terms.items():
            loss = self.loss_of(name).loss
            takes = () if is_user_name(loss) else _OPTIONS[loss]
            for option in _NUMBERS:
                if getattr(term, option) is not None and option not in takes:
                    raise refusal(
                        f"terms.{name}.{option}",
                        f"belong to the loss {loss!r}, which takes {' and '.join(takes) or 'none'}",
                        getattr(term, option),
                        "Remove it, or choose another loss.",
                    )
            if term.regions is not None and loss == "spectral":
                raise refusal(
                    f"terms.{name}.regions",
                    "belong to a loss of points; 'spectral' is one of the grid as a whole",
                    term.regions.model_dump(),
                    "Remove it, or choose another loss.",
                )
        return self

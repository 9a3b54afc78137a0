"""[objective]: the loss, term by term."""

from functools import partial
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from hypermagnetics.config import Config
from hypermagnetics.user_code import shipped_or_user_name

_Positive = Annotated[float, Field(gt=0)]
_NotNegative = Annotated[float, Field(ge=0)]
_Loss = Annotated[str, AfterValidator(partial(shipped_or_user_name, ("huber", "mse")))]
_TermName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=40)]


class TermConfig(Config):
    """One term: a loss of the error of potential or field."""

    of: Literal["potential", "field"]
    weight: _NotNegative = 1.0
    loss: _Loss | None = None
    """null for that of the objective."""
    delta: _Positive | None = None
    """null for that of the objective."""


def _both() -> dict[str, TermConfig]:
    return {"potential": TermConfig(of="potential"), "field": TermConfig(of="field")}


class ObjectiveConfig(Config):
    """The loss: a weighted sum of terms, each in units of the root mean square of its truth."""

    loss: _Loss = "huber"
    """"huber", "mse", or a function of a user, "module:name"; see `PointLoss`."""
    delta: _Positive = 1.0
    """Where Huber's loss turns from quadratic to linear [root mean squares]."""
    terms: dict[_TermName, TermConfig] = Field(default_factory=_both)
    """By name, which metrics.jsonl reports them under."""

    @model_validator(mode="after")
    def _something_to_minimise(self) -> "ObjectiveConfig":
        if not sum(term.weight for term in self.terms.values()) > 0:
            raise ValueError("given at least one term of positive weight")
        return self

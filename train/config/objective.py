"""[objective]: the loss, term by term."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from hypermagnetics.config import Config, nearest, refusal
from hypermagnetics.train.fisher.config import FisherConfig
from hypermagnetics.train.losses import Huber, Loss, LossConfig, ShippedLoss, UserLoss
from hypermagnetics.train.terms import (
    AnyTermConfig,
    TermConfig,
    ValuesTermConfig,
    refuse_loose_numbers,
)

_KINDS = ("terms", "fisher")
_TermName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=40)]


def _both() -> dict[str, AnyTermConfig]:
    return {"potential": ValuesTermConfig(of="potential"), "field": ValuesTermConfig(of="field")}


class ObjectiveConfig(Config):
    """The loss: a weighted sum of terms, each in units of the root mean square of its truth."""

    kind: Literal["terms"] = "terms"
    """Kind of the objective: "terms", or "fisher"."""
    loss: LossConfig = Huber()
    """Loss of all terms that name none: a table with its `kind`, or the kind alone; module:function
    for one of your own."""
    terms: dict[_TermName, AnyTermConfig] = Field(default_factory=_both)
    """Terms by name, of at most 40 characters, as in metrics.jsonl. If left out, one of the
    potential and one of the field; a network from arrays to arrays must name its own, of
    "targets"."""

    def loss_of(self, term: str) -> ShippedLoss | UserLoss:
        """The loss of a term: its own, or that of the objective."""
        return self.terms[term].loss or self.loss

    def place_of(self, loss: str) -> str:
        """The first key of the recipe that names a loss."""
        terms = {name: term for term, name in reversed(self.losses_of_terms.items())}
        is_shared = loss == self.loss.kind
        return "objective.loss" if is_shared else f"objective.terms.{terms[loss]}.loss"

    @property
    def names_of_losses(self) -> tuple[str, ...]:
        """Kind of the loss of all terms, and of those that terms name, as `term=kind`."""
        return self.loss.kind, *(f"{term}={kind}" for term, kind in self.losses_of_terms.items())

    @property
    def names_of_physics(self) -> tuple[str, ...]:
        """Functions of a user that terms name as reference physics, as `term=name`."""
        found = ((name, getattr(term, "physics", None)) for name, term in self.terms.items())
        return tuple(f"{term}={name}" for term, name in found if isinstance(name, str))

    @property
    def weights(self) -> dict[str, float]:
        """Weights of the terms, by name."""
        return {name: term.weight for name, term in self.terms.items()}

    @property
    def losses_of_terms(self) -> dict[str, str]:
        """Kinds of the losses that terms name themselves, by term."""
        return {name: term.loss.kind for name, term in self.terms.items() if term.loss is not None}

    _numbers_stand_in_losses = model_validator(mode="before")(refuse_loose_numbers)

    @model_validator(mode="before")
    @classmethod
    def _kind_is_known(cls, value: object) -> object:
        """Before the keys of another kind are called unknown."""
        kind = value.get("kind", "terms") if isinstance(value, dict) else "terms"
        if kind not in _KINDS:
            repair = nearest(str(kind), _KINDS)
            raise refusal("kind", "be 'terms' or 'fisher'", kind, repair)
        return value

    @model_validator(mode="after")
    def _something_to_minimise(self) -> "ObjectiveConfig":
        if not sum(self.weights.values()) > 0:
            rule = "include at least one term of positive weight"
            raise refusal("terms", rule, self.weights, "Add one, or raise its weight.")
        return self

    @model_validator(mode="after")
    def _regions_belong_to_points(self) -> "ObjectiveConfig":
        for name, term in self.terms.items():
            loss = self.loss_of(name)
            if not isinstance(term, TermConfig) or term.regions is None:
                continue
            if isinstance(loss, Loss) and not loss.weighs_points:
                raise refusal(
                    f"terms.{name}.regions",
                    f"be left out beside the loss {loss.kind!r}, which has no weights of points",
                    term.regions.model_dump(),
                    "Remove it, or choose another loss.",
                )
        return self


def _kind(value: object) -> str:
    """Member of the union, by its kind; without one it is made of terms."""
    is_fisher = isinstance(value, dict) and value.get("kind") == "fisher"
    if is_fisher or isinstance(value, FisherConfig):
        return FisherConfig.__name__
    return ObjectiveConfig.__name__


# Tags that are no key of a table, so that messages can tell both apart.
AnyObjectiveConfig = Annotated[
    Annotated[ObjectiveConfig, Tag(ObjectiveConfig.__name__)]
    | Annotated[FisherConfig, Tag(FisherConfig.__name__)],
    Discriminator(_kind),
]
"""An objective in a recipe, by its `kind`."""

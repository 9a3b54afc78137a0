"""Terms of an objective, a file for each kind; a recipe chooses one by its keys."""

from typing import Annotated

from pydantic import Discriminator, Tag

from hypermagnetics.train.terms.array_term import ArrayEvaluation as ArrayEvaluation
from hypermagnetics.train.terms.array_term import ArrayFacts as ArrayFacts
from hypermagnetics.train.terms.array_term import ArrayTerm as ArrayTerm
from hypermagnetics.train.terms.array_term import ArrayTermConfig as ArrayTermConfig
from hypermagnetics.train.terms.by_inputs import ByInputsTermConfig as ByInputsTermConfig
from hypermagnetics.train.terms.by_sources import BySourcesTerm as BySourcesTerm
from hypermagnetics.train.terms.by_sources import BySourcesTermConfig as BySourcesTermConfig
from hypermagnetics.train.terms.evaluation import Evaluation as Evaluation
from hypermagnetics.train.terms.evaluation import counted as counted
from hypermagnetics.train.terms.map_term import MapFacts as MapFacts
from hypermagnetics.train.terms.map_term import MapTermConfig as MapTermConfig
from hypermagnetics.train.terms.residual import ResidualTermConfig as ResidualTermConfig
from hypermagnetics.train.terms.rollout_term import Physics as Physics
from hypermagnetics.train.terms.rollout_term import RolloutFacts as RolloutFacts
from hypermagnetics.train.terms.targets import TargetsTermConfig as TargetsTermConfig
from hypermagnetics.train.terms.term import Facts as Facts
from hypermagnetics.train.terms.term import Term as Term
from hypermagnetics.train.terms.term import TermConfig as TermConfig
from hypermagnetics.train.terms.term import refuse_loose_numbers as refuse_loose_numbers
from hypermagnetics.train.terms.trajectory import TrajectoryTermConfig as TrajectoryTermConfig
from hypermagnetics.train.terms.values import ValuesTerm as ValuesTerm
from hypermagnetics.train.terms.values import ValuesTermConfig as ValuesTermConfig

_ByQuantity = MapTermConfig | TrajectoryTermConfig | ResidualTermConfig
_BY_QUANTITY: dict[object, type[_ByQuantity]] = {
    "map": MapTermConfig,
    "trajectory": TrajectoryTermConfig,
    "residual": ResidualTermConfig,
}
"""Kinds of terms that their quantity alone decides."""


def _kind(value: object) -> str:
    """The kind of a term, by its keys."""
    if isinstance(value, ByInputsTermConfig | TargetsTermConfig | _ByQuantity):
        return type(value).__name__
    if isinstance(value, dict) and value.get("of") in _BY_QUANTITY:
        return _BY_QUANTITY[value["of"]].__name__
    if isinstance(value, dict) and value.get("of") == "targets":
        return (ByInputsTermConfig if value.get("by") else TargetsTermConfig).__name__
    if isinstance(value, BySourcesTermConfig) or (isinstance(value, dict) and value.get("by")):
        return BySourcesTermConfig.__name__
    return ValuesTermConfig.__name__


AnyTermConfig = Annotated[
    Annotated[ValuesTermConfig, Tag(ValuesTermConfig.__name__)]
    | Annotated[BySourcesTermConfig, Tag(BySourcesTermConfig.__name__)]
    | Annotated[TargetsTermConfig, Tag(TargetsTermConfig.__name__)]
    | Annotated[ByInputsTermConfig, Tag(ByInputsTermConfig.__name__)]
    | Annotated[MapTermConfig, Tag(MapTermConfig.__name__)]
    | Annotated[TrajectoryTermConfig, Tag(TrajectoryTermConfig.__name__)]
    | Annotated[ResidualTermConfig, Tag(ResidualTermConfig.__name__)],
    Discriminator(_kind),
]
"""A term in a recipe: a table, whose kind follows from its keys `of` and `by`."""

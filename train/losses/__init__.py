"""Losses, each a class with its numbers and its formula; a recipe chooses one by its kind."""

from typing import Annotated, get_args

from pydantic import BeforeValidator, Discriminator, Field, Tag

from hypermagnetics.train.losses.loss import Loss as Loss
from hypermagnetics.train.losses.loss import LossOfPoints as LossOfPoints
from hypermagnetics.train.losses.loss import MeanOverPoints as MeanOverPoints
from hypermagnetics.train.losses.loss import PointLoss as PointLoss
from hypermagnetics.train.losses.loss import RegionWeights as RegionWeights
from hypermagnetics.train.losses.loss import SampleLoss as SampleLoss
from hypermagnetics.train.losses.loss import UserLoss as UserLoss
from hypermagnetics.train.losses.loss import check_point_loss as check_point_loss
from hypermagnetics.train.losses.of_points import Cauchy as Cauchy
from hypermagnetics.train.losses.of_points import Huber as Huber
from hypermagnetics.train.losses.of_points import MeanAbsolute as MeanAbsolute
from hypermagnetics.train.losses.of_points import MeanSquare as MeanSquare
from hypermagnetics.train.losses.of_points import Relative as Relative
from hypermagnetics.train.losses.sample_relative import SampleRelative as SampleRelative
from hypermagnetics.train.losses.spectral import Spectral as Spectral
from hypermagnetics.user_code import names_user_code, shipped_or_user_name

ShippedLoss = Cauchy | Huber | MeanAbsolute | MeanSquare | Relative | SampleRelative | Spectral

SHIPPED: tuple[str, ...] = tuple(
    loss.model_fields["kind"].default for loss in get_args(ShippedLoss)
)
"""Kinds of shipped losses."""


def _from_name(value: object) -> object:
    """A name alone is the loss of that kind with its defaults."""
    if isinstance(value, str):
        return {"kind": shipped_or_user_name(SHIPPED, value)}
    return value


def _origin(value: object) -> str:
    return UserLoss.__name__ if names_user_code(value, "kind") else "shipped"


# A union of its own for shipped losses, so that a misspelt kind is answered with their kinds.
LossConfig = Annotated[
    Annotated[Annotated[ShippedLoss, Field(discriminator="kind")], Tag("shipped")]
    | Annotated[UserLoss, Tag(UserLoss.__name__)],
    Discriminator(_origin),
    BeforeValidator(_from_name),
]
"""A loss in a recipe: a table with its `kind`, or a name alone."""

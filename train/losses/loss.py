"""Losses: their forms, of points and of samples, and the settings that a recipe gives them."""

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8
from pydantic import model_validator

from hypermagnetics.config import Config, NotNegative
from hypermagnetics.errors import ExtensionError
from hypermagnetics.sources import REGIONS
from hypermagnetics.user_code import UserName, must

PointLoss = Callable[
    [Float[Array, "*shape components"], Float[Array, "*shape components"]], Float[Array, "*shape"]
]
"""Loss of each point, from error and truth in units of the root mean square of the truth: one
component for the potential, `dim` for the field."""

Values = Float[Array, "blocks samples points components"]
"""Errors or truths in units of the root mean square of the truth: one component for the potential,
`dim` for the field."""
PointWeights = Float[Array, "blocks samples points"]
SampleLosses = Float[Array, "blocks samples"]

SampleLoss = Callable[[Values, Values, PointWeights | None], SampleLosses]
"""Loss of each sample from its own errors, truths and weights of points (None: 1 each) alone, so
that the samples of a batch may be divided among chunks and devices."""


class Loss(Config, abc.ABC):
    """A loss by its `kind`, with the numbers that it takes.

    A new one is one class, and its name in `ShippedLoss`.
    """

    weighs_points: ClassVar[bool] = True
    """Whether points may have weights, as of regions."""

    @abc.abstractmethod
    def on_samples(self, dim: int) -> SampleLoss:
        """The loss of each sample.

        Args:
            dim: Space dimension.

        Returns:
            The loss, from error and truth in units of the root mean square of the truth.
        """


class UserLoss(Config):
    """A function of yours, a `PointLoss`; see docs/extending.md."""

    kind: UserName
    """Loss of your own: its function, as `module:function`."""


class LossOfPoints(Loss):
    """A mean over the points of a sample; a `PointLoss`."""

    @abc.abstractmethod
    def __call__(
        self, error: Float[Array, "*shape components"], truth: Float[Array, "*shape components"]
    ) -> Float[Array, "*shape"]:
        """The loss of each point."""

    def on_samples(self, dim: int) -> SampleLoss:
        """The mean over the points of a sample."""
        return MeanOverPoints(self)


@dataclass(frozen=True)
class MeanOverPoints:
    """The mean of w loss(e, truth) over the points of a sample; a `SampleLoss`."""

    loss: PointLoss

    def __call__(self, error: Values, truth: Values, weights: PointWeights | None) -> SampleLosses:
        """The loss of each sample."""
        losses = self.loss(error, truth)
        return jnp.mean(losses if weights is None else weights * losses, axis=-1)


class RegionWeights(Config):
    """Weights of points by their region among the bodies, that of `region_codes`."""

    inside: NotNegative = 1.0
    """Weight of points in a body or on its surface."""
    near: NotNegative = 1.0
    """Weight of points outside, at most half the size of a body from its surface."""
    beyond: NotNegative = 1.0
    """Weight of all other points."""

    @model_validator(mode="after")
    def _somewhere(self) -> "RegionWeights":
        if not self.inside + self.near + self.beyond > 0:
            raise ValueError("positive for at least one region")
        return self

    def __call__(self, codes: UInt8[Array, "blocks samples points"]) -> PointWeights:
        """The weight of each point, from `region_codes`."""
        weights = [getattr(self, name) for name in REGIONS]
        return jnp.asarray(weights, jnp.float32)[codes]


def check_point_loss(loss: PointLoss, name: str, dim: int, where: str = "objective.loss") -> None:
    """Check that a user's loss gives one float for each point.

    Args:
        loss: The function.
        name: `module:name`, for messages.
        dim: Components of the field.
        where: Key of the recipe that names it, for messages.

    Raises:
        ExtensionError: If it fails, or gives something else.
    """
    points = (2, 3)  # any leading axes, of sizes that are not taken for `components`
    for what, components in (("potential", 1), ("field", dim)):
        array = jax.ShapeDtypeStruct((*points, components), jnp.float32)
        rule = (
            f"{name} must give a loss of shape {points} in floats for error and truth of the "
            f"{what}, each of shape {array.shape}"
        )
        with must(rule, loss, where):
            found = eqx.filter_eval_shape(loss, array, array)
        given = (getattr(found, "shape", None), getattr(found, "dtype", int))
        if given[0] != points or not jnp.issubdtype(given[1], jnp.floating):
            got = eqx.tree_pformat(found, struct_as_array=True).replace("\n", " ")
            raise ExtensionError(
                f"{rule}; got {got} ({where}). Reduce the last axis, and only that."
            )

"""Settings of losses: the numbers of a loss and its formula, together."""

import abc
from typing import ClassVar

from jaxtyping import Array, Float

from hypermagnetics.config import Config
from hypermagnetics.train.losses.sample_loss import MeanOverPoints, SampleLoss
from hypermagnetics.user_code import UserName


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
    """A function of a user, of which a recipe has the name alone; see `PointLoss`."""

    kind: UserName
    """`module:function`."""


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

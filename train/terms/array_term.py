"""Terms about networks from arrays to arrays: their interface, and the facts they are made of."""

import abc
from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float
from pydantic import model_validator

from hypermagnetics.config import Config, NotNegative
from hypermagnetics.data.array_view import ArrayView
from hypermagnetics.models import ArrayModel
from hypermagnetics.train.devices import ArrayDeviceBatch
from hypermagnetics.train.losses import LossConfig, SampleLoss
from hypermagnetics.train.losses.loss import SampleLosses, Values
from hypermagnetics.train.terms.evaluation import counted
from hypermagnetics.train.terms.term import refuse_loose_numbers


class ArrayEvaluation:
    """A network on a batch, with the values that several terms share; see `Evaluation`."""

    def __init__(self, model: ArrayModel, batch: ArrayDeviceBatch) -> None:
        """Store the parts."""
        self.model, self.batch = model, batch

    @cached_property
    def counts(self) -> Bool[Array, "blocks samples"]:
        """Mask of the samples; all others fill up a block."""
        return counted(self.batch)

    @cached_property
    def differences(self) -> Float[Array, "blocks samples *target"]:
        """Predictions minus targets."""
        return self.model(self.batch.arrays["inputs"]) - self.batch.arrays["targets"]

    @cached_property
    def errors(self) -> Float[Array, "blocks samples points 1"]:
        """Errors of the targets, each value as a point; 0 where nothing counts."""
        found = self.differences
        return self.masked(found.reshape(*found.shape[:2], -1, 1))

    @cached_property
    def targets(self) -> Float[Array, "blocks samples points 1"]:
        """The targets, each value as a point."""
        targets = self.batch.arrays["targets"]
        return targets.reshape(*targets.shape[:2], -1, 1)

    def masked(self, values: Values) -> Values:
        """The values, with 0 for samples that fill up a block; see `Evaluation.masked`."""
        return jnp.where(self.counts[..., None, None], values, 0)

    def each(self, values: Array) -> Array:
        """The values with one axis of all samples in place of those of blocks and samples."""
        return jax.lax.collapse(values, 0, 2)


@dataclass(frozen=True)
class ArrayTerm(abc.ABC):
    """A loss of each sample, from a network from arrays to arrays and a batch."""

    weight: float
    """Factor of the term in the objective."""

    @property
    def draws(self) -> bool:
        """Whether it needs a random key of each sample, `ArrayDeviceBatch.keys`."""
        return False

    @abc.abstractmethod
    def __call__(self, evaluation: ArrayEvaluation) -> SampleLosses:
        """The loss of each sample before weighting; of samples that do not count, any number.

        Args:
            evaluation: The network on the batch.
        """


@dataclass(frozen=True)
class ArrayFacts:
    """The facts of a training that terms about arrays are made of."""

    view: ArrayView
    """The training split."""
    model: ArrayModel
    """The network; its shapes are enough."""


class ArrayTermConfig(Config, abc.ABC):
    """One term of the loss of a network from arrays to arrays."""

    of: str
    """Quantity of the term."""
    weight: NotNegative = 1.0
    """Factor of the term in the sum."""
    loss: LossConfig | None = None
    """Loss of this term; null for that of the objective."""

    _numbers_stand_in_losses = model_validator(mode="before")(refuse_loose_numbers)

    @abc.abstractmethod
    def term(self, loss: SampleLoss, facts: ArrayFacts) -> ArrayTerm:
        """Make the term.

        Args:
            loss: Its loss: its own, or that of the objective.
            facts: Facts of the training.
        """

    def check(self, facts: ArrayFacts, where: str) -> None:
        """Refuse a term that does not fit dataset or network, at once.

        Args:
            facts: Facts of the training.
            where: Key of the term in the recipe, for messages.

        Raises:
            HypermagneticsError: If it does not.
        """

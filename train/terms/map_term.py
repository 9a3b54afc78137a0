"""The error of the maps that a network gives, as a term."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float
from pydantic import model_validator

from hypermagnetics.config import Config, NotNegative
from hypermagnetics.errors import RecipeError
from hypermagnetics.models import MapFrame, MapTarget
from hypermagnetics.train.losses import LossConfig, SampleLoss, Spectral
from hypermagnetics.train.losses.loss import SampleLosses, Values
from hypermagnetics.train.terms.array_term import ArrayEvaluation, ArrayTerm
from hypermagnetics.train.terms.term import refuse_loose_numbers


@dataclass(frozen=True)
class MapFacts:
    """The facts of a training that terms about maps are made of."""

    frame: MapFrame
    channels: Mapping[MapTarget, slice]
    """Channels of each map that the network gives."""
    rms: Mapping[MapTarget, float]
    """Root mean square of the norm of each over the training split."""


class MapTermConfig(Config):
    """One term: a loss of the error of the maps that a network gives."""

    of: Literal["map"]
    """Quantity whose error is made small: "map", the maps of the table [map]."""
    quantity: MapTarget | None = None
    """One of the maps, "potential", "field" or "targets"; null for the sum over all of them."""
    weight: NotNegative = 1.0
    """Factor of the term in the sum."""
    loss: LossConfig | None = None
    """Loss of this term; null for that of the objective. Each channel is a component of the vector
    at a point, in units of the root mean square of its norm."""

    _numbers_stand_in_losses = model_validator(mode="before")(refuse_loose_numbers)

    def quantities(self, frame: MapFrame) -> tuple[MapTarget, ...]:
        """The maps of the term."""
        return frame.targets if self.quantity is None else (self.quantity,)

    def check(self, facts: MapFacts, loss: object, where: str) -> None:
        """Refuse a term that does not fit the maps, at once.

        Args:
            facts: Facts of the training.
            loss: Settings of its loss.
            where: Key of the term in the recipe, for messages.

        Raises:
            RecipeError: If it does not.
        """
        frame = facts.frame
        if self.quantity is not None and self.quantity not in frame.targets:
            raise RecipeError(
                f"A term of maps must be of one that the network gives, {', '.join(frame.targets)} "
                f"(map.target); got {self.quantity!r} ({where}.quantity). Take one of these."
            )
        if isinstance(loss, Spectral) and len(set(frame.core)) > 1:
            raise RecipeError(
                "A spectral term must be of maps with as many points along each axis; got "
                f"{' x '.join(map(str, frame.core))} ({where}). Take another loss."
            )

    def term(self, loss: SampleLoss, facts: MapFacts) -> "MapTerm":
        """Make the term; see `ArrayTermConfig`."""
        chosen = self.quantities(facts.frame)
        parts = tuple((facts.channels[name], facts.rms[name]) for name in chosen)
        return MapTerm(self.weight, loss, parts)


@dataclass(frozen=True)
class MapTerm(ArrayTerm):
    """A loss of the error of maps, added up over the quantities."""

    loss: SampleLoss
    parts: tuple[tuple[slice, float], ...]
    """Channels, and root mean square of the norm, of each quantity."""

    def __call__(self, evaluation: ArrayEvaluation) -> SampleLosses:
        """The loss of each sample."""
        targets = evaluation.batch.arrays["targets"]
        total = jnp.zeros(targets.shape[:2], targets.dtype)
        for channels, rms in self.parts:
            error = evaluation.masked(_points(evaluation.differences[:, :, channels]))
            total = total + self.loss(error / rms, _points(targets[:, :, channels]) / rms, None)
        return total


def _points(maps: Float[Array, "blocks samples components *sides"]) -> Values:
    """Maps (blocks, samples, channels, *sides) with their points in a row, the channels last."""
    return jnp.moveaxis(maps.reshape(*maps.shape[:3], -1), 2, 3)

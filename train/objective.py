"""The objective: the loss of a batch, in general and as a weighted sum of terms."""

import abc
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from hypermagnetics.data import Split
from hypermagnetics.errors import RecipeError
from hypermagnetics.models import AnyModel, ArrayModel, Model
from hypermagnetics.sources import SourceColumns
from hypermagnetics.train.config import DataConfig, ObjectiveConfig
from hypermagnetics.train.devices import AnyDeviceBatch, ArrayDeviceBatch, DeviceBatch
from hypermagnetics.train.losses import (
    MeanOverPoints,
    PointLoss,
    SampleLoss,
    ShippedLoss,
    Spectral,
    UserLoss,
)
from hypermagnetics.train.losses.loss import SampleLosses
from hypermagnetics.train.terms import (
    ArrayEvaluation,
    ArrayFacts,
    ArrayTerm,
    ArrayTermConfig,
    Evaluation,
    Facts,
    MapFacts,
    MapTermConfig,
    ResidualTermConfig,
    RolloutFacts,
    Term,
    TermConfig,
    TrajectoryTermConfig,
    counted,
)


class Losses(eqx.Module):
    """The loss, and its terms before weighting."""

    total: Float[Array, "*steps"]
    terms: dict[str, Float[Array, "*steps"]]
    norms: dict[str, Float[Array, "*steps"]] = eqx.field(default_factory=dict, kw_only=True)
    """Norms of the gradient and of the trained parameters before the step, if asked for."""

    def last_numbers(self) -> dict[str, Any]:
        """Numbers of the last of some steps beside its loss, for a line of metrics.jsonl."""
        last = {name: float(values[-1]) for name, values in self.norms.items()}
        finite = {name: one if math.isfinite(one) else None for name, one in last.items()}
        return {"norms": finite} if finite else {}


Sums = Mapping[str, Float[Array, "..."]]
"""Sums over samples that a loss is a function of, by name."""


class Objective(abc.ABC):
    """A loss that is a function of sums over samples.

    So the samples of a batch may be divided among chunks and devices, and their sums added.
    """

    @property
    @abc.abstractmethod
    def draws(self) -> bool:
        """Whether it needs a random key of each sample."""

    @property
    @abc.abstractmethod
    def is_additive(self) -> bool:
        """Whether the loss of a batch, too, is a sum of those of its parts."""

    @property
    def remedy(self) -> str:
        """Remedy of a loss that is not finite, behind "Begin another run"."""
        return "with a lower schedule.learning_rate, or with optimiser.clip_norm set"

    @abc.abstractmethod
    def weighted(self, weights: Mapping[str, float]) -> "Objective":
        """The same terms with some weights replaced."""

    @abc.abstractmethod
    def reference(self, model: AnyModel, batch: AnyDeviceBatch) -> Array | None:
        """A point from which sums of differences are taken; None if there are none.

        Args:
            model: The model.
            batch: Some of the samples.
        """

    @abc.abstractmethod
    def sums(self, model: AnyModel, batch: AnyDeviceBatch, reference: Array | None) -> Sums:
        """Sums over the samples that count.

        Args:
            model: The model.
            batch: The samples.
            reference: The point from which differences are taken, the same for all parts of a
                batch.
        """

    @abc.abstractmethod
    def of_sums(self, sums: Sums, count: Array) -> Losses:
        """The loss of `count` samples, from sums over them."""

    def __call__(self, model: AnyModel, batch: AnyDeviceBatch) -> Losses:
        """Loss of a batch; padding samples do not count."""
        sums = self.sums(model, batch, self.reference(model, batch))
        # A batch of empty blocks alone has no error.
        return self.of_sums(sums, jnp.maximum(jnp.sum(batch.num_samples), 1))


@dataclass(frozen=True)
class SumOfTerms(Objective):
    """A weighted sum of terms, each a mean over samples."""

    terms: Mapping[str, Term | ArrayTerm]
    """Terms about potential and field, or about arrays."""
    columns: SourceColumns | None = None
    """Columns of the source tables; needed by terms with weights of regions."""

    @property
    def draws(self) -> bool:
        """Whether a term needs a random key of each sample."""
        return any(term.draws for term in self.terms.values())

    @property
    def is_additive(self) -> bool:
        """It is a sum."""
        return True

    def weighted(self, weights: Mapping[str, float]) -> "SumOfTerms":
        """The same terms with some weights replaced."""
        terms = {
            name: replace(term, weight=weights.get(name, term.weight))
            for name, term in self.terms.items()
        }
        return replace(self, terms=terms)

    def reference(self, model: AnyModel, batch: AnyDeviceBatch) -> None:
        """None: it takes no differences."""

    def sums(self, model: AnyModel, batch: AnyDeviceBatch, reference: Array | None = None) -> Sums:
        """Each term, added over the samples that count."""
        counts, losses = counted(batch), self.of_samples(model, batch)
        return {name: jnp.sum(jnp.where(counts, values, 0)) for name, values in losses.items()}

    def of_sums(self, sums: Sums, count: Array) -> Losses:
        """The loss of `count` samples, from sums over them."""
        means = {name: value / count.astype(value.dtype) for name, value in sums.items()}
        total = sum((self.terms[name].weight * mean for name, mean in means.items()), jnp.zeros(()))
        return Losses(total, means)

    def of_samples(self, model: AnyModel, batch: AnyDeviceBatch) -> dict[str, SampleLosses]:
        """Every term of every sample before weighting; padding samples have no error."""
        match model, batch:
            case Model(), DeviceBatch():
                of_sources = {n: term for n, term in self.terms.items() if isinstance(term, Term)}
                differentiates = any(term.differentiates for term in of_sources.values())
                evaluation = Evaluation(model, batch, self.columns, differentiates=differentiates)
                return {name: term(evaluation) for name, term in of_sources.items()}
            case ArrayModel(), ArrayDeviceBatch():
                arrays = ArrayEvaluation(model, batch)
                of_arrays = self.terms.items()
                return {n: term(arrays) for n, term in of_arrays if isinstance(term, ArrayTerm)}
            case _:
                raise TypeError("a model of sources has batches of sources, a network of arrays")


def make_objective(
    config: ObjectiveConfig, facts: Facts, user_losses: Mapping[str, PointLoss]
) -> SumOfTerms:
    """Make the objective of a recipe.

    Args:
        config: Section of the recipe.
        facts: Facts of the training.
        user_losses: The functions of a user that the config names.

    Returns:
        The objective.

    Raises:
        RecipeError: If a term is about arrays.
    """
    terms = {}
    for name, term in terms_of_sources(config).items():
        loss = _sample_loss(config.loss_of(name), user_losses, facts.columns.dim)
        terms[name] = term.term(loss, facts)
    return SumOfTerms(terms, facts.columns)


def make_array_objective(
    config: ObjectiveConfig, facts: ArrayFacts, user_losses: Mapping[str, PointLoss]
) -> SumOfTerms:
    """Make the objective of a recipe for a network from arrays to arrays; see `make_objective`.

    Raises:
        RecipeError: If a term is about potential or field, or a loss is of grids.
    """
    terms = {}
    for name, term in terms_of_arrays(config).items():
        loss = config.loss_of(name)
        if isinstance(loss, Spectral):
            raise RecipeError(
                "A spectral term must have the points of a regular grid in space; got arrays "
                f"(objective.terms.{name}). Take another loss."
            )
        terms[name] = term.term(_sample_loss(loss, user_losses, 1), facts)
    return SumOfTerms(terms)


def make_map_objective(
    config: ObjectiveConfig, facts: MapFacts, user_losses: Mapping[str, PointLoss]
) -> SumOfTerms:
    """Make the objective of a recipe for a network from maps to maps; see `make_objective`.

    Raises:
        RecipeError: If a term is about something else, or does not fit the maps.
    """
    terms = {}
    for name, term in terms_of_maps(config).items():
        loss = config.loss_of(name)
        term.check(facts, loss, f"objective.terms.{name}")
        terms[name] = term.term(_sample_loss(loss, user_losses, facts.frame.dim), facts)
    return SumOfTerms(terms)


def make_rollout_objective(
    config: ObjectiveConfig, facts: RolloutFacts, user_losses: Mapping[str, PointLoss]
) -> SumOfTerms:
    """Make the objective of a recipe for a network that gives the next state; see `make_objective`.

    Raises:
        RecipeError: If a term is about something else, or does not fit the trajectories.
    """
    terms = {}
    for name, term in terms_of_rollouts(config).items():
        loss = config.loss_of(name)
        term.check(facts, loss, f"objective.terms.{name}")
        terms[name] = term.term(
            _sample_loss(loss, user_losses, facts.frame.vector_size), facts, name
        )
    return SumOfTerms(terms)


def terms_of_rollouts(
    config: ObjectiveConfig,
) -> dict[str, TrajectoryTermConfig | ResidualTermConfig]:
    """The terms about rollouts.

    Raises:
        RecipeError: If one is about something else.
    """
    found: dict[str, TrajectoryTermConfig | ResidualTermConfig] = {}
    for name, term in config.terms.items():
        if not isinstance(term, TrajectoryTermConfig | ResidualTermConfig):
            raise RecipeError(
                "A training by rollouts must have terms of 'trajectory' or 'residual' alone; got "
                f"one of {term.of!r} (objective.terms.{name}). Remove it."
            )
        found[name] = term
    return found


def terms_of_maps(config: ObjectiveConfig) -> dict[str, MapTermConfig]:
    """The terms about maps.

    Raises:
        RecipeError: If one is about something else.
    """
    found: dict[str, MapTermConfig] = {}
    for name, term in config.terms.items():
        if not isinstance(term, MapTermConfig):
            raise RecipeError(
                f"A training with a table [map] must have terms of 'map'; got one of {term.of!r} "
                f'(objective.terms.{name}). Write [objective.terms.map] with of = "map".'
            )
        found[name] = term
    return found


def terms_of_sources(config: ObjectiveConfig) -> dict[str, TermConfig]:
    """The terms about potential and field.

    Raises:
        RecipeError: If one is about arrays.
    """
    found: dict[str, TermConfig] = {}
    for name, term in config.terms.items():
        if not isinstance(term, TermConfig):
            raise RecipeError(
                f"A term of {term.of!r} must be of a network from arrays to arrays; got a model of "
                f"sources (objective.terms.{name}). Take 'potential' or 'field', or model mlp."
            )
        found[name] = term
    return found


def terms_of_arrays(config: ObjectiveConfig) -> dict[str, ArrayTermConfig]:
    """The terms about arrays.

    Raises:
        RecipeError: If one is about potential or field.
    """
    found: dict[str, ArrayTermConfig] = {}
    for name, term in config.terms.items():
        if not isinstance(term, ArrayTermConfig):
            raise RecipeError(
                "A network from arrays to arrays must have terms of 'targets'; got one of "
                f"{term.of!r} (objective.terms.{name}). Write [objective.terms.targets] with of = "
                '"targets".'
            )
        found[name] = term
    return found


def _sample_loss(
    loss: ShippedLoss | UserLoss, user_losses: Mapping[str, PointLoss], dim: int
) -> SampleLoss:
    if isinstance(loss, UserLoss):
        return MeanOverPoints(user_losses[loss.kind])
    return loss.on_samples(dim)


def check_spectral(objective: ObjectiveConfig, data: DataConfig, splits: Sequence[Split]) -> None:
    """Check that every step sees all points of a regular grid, if a term is spectral.

    Args:
        objective: Objective.
        data: Mode of reading.
        splits: The splits that are read.

    Raises:
        RecipeError: If a term is spectral and points are random, or not all are looked at.
    """
    terms = [name for name in objective.terms if isinstance(objective.loss_of(name), Spectral)]
    if not terms:
        return
    where = f"objective.terms.{terms[0]}"
    rule = "A spectral term must have all points of a regular grid in each step"
    for split in splits:
        if split.layout.grid_shape is None:
            raise RecipeError(
                f"{rule}; got points of another kind ({where}, split {split.name!r} of "
                f"{split.directory}). Take another loss, or a dataset on a regular grid."
            )
    if data.crop is not None:
        raise RecipeError(f"{rule}; got crops ({where}, data.crop). Leave data.crop out.")
    points = splits[0].layout.num_points
    if data.points_per_step is not None and data.points_per_step < points:
        raise RecipeError(
            f"{rule}; got {data.points_per_step} of {points} ({where}, data.points_per_step). "
            "Set data.points_per_step to null."
        )

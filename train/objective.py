"""The objective: the loss of a batch, a sum of terms, each a loss of potential or field."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, UInt8

from hypermagnetics.data import Split
from hypermagnetics.errors import RecipeError
from hypermagnetics.models import Model
from hypermagnetics.sources import SourceColumns, region_codes
from hypermagnetics.train.config import DataConfig, ObjectiveConfig
from hypermagnetics.train.devices import DeviceBatch
from hypermagnetics.train.losses import (
    MeanOverPoints,
    PointLoss,
    RegionWeights,
    SampleLoss,
    ShippedLoss,
    Spectral,
    UserLoss,
)
from hypermagnetics.train.losses.loss import SampleLosses, Values


@dataclass(frozen=True)
class Term:
    """A loss of the error of potential or field."""

    of: str
    loss: SampleLoss
    weight: float
    rms: float
    """Root mean square of the truth, or of its norm for the field [A or A/m]."""
    regions: RegionWeights | None = None
    """Weights of regions; None for equal weights of all points."""

    def __call__(
        self,
        error: Values,
        truth: Values,
        codes: UInt8[Array, "blocks samples points"] | None,
    ) -> SampleLosses:
        """The loss of each sample, from physical values and the regions of the points."""
        weights = None if self.regions is None or codes is None else self.regions(codes)
        return self.loss(error / self.rms, truth / self.rms, weights)


class Losses(eqx.Module):
    """The loss, and its terms before weighting."""

    total: Float[Array, ""]
    terms: dict[str, Float[Array, ""]]


@dataclass(frozen=True)
class Objective:
    """A weighted sum of terms, each a mean over samples."""

    terms: Mapping[str, Term]
    columns: SourceColumns | None = None
    """Columns of the source tables; needed by terms with weights of regions."""

    def weighted(self, weights: Mapping[str, float]) -> "Objective":
        """The same terms with some weights replaced."""
        terms = {
            name: replace(term, weight=weights.get(name, term.weight))
            for name, term in self.terms.items()
        }
        return replace(self, terms=terms)

    def __call__(self, model: Model, batch: DeviceBatch) -> Losses:
        """Loss of a batch; padding samples do not count."""
        # A batch of empty blocks alone has no error.
        return self.of_sums(self.sums(model, batch), jnp.maximum(jnp.sum(batch.num_samples), 1))

    def sums(self, model: Model, batch: DeviceBatch) -> dict[str, Float[Array, ""]]:
        """Each term, added over the samples that count."""
        counts, losses = _counts(batch), self.of_samples(model, batch)
        return {name: jnp.sum(jnp.where(counts, values, 0)) for name, values in losses.items()}

    def of_sums(self, sums: Mapping[str, Float[Array, ""]], count: Array) -> Losses:
        """The loss of `count` samples, from sums over them."""
        means = {name: value / count.astype(value.dtype) for name, value in sums.items()}
        total = sum((self.terms[name].weight * mean for name, mean in means.items()), jnp.zeros(()))
        return Losses(total, means)

    def of_samples(self, model: Model, batch: DeviceBatch) -> dict[str, SampleLosses]:
        """Every term of every sample before weighting; padding samples have no error."""
        # A loop over the few blocks, not a vmap: on CPU the reverse pass through batched products
        # takes twice as long.
        blocks = zip(batch.sources, batch.grid, batch.potential, batch.field, strict=True)
        errors = [model.errors(*block) for block in blocks]
        potential = jnp.stack([values for values, _ in errors])[..., None]
        field = jnp.stack([values for _, values in errors])
        # Mask before the losses too: a user's loss may have no gradient at zero error or truth, and
        # a NaN there would reach the parameters.
        counts = _counts(batch)[..., None, None]
        pairs = {
            "potential": (jnp.where(counts, potential, 0), batch.potential[..., None]),
            "field": (jnp.where(counts, field, 0), batch.field),
        }
        codes = self._region_codes(batch)
        return {name: term(*pairs[term.of], codes) for name, term in self.terms.items()}

    def _region_codes(self, batch: DeviceBatch) -> UInt8[Array, "blocks samples points"] | None:
        """Region of each point, once for all terms; None if no term needs it."""
        if all(term.regions is None for term in self.terms.values()):
            return None
        assert self.columns is not None, "weights of regions need the columns"
        return region_codes(self.columns, batch.sources, batch.grid)


def _counts(batch: DeviceBatch) -> Bool[Array, "blocks samples"]:
    return jnp.arange(batch.sources.shape[1])[None] < batch.num_samples[:, None]


def make_objective(
    config: ObjectiveConfig,
    potential_rms: float,
    field_rms: float,
    user_losses: Mapping[str, PointLoss],
    columns: SourceColumns,
) -> Objective:
    """Make the objective of a recipe.

    Args:
        config: Section of the recipe.
        potential_rms: Root mean square of the potential [A].
        field_rms: Root mean square of the norm of the field [A/m].
        user_losses: The functions of a user that the config names.
        columns: Columns of the source tables.

    Returns:
        The objective.
    """
    rms = {"potential": potential_rms, "field": field_rms}
    terms = {}
    for name, term in config.terms.items():
        loss = _sample_loss(config.loss_of(name), user_losses, columns.dim)
        terms[name] = Term(term.of, loss, term.weight, rms[term.of], term.regions)
    return Objective(terms, columns)


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

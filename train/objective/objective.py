"""The loss of a batch, by terms."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, UInt8

from hypermagnetics.models import Model
from hypermagnetics.sources import SourceColumns, region_codes
from hypermagnetics.train.batch import DeviceBatch
from hypermagnetics.train.losses.sample_loss import SampleLosses
from hypermagnetics.train.objective.term import Term


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
        # Masked before the losses too: a user's may have no gradient where error or truth is zero,
        # and what it gives there must not reach the model.
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
        assert self.columns is not None, "regions are told from the bodies"
        return region_codes(self.columns, batch.sources, batch.grid)


def _counts(batch: DeviceBatch) -> Bool[Array, "blocks samples"]:
    return jnp.arange(batch.sources.shape[1])[None] < batch.num_samples[:, None]

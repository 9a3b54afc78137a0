"""The loss of a batch, by terms."""

from dataclasses import dataclass

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from hypermagnetics.models import Model
from hypermagnetics.train.config import ObjectiveConfig


class DeviceBatch(eqx.Module):
    """Blocks on the device; see `hypermagnetics.data.Batch`."""

    sources: Float[Array, "blocks samples sources columns"]
    num_samples: Int[Array, " blocks"]
    grid: Float[Array, "blocks points dim"]
    potential: Float[Array, "blocks samples points"]
    field: Float[Array, "blocks samples points dim"]


class Losses(eqx.Module):
    """The loss and its terms before weighting."""

    total: Float[Array, ""]
    potential: Float[Array, ""]
    field: Float[Array, ""]


@dataclass(frozen=True)
class Objective:
    """Mean over samples and points of a loss of the errors in units of the root mean square."""

    config: ObjectiveConfig
    potential_rms: float
    """[A]"""
    field_rms: float
    """Root mean square of the norm of the field [A/m]."""

    def __call__(self, model: Model, batch: DeviceBatch) -> Losses:
        """Loss of a batch; samples that fill up a block do not count."""
        # A loop over the few blocks, not a vmap: on CPU the reverse pass through batched products
        # takes twice as long.
        blocks = zip(batch.sources, batch.grid, batch.potential, batch.field, strict=True)
        errors = [model.errors(*block) for block in blocks]
        potential = jnp.stack([values for values, _ in errors])
        field = jnp.stack([values for _, values in errors])
        valid = jnp.arange(batch.sources.shape[1])[None] < batch.num_samples[:, None]
        potential_error = (potential / self.potential_rms)[..., None]
        field_error = field / self.field_rms
        terms = [_mean(_pointwise(self.config, e), valid) for e in (potential_error, field_error)]
        total = self.config.potential * terms[0] + self.config.field * terms[1]
        return Losses(total, *terms)


def _pointwise(
    config: ObjectiveConfig, error: Float[Array, "*shape components"]
) -> Float[Array, "*shape"]:
    squared = jnp.sum(error**2, axis=-1)
    if config.loss == "mse":
        return squared
    return huber(squared, config.delta)


def huber(squared: Float[Array, "*shape"], delta: float) -> Float[Array, "*shape"]:
    """Huber's loss of a vector, divided by delta: |e|²/(2 delta) up to delta, then |e| - delta/2.

    Args:
        squared: |e|².
        delta: Where it turns from quadratic to linear.

    Returns:
        The loss; its gradient is finite also at e = 0.
    """
    # The root is kept away from 0, where its gradient is infinite, also in the branch not taken.
    small = squared < delta**2
    norm = jnp.sqrt(jnp.where(small, delta**2, squared))
    return jnp.where(small, squared / (2 * delta), norm - delta / 2)


def _mean(values: Float[Array, "blocks samples points"], valid: Array) -> Float[Array, ""]:
    kept = jnp.where(valid[..., None], values, 0)
    # A batch of empty blocks alone has no error.
    count = jnp.maximum(jnp.sum(valid), 1) * values.shape[-1]
    return jnp.sum(kept) / count.astype(values.dtype)

"""The loss of a batch, by terms."""

from collections.abc import Callable
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from hypermagnetics.errors import ExtensionError
from hypermagnetics.models import Model
from hypermagnetics.train.config import ObjectiveConfig
from hypermagnetics.user_code import must

PointLoss = Callable[
    [Float[Array, "*shape components"], Float[Array, "*shape components"]], Float[Array, "*shape"]
]
"""A user's loss of each point, from error and truth in units of the root mean square of the truth:
one component for the potential, `dim` for the field."""


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
    loss: PointLoss | None = None
    """The user's function, if the config names one."""

    def __call__(self, model: Model, batch: DeviceBatch) -> Losses:
        """Loss of a batch; samples that fill up a block do not count."""
        # A loop over the few blocks, not a vmap: on CPU the reverse pass through batched products
        # takes twice as long.
        blocks = zip(batch.sources, batch.grid, batch.potential, batch.field, strict=True)
        errors = [model.errors(*block) for block in blocks]
        potential = jnp.stack([values for values, _ in errors])
        field = jnp.stack([values for _, values in errors])
        valid = jnp.arange(batch.sources.shape[1])[None] < batch.num_samples[:, None]
        values = (
            self._pointwise(potential[..., None], batch.potential[..., None], self.potential_rms),
            self._pointwise(field, batch.field, self.field_rms),
        )
        terms = [_mean(value, valid) for value in values]
        total = self.config.potential * terms[0] + self.config.field * terms[1]
        return Losses(total, *terms)

    def _pointwise(
        self,
        error: Float[Array, "*shape components"],
        truth: Float[Array, "*shape components"],
        rms: float,
    ) -> Float[Array, "*shape"]:
        error = error / rms
        if self.loss is not None:
            return self.loss(error, truth / rms)
        squared = jnp.sum(error**2, axis=-1)
        return squared if self.config.loss == "mse" else huber(squared, self.config.delta)


def check_point_loss(loss: PointLoss, name: str, dim: int) -> None:
    """See that a user's loss gives one float for each point.

    Args:
        loss: The function.
        name: `module:name`, for messages.
        dim: Components of the field.

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
        with must(rule, loss, "objective.loss"):
            found = eqx.filter_eval_shape(loss, array, array)
        given = (getattr(found, "shape", None), getattr(found, "dtype", int))
        if given[0] != points or not jnp.issubdtype(given[1], jnp.floating):
            got = eqx.tree_pformat(found, struct_as_array=True).replace("\n", " ")
            raise ExtensionError(
                f"{rule}; got {got} (objective.loss). Reduce the last axis, and only that."
            )


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
